"""Debian's way to write records as text (deb822(5)): stanzas of `Name: value` lines, empty lines between them.

>>> parse("Package: dbus\\nVersion: 1.16.2-2\\n\\nPackage: udev\\n")
[{'package': 'dbus', 'version': '1.16.2-2'}, {'package': 'udev'}]
"""

import re

_EMPTY_LINE = re.compile(r"\n[ \t]*\n")


def parse(text: str) -> list[dict[str, str]]:
    """Return the stanzas, each as its fields: names in lower case, lines of a value joined by newlines.

    Comment lines are left out, and so are lines that no field can be made of.
    """
    stanzas = (_fields(part) for part in _EMPTY_LINE.split(text))
    return [stanza for stanza in stanzas if stanza]


def _fields(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in (" ", "\t"):
            if name:
                fields[name] += "\n" + line.strip()
            continue
        key, colon, value = line.partition(":")
        if colon and key.strip():
            name = key.strip().lower()
            fields[name] = value.strip()
    return fields
