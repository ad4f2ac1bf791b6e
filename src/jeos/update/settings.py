"""How a guest updates itself: what the recipe says, and what its operator wants instead.

The recipe's `[update]` table is the object "update" of `/usr/lib/jeos/appliance.json`. The operator's wishes are in
`/etc/jeos/update.toml`, with the same keys, and `pin`, `pause` and `proxy` beside them:

    window = "02:00-05:00"
    pin = "1.4.*"                 # or a version
    pause = 2027-01-15            # until that day; true for as long as it stands there
    proxy = "http://proxy.example:3128"
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from jeos.core.errors import InputError
from jeos.model import schedule
from jeos.model.schedule import ALWAYS, Windows

APPLIANCE = "/usr/lib/jeos/appliance.json"
OVERRIDES = "/etc/jeos/update.toml"
# As in `jeos.model.recipe_texts`: what holds the copy itself cannot be copied, nor be put back by a rename.
DATA = r"/(?!var/lib(?:/jeos(?:/.*)?)?$)(?:var|etc)(?:/(?!\.{1,2}(?:/|$))[^/\u0000-\u001f\u007f]+)+"
VERSION = r"[0-9A-Za-z][0-9A-Za-z.^~+-]{0,63}(?:\.\*)?"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is set; times in seconds, `bandwidth` in bytes a second (0: no limit), `pause` in words ("": none)."""

    channel: str
    ring: str = "stable"
    check: int = 21600
    windows: Windows = ALWAYS
    restart: bool = True
    hold: int = 60
    bandwidth: int = 0
    snapshot: tuple[str, ...] = ()
    pin: str = ""
    pause: str = ""
    proxy: str = ""


def read(
    *, appliance: str = APPLIANCE, overrides: str = OVERRIDES, now: Callable[[], float] = time.time
) -> Settings | None:
    """Return the settings; None for an appliance without updates.

    While the operator's file cannot be read as it was meant, nothing is changed: updates are paused, and that is why.
    """
    with open(appliance, encoding="utf-8") as file:
        said = json.load(file).get("update")
    if not isinstance(said, dict):
        return None
    try:
        return parse({**said, **_overrides(overrides)}, now=now())
    except InputError as error:
        return replace(parse(said, now=now()), pause=f"because {overrides} is wrong: {error.message}")


def parse(said: Mapping[str, object], *, now: float) -> Settings:
    """Return the settings of a table. Raises InputError for a key or value that is not one."""
    values: dict[str, object] = {}
    for key, value in said.items():
        reader = READERS.get(key)
        if reader is None:
            raise InputError(f"there is no key {key}", hint=f"there are {', '.join(READERS)}")
        try:
            name, meaning = reader(value, now)
        except ValueError as error:
            raise InputError(
                f"{key} = {str(value)[:80]!r}: {error}", hint="the manual of jeos tells all keys"
            ) from None
        values[name] = meaning
    if "channel" not in values:
        raise InputError("there is no channel", hint="it is where updates come from")
    return Settings(**values)  # type: ignore[arg-type]  # the readers made them right


def _overrides(place: str) -> dict[str, object]:
    """Return what the operator wants, as TOML has it."""
    try:
        with open(place, "rb") as file:
            import tomllib  # few operators have this file

            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(str(error), hint="see https://toml.io for the form") from None


def _text(pattern: str, demand: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(f"must be {demand}")
        return value

    return read


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _paths(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and re.fullmatch(DATA, one) for one in value):
        raise ValueError("must be a list of folders below /var or /etc, neither /var/lib nor one of jeos")
    return tuple(value)


def _pause(value: object, now: float) -> str:
    """Return why nothing happens: "by the operator until 2027-01-15"; "" if that is over."""
    if isinstance(value, bool):
        return "by the operator" if value else ""
    import datetime  # there already: only TOML's reader makes values that come here

    if isinstance(value, datetime.datetime):
        end = value
    elif isinstance(value, datetime.date):
        end = datetime.datetime.combine(value, datetime.time())
    else:
        raise ValueError("must be true, false or a date, without quotes")
    # Years that are no seconds on every machine are long over, or far away.
    over = end.year < 1971 or (end.year < 9999 and end.timestamp() <= now)
    return "" if over else f"by the operator until {value}"


_words = _text(r"[^\x00-\x1f]*", "text")
_address = _text(r"(?:https?://[^\s/]+(?:/\S*)?|file:///\S*)", "an address: http://, https:// or file:///")
_ring = _text(r"[a-z][a-z0-9-]{0,62}", "the name of a ring")
_pin = _text(f"(?:{VERSION})?", 'a version, such as "1.4.2" or "1.4.*"')
_proxy = _text(r"(?:http://[^\s/@]+/?)?", "an address without a user, such as http://proxy.example:3128")

# Each key: the name of its field, and its meaning. Raises ValueError.
READERS: Mapping[str, Callable[[object, float], tuple[str, object]]] = {
    "channel": lambda value, now: ("channel", _address(value)),
    "ring": lambda value, now: ("ring", _ring(value)),
    "check": lambda value, now: ("check", max(60, schedule.seconds(_words(value)))),
    "window": lambda value, now: ("windows", Windows.parse(_words(value))),
    "restart": lambda value, now: ("restart", _truth(value)),
    "hold": lambda value, now: ("hold", schedule.seconds(_words(value))),
    "bandwidth": lambda value, now: ("bandwidth", schedule.rate(_words(value))),
    "snapshot": lambda value, now: ("snapshot", _paths(value)),
    "pin": lambda value, now: ("pin", _pin(value)),
    "pause": lambda value, now: ("pause", _pause(value, now)),
    "proxy": lambda value, now: ("proxy", _proxy(value)),
}
