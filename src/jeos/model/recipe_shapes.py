"""What a value in a recipe may look like: each shape reads a TOML value, words its demand, and gives its JSON Schema.

    Size(minimum="64M").read("512M", path=("disk", "data"), problems=found) == 512 << 20

A shape that does not like a value adds to `problems` and returns `BROKEN`. Tables and lists are in `recipe_tables`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Protocol

from jeos.model.image import MEBIBYTE
from jeos.model.toml_lines import Path

Schema = dict[str, object]

BROKEN = object()  # stands for a value that a problem was found with
LARGEST = (1 << 63) - 1  # TOML's whole numbers have 64 bits
SHOWN_CHARACTERS = 60  # of a value in a message
UNITS = {"M": MEBIBYTE, "G": 1 << 30, "T": 1 << 40}


class Problems:
    """The problems found so far, each with the path of the key that it is about.

    `elsewhere` is asked for the right place of a key that stands in a table that does not know it. `kept` holds, for
    a list with broken elements, the sound ones with their positions: rules can still look at those.
    """

    def __init__(self, *, elsewhere: Callable[[str], str] = lambda name: "") -> None:
        self.found: list[tuple[Path, str]] = []
        self.elsewhere = elsewhere
        self.kept: dict[Path, list[tuple[int, object]]] = {}

    def add(self, path: Path, text: str) -> None:
        """Add a problem; the text is a whole sentence without a line number."""
        self.found.append((path, text))

    def refuse(self, path: Path, value: object, demand: str) -> object:
        """Add the problem that a value is not what it must be, and return BROKEN."""
        self.add(path, f"{key_name(path)} = {show(value)}: {demand}")
        return BROKEN


class Shape(Protocol):
    """A form that values have."""

    @property
    def words(self) -> str:
        """Return the form in words, to stand behind "must be"."""

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return what the value means, or BROKEN with a problem added."""

    def schema(self) -> Schema:
        """Return the JSON Schema (draft 2020-12) of the form."""


def key_name(path: Path) -> str:
    """Return a path as it is written in TOML, without positions: `("port", 0, "guest")` is "port.guest"."""
    names = [part for part in path if isinstance(part, str)]
    return ".".join(name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name) for name in names)


def toml(value: object) -> str:
    """Return a value roughly as TOML writes it."""
    if isinstance(value, list):
        return f"[{', '.join(toml(element) for element in value)}]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{key_name((str(key),))} = {toml(element)}" for key, element in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, int) and abs(value) > LARGEST:
        return hex(value)  # Python refuses to write very long numbers in decimal
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else str(value)


