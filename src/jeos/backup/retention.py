"""Which backup points stay: the newest of each of the last days, weeks, months…, decided by their names alone.

    kept = keep(["web01/2026-11-28T20-15-03Z-9c1f", …], Rules(daily=7, weekly=4), zone=zone)
    kept["web01/2026-11-28T20-15-03Z-9c1f"]         # ("daily", "weekly")

Each rule looks at all points of a machine by itself, and counts only periods in which there are points: a machine that
was off for a month loses nothing by that. Days begin at midnight in `zone`, weeks on Monday (ISO 8601). A name says the
time in UTC, so that a point whose document is damaged is treated as the others are.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, tzinfo

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z")

Period = tuple[int, ...]

PERIODS: dict[str, Callable[[datetime], Period]] = {
    "hourly": lambda time: (int(time.timestamp()) // 3600,),  # the hour that comes twice in autumn is two
    "daily": lambda time: time.timetuple()[:3],
    "weekly": lambda time: tuple(time.isocalendar())[:2],
    "monthly": lambda time: time.timetuple()[:2],
    "yearly": lambda time: time.timetuple()[:1],
}


@dataclass(frozen=True, slots=True)
class Rules:
    """How many points of each kind stay; 0 for none because of that rule."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


def keep(names: Iterable[str], rules: Rules, *, zone: tzinfo = UTC) -> dict[str, tuple[str, ...]]:
    """Return the points that stay, each with the rules that want it, of all machines that `names` are of.

    A name without a time in it stays: ("unknown time",). Without any rule all stay: ("no rule",).
    """
    names = list(names)
    if not rules:
        return dict.fromkeys(names, ("no rule",))
    kept: dict[str, list[str]] = {}
    for owner in sorted({name.partition("/")[0] for name in names}):
        dated: list[tuple[datetime, str]] = []
        for name in (name for name in names if name.partition("/")[0] == owner):
            time = time_of(name)
            if time is None:
                kept[name] = ["unknown time"]
            else:
                dated.append((time, name))
        newest_first = sorted(dated, key=lambda point: (point[0], point[1]), reverse=True)
        _keep_of(newest_first, rules, zone=zone, kept=kept)
    return {name: tuple(kept[name]) for name in names if name in kept}


def _keep_of(
    newest_first: Sequence[tuple[datetime, str]], rules: Rules, *, zone: tzinfo, kept: dict[str, list[str]]
) -> None:
    for _, name in newest_first[: rules.last]:
        kept.setdefault(name, []).append("last")
    for rule, period_of in PERIODS.items():
        seen: set[Period] = set()
        for time, name in newest_first:
            period = period_of(time.astimezone(zone))
            if period not in seen and len(seen) < getattr(rules, rule):
                seen.add(period)
                kept.setdefault(name, []).append(rule)


def time_of(name: str) -> datetime | None:
    """Return when a point was taken, as its name says; None if it does not."""
    found = _TIME.match(name.partition("/")[2])
    try:
        return datetime.strptime(found[0], "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC) if found else None
    except ValueError:  # the 31st of February
        return None
