"""A tree as text: JSON, one entry a line, sorted as the tree is; fields that have their usual value are left out.

{"jeos-tree": 1}
{"path": "", "kind": "directory"}
{"path": "usr/bin/env", "kind": "file", "size": 48144, "digest": "9c1f…"}
"""

import json
from dataclasses import fields

from jeos.core.errors import InputError
from jeos.model.tree import Entry, Kind, Tree

FORMAT = 1
_DEFAULTS = {field.name: field.default for field in fields(Entry)}
_TEXTS = ("path", "digest", "target", "hardlink")
_NUMBERS = ("mode", "uid", "gid", "mtime", "size")


def dump(tree: Tree) -> str:
    """Return a tree as text."""
    lines = [json.dumps({"jeos-tree": FORMAT})]
    for entry in tree:
        values: dict[str, object] = {"path": entry.path, "kind": entry.kind.value}
        for name in ("mode", "uid", "gid", "mtime", "size", "digest", "target", "hardlink"):
            value = getattr(entry, name)
            if value != _DEFAULTS[name]:
                values[name] = value
        if entry.device != (0, 0):
            values["device"] = list(entry.device)
        if entry.xattrs:
            values["xattrs"] = {name: value.hex() for name, value in entry.xattrs}
        lines.append(json.dumps(values, ensure_ascii=True))
    return "\n".join(lines) + "\n"


def parse(text: str, *, source: str) -> Tree:
    """Return the tree that `text` holds. Raises InputError, with `source` and the line, if it is not one."""
    lines = text.splitlines()
    try:
        if json.loads(lines[0]) != {"jeos-tree": FORMAT}:
            raise ValueError("an unknown format")
    except (IndexError, ValueError, RecursionError) as error:
        raise InputError(f"{source} is not a tree that this jeos can read", hint="build again") from error
    entries = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            entries.append(_entry(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{source}, line {number}: not an entry of a tree", hint="build again") from error
    return Tree.of(entries)


def _entry(values: dict[str, object]) -> Entry:
    known = {"path", "kind", "device", "xattrs", *_TEXTS, *_NUMBERS}
    if set(values) - known:
        raise ValueError("unknown fields")
    texts = {name: _text(values.get(name, "")) for name in _TEXTS}
    numbers = {name: _number(values.get(name, _DEFAULTS[name])) for name in _NUMBERS}
    device = values.get("device", [0, 0])
    xattrs = values.get("xattrs", {})
    if not isinstance(device, list) or not isinstance(xattrs, dict):
        raise TypeError("device or xattrs")
    major, minor = (_number(part) for part in device)
    texts["path"].encode("utf-8", "surrogateescape")  # a name that is no bytes raises UnicodeEncodeError
    return Entry(
        path=texts["path"],
        kind=Kind(_text(values["kind"])),
        mode=numbers["mode"],
        uid=numbers["uid"],
        gid=numbers["gid"],
        mtime=numbers["mtime"],
        size=numbers["size"],
        digest=texts["digest"],
        target=texts["target"],
        device=(major, minor),
        xattrs=tuple(sorted((name, bytes.fromhex(value)) for name, value in xattrs.items())),
        hardlink=texts["hardlink"],
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("not a number")
    return value
