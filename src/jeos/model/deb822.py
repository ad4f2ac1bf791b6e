"""Debian's way to write records as text (deb822(5)): stanzas of `Name: value` lines, empty lines between them.

>>> parse("Package: dbus\\nVersion: 1.16.2-2\\n\\nPackage: udev\\n")
[{'package': 'dbus', 'version': '1.16.2-2'}, {'package': 'udev'}]
"""

import re
from collections.abc import Iterator

_EMPTY_LINE = re.compile(r"\n[ \t]*\n")


def parse(text: str) -> list[dict[str, str]]:
    """Return the stanzas, each as its `fields`."""
    found = (fields(stanza) for stanza in stanzas(text))
    return [stanza for stanza in found if stanza]


def stanzas(text: str) -> Iterator[str]:
    """Yield the stanzas as they are written, each without the empty lines around it."""
    for stanza in _EMPTY_LINE.split(text):
        if stanza.strip():
            yield stanza.strip("\n")


def fields(stanza: str) -> dict[str, str]:
    """Return the fields of a stanza for reading: names in lower case, lines of a value stripped, joined by newlines.

    Comment lines are left out, and so are lines that no field can be made of.
    """
    return {name.lower(): "\n".join(line.strip() for line in value.split("\n")) for name, value in _fields(stanza)}


def written(stanza: str) -> dict[str, str]:
    """Return the fields of a stanza for writing it again: names and further lines as they are written, in order."""
    return dict(_fields(stanza))


def _fields(stanza: str) -> Iterator[tuple[str, str]]:
    name, value = "", ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in (" ", "\t"):
            value += f"\n{line.rstrip()}"
            continue
        key, colon, rest = line.partition(":")
        if colon and key.strip():
            if name:
                yield name, value
            name, value = key.strip(), rest.strip()
    if name:
        yield name, value