def show(value: object) -> str:
    """Return a value for a message: on one line, and not all of a long one."""
    text = toml(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


@dataclass(frozen=True, slots=True)
class Text:
    """Text that a pattern matches as a whole; the pattern is one that Python and ECMA-262 read alike."""

    words: str
    pattern: str = r"[^\u0000-\u001f\u007f]+"
    longest: int = 0  # characters; 0 for no limit

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the text."""
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            return problems.refuse(path, value, f"must be {self.words}")
        if self.longest and len(value) > self.longest:
            return problems.refuse(path, value, f"must be at most {self.longest} characters long, not {len(value)}")
        return value

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        limit: Schema = {"maxLength": self.longest} if self.longest else {}
        return {"type": "string", "pattern": f"^(?:{self.pattern})$", **limit}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    choices: tuple[str, ...]

    @property
    def words(self) -> str:
        """Return the choices as a sentence's part."""
        quoted = [json.dumps(choice) for choice in self.choices]
        return f"{', '.join(quoted[:-1])} or {quoted[-1]}"

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the word."""
        return value if value in self.choices else problems.refuse(path, value, f"must be {self.words}")

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        return {"enum": list(self.choices)}


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false."""

    words: str = "true or false"

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the truth value."""
        return value if isinstance(value, bool) else problems.refuse(path, value, f"must be {self.words}")

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Always:
    """True, for a key that says something by being there."""

    words: str = "true, or left out"

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return true."""
        return value if value is True else problems.refuse(path, value, f"must be {self.words}")

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        return {"const": True}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within limits, both included."""

    minimum: int | None = None
    maximum: int | None = None

    @property
    def words(self) -> str:
        """Return the limits in words."""
        if self.minimum is None or self.maximum is None:
            return "a whole number" if self.minimum is None else f"a whole number from {self.minimum} up"
        return f"a whole number from {self.minimum} to {self.maximum}"

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the number."""
        fits = (
            isinstance(value, int)
            and not isinstance(value, bool)
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
        )
        return value if fits else problems.refuse(path, value, f"must be {self.words}")

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        limits = {"minimum": self.minimum, "maximum": self.maximum}
        return {"type": "integer", **{name: limit for name, limit in limits.items() if limit is not None}}


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time in seconds, above 0 and up to a limit; parts of a second are allowed."""

    maximum: int = 3600

    @property
    def words(self) -> str:
        """Return the limits in words."""
        return f"a number of seconds above 0, at most {self.maximum}"

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the seconds."""
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= self.maximum:
            return float(value)
        return problems.refuse(path, value, f"must be {self.words}")

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        return {"type": "number", "exclusiveMinimum": 0, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Size:
    """A size in binary multiples ("512M", "1G"); read as a number of `unit` bytes."""

    minimum: str
    maximum: str = "16T"
    unit: int = 1

    PATTERN = re.compile(r"([1-9][0-9]{0,6})([MGT])")

    @property
    def words(self) -> str:
        """Return the form and its limits in words."""
        return f'a size such as "512M" or "2G", from {self.minimum} to {self.maximum}'

    def bytes_of(self, text: str) -> int | None:
        """Return a size in bytes, or None for text that is no size."""
        match = self.PATTERN.fullmatch(text)
        return int(match[1]) * UNITS[match[2]] if match else None

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the size as a number of units."""
        size = self.bytes_of(value) if isinstance(value, str) else None
        least, most = self.bytes_of(self.minimum), self.bytes_of(self.maximum)
        if size is None or least is None or most is None or not least <= size <= most:
            return problems.refuse(path, value, f"must be {self.words}")
        return size // self.unit

    def schema(self) -> Schema:
        """Return the JSON Schema of the form, which cannot say the limits."""
        return {"type": "string", "pattern": f"^{self.PATTERN.pattern}$"}


@dataclass(frozen=True, slots=True)
class Mode:
    """Permission bits, as an octal number in quotes: TOML has no other way that is not easily mistaken."""

    words: str = 'an octal mode in quotes, such as "0644"'

    PATTERN = re.compile(r"[0-7]{3,4}")

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the bits."""
        if isinstance(value, str) and self.PATTERN.fullmatch(value):
            return int(value, 8)
        return problems.refuse(path, value, f"must be {self.words}")

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        return {"type": "string", "pattern": f"^{self.PATTERN.pattern}$"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text, a whole number or, where `booleans` says so, a truth value; always read as text."""

    booleans: bool = False

    @property
    def words(self) -> str:
        """Return the form in words."""
        return "text, a whole number, true or false" if self.booleans else "text or a whole number"

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the value as text: true is "true", 1 is "1"."""
        if isinstance(value, bool):
            return str(value).lower() if self.booleans else problems.refuse(path, value, f"must be {self.words}")
        if (isinstance(value, int) and abs(value) <= LARGEST) or (
            isinstance(value, str) and re.fullmatch(r"[^\u0000\n\r]*", value)
        ):
            return str(value)
        return problems.refuse(path, value, f"must be {self.words}")

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        return {"type": ["string", "integer", *(["boolean"] if self.booleans else [])]}


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression."""

    words: str = "a regular expression"

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the expression's text."""
        if not isinstance(value, str):
            return problems.refuse(path, value, f"must be {self.words}")
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError) as error:
            return problems.refuse(path, value, f"is not a regular expression: {error}")
        return value

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        return {"type": "string", "format": "regex"}
