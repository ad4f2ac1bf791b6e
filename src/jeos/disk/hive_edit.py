"""Set keys and values in a hive of Windows's registry, with hivexregedit, and read them back.

    merge(Path("SYSTEM"), [Keys("ControlSet001\\\\Services\\\\viostor", (number("Start", 0), text("Group", "…")))])

What is there and not named stays. The work is done by a program of its own, so that a hive which leads libhivex astray
takes nothing with it; our reader then confirms every value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import InputError
from jeos.core.run import run
from jeos.disk import blocks
from jeos.disk.hive import EXPANDED, NUMBER, TEXT, TEXTS, Hive, Value

TIMEOUT = 300.0  # seconds; a hive of 100 MB takes a few
_TOP = "HIVE"  # how the top of the hive is called in the text that hivexregedit is given


@dataclass(frozen=True, slots=True)
class Keys:
    """A key at `path`, made with those above it where it is not there, and the values it shall have."""

    path: str
    values: tuple[Value, ...] = ()


def text(name: str, value: str) -> Value:
    """Return a value that holds a text (REG_SZ)."""
    return Value(name, TEXT, _encoded(value))


def expanded(name: str, value: str) -> Value:
    """Return a value that holds a text with %VARIABLES% in it (REG_EXPAND_SZ)."""
    return Value(name, EXPANDED, _encoded(value))


def texts(name: str, *values: str) -> Value:
    """Return a value that holds a list of texts (REG_MULTI_SZ)."""
    return Value(name, TEXTS, b"".join(_encoded(value) for value in values) + b"\0\0")


def number(name: str, value: int) -> Value:
    """Return a value that holds a number of 32 bits (REG_DWORD)."""
    return Value(name, NUMBER, value.to_bytes(4, "little"))


def _encoded(value: str) -> bytes:
    return (value + "\0").encode("utf-16-le")


def reg_text(keys: Sequence[Keys]) -> str:
    """Return the changes in the form of Windows's .reg files, with every key that they need above them.

    Raises ValueError for a name that is not plain ASCII.
    """
    lines = ["Windows Registry Editor Version 5.00"]
    known = {""}
    for key in keys:
        parts = [part for part in key.path.split("\\") if part]
        for depth in range(1, len(parts)):
            above = "\\".join(parts[:depth])
            if above.casefold() not in known:
                known.add(above.casefold())
                lines += ["", f"[{_TOP}\\{above}]"]
        path = "\\".join(parts)
        known.add(path.casefold())
        lines += ["", f"[{_TOP}\\{path}]" if path else f"[{_TOP}]", *(_line(value) for value in key.values)]
    content = "\n".join(lines) + "\n"
    if not content.isascii():
        raise ValueError("names in the registry that jeos sets are plain ASCII")
    return content


def _line(value: Value) -> str:
    escaped = value.name.replace("\\", "\\\\").replace('"', '\\"')
    name = f'"{escaped}"' if value.name else "@"
    return f"{name}=hex({value.type:x}):{value.data.hex(',')}"


def merge(hive: Path, keys: Sequence[Keys]) -> None:
    """Set keys and values in the hive in a file.

    Raises InputError if it is no hive or does not hold them afterwards, ProcessError if hivexregedit fails, HostError
    if that is not installed.
    """
    with blocks.File(hive) as file:
        Hive(file).root()
    run(["hivexregedit", "--merge", "--prefix", _TOP, hive], stdin=reg_text(keys).encode(), timeout=TIMEOUT)
    with blocks.File(hive) as file:
        missing = _missing(Hive(file), keys)
    if missing:
        raise InputError(
            f"the hive {hive.name} does not hold {missing} after it was set",
            hint="the hive may be damaged: start Windows once, shut it down, try again",
        )


def _missing(hive: Hive, keys: Sequence[Keys]) -> str:
    """Return the path of the first key or value that is not as it should be, "" if all are there."""
    for key in keys:
        found = hive.key(key.path)
        if found is None:
            return key.path
        for value in key.values:
            there = found.value(value.name)
            if there is None or (there.type, there.data) != (value.type, value.data):
                return f"{key.path}\\{value.name}"
    return ""
