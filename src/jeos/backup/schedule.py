"""When machines are backed up: a file that says how often, and what is due now. Nothing here acts.

[default]                   # every machine that has no table of its own
every = "24h"
window = "Mon-Fri 22:00-05:00; Sat,Sun 00:00-24:00"

[machines.web01]
every = "1h"
store = "s3://backups/web"

schedules = parse(text, source="backups.toml")
schedules.of("web01").due(last=…, now=…)
"""

import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from jeos.backup.retention import Rules
from jeos.core.errors import InputError
from jeos.model.machine import check_name
from jeos.model.schedule import Windows, minute_of_week, seconds

SHORTEST = 60  # seconds between two points
RETRY_SECONDS = 600.0  # until a backup that failed is tried again
TEXTS = ("every", "window", "store")
KEEPS = tuple(f"keep-{rule.name}" for rule in fields(Rules))
EXAMPLE = 'for example every = "24h" below [default]'


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a machine is backed up, in seconds, in which part of the week, and where to ("": the usual place).

    Points that no rule of `keep` wants are deleted after each backup; without any rule, all stay.
    """

    every: int
    window: Windows
    store: str = ""
    keep: Rules = field(default_factory=Rules)

    def due(self, *, last: float, now: float, failed: float = 0.0) -> bool:
        """Tell whether a backup is to be made now; `last` is the time of the newest point, `failed` that of a failure.

        All are in seconds since 1970, 0 for never. A clock that was set back does not stop backups.
        """
        waited = now - last if 0 < last <= now else float("inf")
        tired = 0 <= now - failed < min(RETRY_SECONDS, self.every)
        return self.open(now) and waited >= self.every and not tired

    def open(self, now: float) -> bool:
        """Tell whether the window is open."""
        return self.window.wait(minute_of_week(time.localtime(now))) == 0


@dataclass(frozen=True, slots=True)
class Schedules:
    """The schedules of machines, by name, and what all others have."""

    machines: Mapping[str, Schedule]
    default: Schedule | None = None

    def of(self, name: str) -> Schedule | None:
        """Return a machine's schedule; None if it is not backed up."""
        return self.machines.get(name, self.default)


def parse(text: str, *, source: str) -> Schedules:
    """Read schedules from TOML. Raises InputError, naming `source` and the place in it."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source} is not TOML: {error}", hint=EXAMPLE) from None
    tables = content.pop("machines", {})
    default = content.pop("default", None)
    if content:
        raise InputError(
            f"{source}: there is no [{next(iter(content))}]", hint="there are [default] and [machines.NAME]"
        )
    if not isinstance(tables, dict):
        raise InputError(f"{source}: [machines] holds one table for each machine", hint="[machines.web01]")
    found = {check_name(name): _schedule(table, where=f"{source}: [machines.{name}]") for name, table in tables.items()}
    return Schedules(found, None if default is None else _schedule(default, where=f"{source}: [default]"))


def _schedule(table: object, *, where: str) -> Schedule:
    if not isinstance(table, dict):
        raise InputError(f"{where} is not a table", hint=EXAMPLE)
    unknown = sorted(set(table) - {*TEXTS, *KEEPS})
    if unknown:
        raise InputError(f"{where} has no key {unknown[0]}", hint=f"there are {', '.join((*TEXTS, *KEEPS))}")
    words = {key: table.get(key, "") for key in TEXTS}
    wrong = [key for key, value in words.items() if not isinstance(value, str)]
    if wrong:
        raise InputError(f"{where}: {wrong[0]} is not a text", hint=EXAMPLE)
    counts = [table.get(key, 0) for key in KEEPS]
    if any(type(count) is not int or count < 0 for count in counts):
        raise InputError(f"{where}: what begins with keep- is a number of points", hint="for example keep-daily = 7")
    try:
        every, window = seconds(words["every"]), Windows.parse(words["window"])
    except ValueError as error:
        raise InputError(f"{where}: {error}", hint=EXAMPLE) from None
    if every < SHORTEST:
        raise InputError(f"{where}: every = {words['every']!r} is less than a minute", hint=EXAMPLE)
    return Schedule(every=every, window=window, store=words["store"], keep=Rules(*counts))
