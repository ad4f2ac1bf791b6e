"""Shapes made of other shapes: lists, tables with known keys, and tables with any keys.

A `Table` is the one description of a part of the recipe: parser, JSON Schema and reference page are made from it.
"""

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from jeos.model.recipe_shapes import BROKEN, Boolean, Problems, Schema, Shape, key_name
from jeos.model.toml_lines import Path

MANY = 12  # keys are too many to list them all in a message


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table: its name in TOML, its form, what it is for and an example as TOML.

    `field` is the name in the value's class, where that is not `name` with underscores.
    `default` tells a reader what holds without the key, where the value's own default does not show it.
    """

    name: str
    shape: Shape
    doc: str
    example: str
    field: str = ""
    default: str = ""

    @property
    def attribute(self) -> str:
        """Return the name of the field that the value goes to."""
        return self.field or self.name.replace("-", "_")


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list with elements of one shape, none of them twice."""

    element: Shape
    words: str
    shortest: int = 0

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the elements as a tuple."""
        if not isinstance(value, list) or len(value) < self.shortest:
            return problems.refuse(path, value, f"must be {self.words}")
        kept: list[tuple[int, object]] = []
        for position, raw in enumerate(value):
            element = self.element.read(raw, path=(*path, position), problems=problems)
            if element is not BROKEN and any(element == other for _, other in kept):
                element = problems.refuse((*path, position), raw, "is listed twice")
            if element is not BROKEN:
                kept.append((position, element))
        problems.kept[path] = kept
        return tuple(element for _, element in kept) if len(kept) == len(value) else BROKEN

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        least: Schema = {"minItems": self.shortest} if self.shortest else {}
        return {"type": "array", "items": self.element.schema(), "uniqueItems": True, **least}


@dataclass(frozen=True, slots=True)
class Table:
    """A table with known keys, read into a frozen value; `one_of` names keys of which exactly one must be set.

    `shown` names the keys that an example of the table has; without it, all but the later ones of `one_of`.
    """

    type: Callable[..., object]
    doc: str
    keys: tuple[Key, ...]
    one_of: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    words: str = "a table"

    def required(self) -> frozenset[str]:
        """Return the names of the keys that must be there: those whose field has no default."""
        needed = {
            member.name
            for member in fields(self.type)  # type: ignore[arg-type]  # every type is a dataclass
            if member.default is MISSING and member.default_factory is MISSING
        }
        return frozenset(key.name for key in self.keys if key.attribute in needed)

    def default(self, key: Key) -> object:
        """Return what holds without a key; MISSING for a key that must be there."""
        members: dict[str, Any] = {member.name: member for member in fields(self.type)}  # type: ignore[arg-type]
        member = members[key.attribute]
        return member.default_factory() if member.default_factory is not MISSING else member.default

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the table as its value."""
        if not isinstance(value, Mapping):
            return problems.refuse(path, value, f"must be {self.words}")
        before = len(problems.found)
        values = self.read_keys(value, path=path, problems=problems)
        return self.type(**values) if len(problems.found) == before else BROKEN

    def read_keys(self, value: Mapping[str, object], *, path: Path, problems: Problems) -> dict[str, object]:
        """Return the values of the keys that are there and right, by field; of lists, the elements that are right."""
        known = {key.name: key for key in self.keys}
        values: dict[str, object] = {}
        for name, raw in value.items():
            if name not in known:
                problems.refuse((*path, name), raw, self.unknown(name, place=problems.elsewhere(name)))
                continue
            read = known[name].shape.read(raw, path=(*path, name), problems=problems)
            if read is not BROKEN:
                values[known[name].attribute] = read
            elif (*path, name) in problems.kept:
                values[known[name].attribute] = tuple(element for _, element in problems.kept[(*path, name)])
        for key in self.keys:
            if key.name in self.required() and key.name not in value:
                problems.add(path, f"{key_name((*path, key.name))} is missing, for example: {key.name} = {key.example}")
        self.check_one_of(value, path=path, problems=problems)
        return values

    def check_one_of(self, value: Mapping[str, object], *, path: Path, problems: Problems) -> None:
        """Add a problem unless exactly one of the keys that exclude each other is set."""
        given = [name for name in self.one_of if name in value]
        if self.one_of and len(given) != 1:
            said = f"has {' and '.join(given)}" if given else "has none of them"
            problems.add(path, f"{key_name(path)} must have exactly one of {', '.join(self.one_of)}, and {said}")

    def unknown(self, name: str, *, place: str) -> str:
        """Return what to say about a key that the table lacks: the nearest one, or the `place` where it belongs."""
        names = [key.name for key in self.keys]
        near = difflib.get_close_matches(name.lower().replace("_", "-"), names, n=1, cutoff=0.7)
        if near:
            return f"there is no such key; did you mean {near[0]}?"
        if place:
            return f"there is no such key {place}"
        return "there is no such key" if len(names) > MANY else f"there is no such key; there are {', '.join(names)}"

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        properties = {key.name: self.key_schema(key) for key in self.keys}
        schema: Schema = {"type": "object", "description": self.doc, "properties": properties}
        if self.required():
            schema["required"] = sorted(self.required())
        if self.one_of:
            schema["oneOf"] = [{"required": [name]} for name in self.one_of]
        return {**schema, "additionalProperties": False}

    def key_schema(self, key: Key) -> Schema:
        """Return the JSON Schema of one key, with what editors show."""
        return {**key.shape.schema(), "description": key.doc}


@dataclass(frozen=True, slots=True)
class Pairs:
    """A table whose keys the user chooses, read as pairs sorted by key."""

    pattern: str
    value: Shape
    words: str

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the pairs."""
        if not isinstance(value, Mapping):
            return problems.refuse(path, value, f"must be a table; each of its keys is {self.words}")
        pairs = []
        for name, raw in value.items():
            if isinstance(raw, Mapping):
                whole = ".".join(_flat(name, raw))
                problems.refuse((*path, name), raw, f"a key with dots stands in quotes: {json.dumps(whole)} = …")
            elif not re.fullmatch(self.pattern, name):
                problems.refuse((*path, name), raw, f"must be {self.words}")
            else:
                pairs.append((name, self.value.read(raw, path=(*path, name), problems=problems)))
        return (
            BROKEN
            if len(pairs) < len(value) or any(read is BROKEN for _, read in pairs)
            else tuple(sorted(pairs, key=str))
        )

    def schema(self) -> Schema:
        """Return the JSON Schema of the form."""
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.pattern})$"},
            "additionalProperties": self.value.schema(),
        }


def _flat(name: str, table: Mapping[str, object]) -> Sequence[str]:
    """Return the parts of the first dotted key that a table was made from."""
    parts = [name]
    inner: object = table
    while isinstance(inner, Mapping) and inner:
        part = next(iter(inner))
        parts.append(str(part))
        inner = inner[part]
    return parts


@dataclass(frozen=True, slots=True)
class Switch:
    """A table, or only true or false, which stands for the table with `enabled` set so."""

    table: Table

    @property
    def words(self) -> str:
        """Return both forms in words."""
        return f"true, false or {self.table.words}"

    def read(self, value: object, *, path: Path, problems: Problems) -> object:
        """Return the table's value."""
        if isinstance(value, bool):
            return self.table.type(enabled=value)
        if isinstance(value, Mapping):
            return self.table.read(value, path=path, problems=problems)
        return problems.refuse(path, value, f"must be {self.words}")

    def schema(self) -> Schema:
        """Return the JSON Schema of both forms."""
        return {"anyOf": [Boolean().schema(), self.table.schema()]}
