"""What a pass notes in the state, for the next pass and for `jeos-agent status`: when, what came of it, what waits.

write_down(outcome, guest, settings, only_told=False)
wait(state.read(), guest, settings)          # seconds until the channel is to be asked again
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from jeos.update import plan, state

if TYPE_CHECKING:
    from jeos.update.run import Guest, Outcome
    from jeos.update.settings import Settings

MOST_PASSED = 20  # releases whose reasons are kept for status


def wait(known: state.State, guest: "Guest", settings: "Settings") -> float:
    """Return the seconds until the channel is to be asked again."""
    last = known.agent.get("tried")
    now = guest.clock()
    if not isinstance(last, int | float) or last > now:
        return 0.0
    failures = known.agent.get("failures")
    due = plan.next_check(
        float(last),
        failures=failures if isinstance(failures, int) else 0,
        period=settings.check,
        identity=guest.identity,
    )
    return due - now


def write_down(outcome: "Outcome", guest: "Guest", settings: "Settings", *, only_told: bool) -> None:
    """Keep what came of a pass, for the next one and for `jeos-agent status`.

    `only_told` is for who only wants to know: that does not put the next pass off. Raises OSError.
    """
    now = guest.clock()

    def edit(known: state.State) -> state.State:
        before = known.agent.get("failures")
        failures = (before if isinstance(before, int) else 0) + 1 if outcome.error else 0
        due = plan.next_check(now, failures=failures, period=settings.check, identity=guest.identity)
        said: Mapping[str, object] = {
            "tried": now,
            "checked": known.agent.get("checked", 0) if outcome.error else now,
            "failures": failures,
            "next": due,
            "words": outcome.words,
            "error": outcome.error,
            "version": outcome.version,
            "critical": outcome.critical,
            "waits": outcome.version,
            "passed": list(outcome.passed[:MOST_PASSED]),
            "failed": [one.root_hash for one in known.failures],  # so that later ones are known without a right clock
            "window": settings.windows.text,
            "pin": settings.pin,
        }
        stay = {"restarts"}
        if outcome.error or only_told:
            stay |= {"critical", "waits"}
        if only_told:
            stay |= {"tried", "failures", "next"}
        return replace(
            known,
            agent={
                **{key: value for key, value in said.items() if key not in stay},
                **{key: value for key, value in known.agent.items() if key in stay},
            },
        )

    state.change(edit, folder=guest.folder)


def counted(outcome: "Outcome", guest: "Guest", *, most: int | None) -> "Outcome":
    """Note a restart; return an outcome without one if `most` led back here already, or if it cannot be noted."""
    count = 0

    def edit(known: state.State) -> state.State:
        nonlocal count
        trial = f"{known.trial.root_hash} {known.trial.since:.0f}" if known.trial else ""
        before = known.agent.get("restarts")
        known_count = before.get(trial) if isinstance(before, dict) else None
        count = (known_count if isinstance(known_count, int) else 0) + 1
        return replace(known, agent={**known.agent, "restarts": {trial: count}})

    try:
        state.change(edit, folder=guest.folder)
    except OSError as error:
        words = f"{outcome.version} is in place, but cannot be started: {error.strerror}"
        return replace(outcome, words=words, error=words, hint="free some of the data disk", restarting=False)
    if most is not None and count > most:
        words = f"{outcome.version} is in place, but {most} restarts led back to {guest.version}"
        hint = "journalctl -u jeos-begin tells why; jeos-agent update --now tries once more"
        return replace(outcome, words=words, error=words, hint=hint, restarting=False)
    return outcome
