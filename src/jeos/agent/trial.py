"""A release on trial, as far as it concerns the agent: its health checks, its units, and the way to restart.

    jeos-agent begin        before services: data and migrations, or what became of the other slot (jeos-begin.service)
    jeos-agent confirm      keep the running release once it has been well, or go back (jeos-confirm.service)

`jeos.update.confirm` decides; here is what it asks of the guest.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from jeos.agent import appliance, health, local
from jeos.agent.appliance import Appliance, number
from jeos.core.errors import JeosError
from jeos.update import confirm, mounts, programs, settings, slots
from jeos.update.confirm import Machine, Place

SYSTEMCTL = "/usr/bin/systemctl"
JOURNAL = ("/usr/bin/journalctl", "--boot", "--priority=warning", "--lines=40", "--no-pager", "--output=cat")
UPDATE_UNITS = ("jeos-update.service", "jeos-update.timer")
ASK_SECONDS = 5.0  # beyond what the checks themselves may take
PROGRAM_SECONDS = 30.0
HOLD = 60.0  # seconds; the default of jeos.model.recipe.Update
STOP_SECONDS = 600.0  # that services may take to stop when a release is left
RESTART_SECONDS = 3600.0  # that a start goes no further while it ends


def begin(options: Sequence[str]) -> int:
    """Do what a trial needs before services start; if that ends in a restart, never return to them."""
    own = appliance.read()
    restarts: list[str] = []

    def restart() -> None:
        restarts.append("wanted")

    return _report(lambda: _begin(own, restart), restarts)


def _begin(own: Appliance, restart: Callable[[], None]) -> str:
    wanted = settings.read()
    return confirm.begin(_place(own), _machine(own, restart), keep=wanted.snapshot if wanted else ())


def _report(work: Callable[[], str], restarts: Sequence[str]) -> int:
    try:
        _say(work())
    except (JeosError, OSError) as error:
        _say(str(error))
        return 1
    if restarts:
        # The kinder way would let services start and stop once more; here, nothing but the start itself is at work.
        programs.run([SYSTEMCTL, "--force", "reboot"], seconds=PROGRAM_SECONDS)
        time.sleep(RESTART_SECONDS)
    return 0


def keep_or_leave(options: Sequence[str]) -> int:
    """Wait until the running release has been well for as long as its recipe says; else restart into the other."""
    own = appliance.read()
    within = max([number(check, "within", health.WITHIN) for check in own.health], default=health.WITHIN)
    try:
        wanted = settings.read()
        hold = wanted.hold if wanted else HOLD
        _say(confirm.confirm(_place(own), _machine(own, _restart), hold=hold, within=within))
    except (JeosError, OSError, ValueError) as error:
        _say(str(error))
        return 1
    return 0


def failed_units() -> list[str]:
    """Return the units that have failed; not the one that looks for updates, which needs a network."""
    argv = [SYSTEMCTL, "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"]
    status, words = programs.run(argv, seconds=PROGRAM_SECONDS)
    names = [line.split()[0] for line in words.splitlines() if line.strip()] if status == 0 else []
    return [name for name in names if name not in UPDATE_UNITS]


def _place(own: Appliance) -> Place:
    disk = slots.find()
    return Place(
        version=own.version,
        root_hash=disk.active.root_hash,
        esp=lambda read_only: mounts.esp(disk.esp.device, read_only=read_only),
    )


def _machine(own: Appliance, restart: Callable[[], None]) -> Machine:
    seconds = ASK_SECONDS + sum(number(check, "timeout", health.TIMEOUT) for check in own.health or [health.SYSTEM])

    def complaints() -> list[str]:
        try:
            said: Mapping[str, object] = local.ask({"do": "health"}, seconds=seconds)
        except OSError as error:
            return [f"the agent does not answer: {error}"]
        reasons = said.get("reasons")
        if said.get("state") == health.HEALTHY:
            return []
        return [str(reason) for reason in reasons] if isinstance(reasons, list) and reasons else ["not healthy"]

    return Machine(restart=restart, complaints=complaints, troubled=failed_units, words=_last_words)


def _restart() -> None:
    """Restart with all services stopped in order; without systemd's help, if that hangs."""
    status, _ = programs.run([SYSTEMCTL, "--no-block", "reboot"], seconds=PROGRAM_SECONDS)
    if status == 0:
        time.sleep(STOP_SECONDS)  # this process is among the first to be stopped
    programs.run([SYSTEMCTL, "--force", "--force", "reboot"], seconds=PROGRAM_SECONDS)


def _last_words() -> str:
    try:
        return programs.run(JOURNAL, seconds=PROGRAM_SECONDS)[1]
    except OSError:
        return ""


def _say(text: str) -> None:
    sys.stderr.write(f"jeos: {text}\n")
