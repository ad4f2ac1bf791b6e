"""Files of sections with keys, as systemd and NetworkManager write them: keys may stand several times.

for section in sections("[Match]\\nName=ens192\\n"):
    section.name, section.get("Name")
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """A section and its keys in their order."""

    name: str
    items: tuple[tuple[str, str], ...]

    def get(self, key: str) -> str:
        """Return the last value of a key, "" without one."""
        return next((value for name, value in reversed(self.items) if name == key), "")

    def all(self, key: str) -> tuple[str, ...]:
        """Return all values of a key; an empty one forgets those before it, as in systemd."""
        found: list[str] = []
        for name, value in self.items:
            if name == key:
                found = [*found, value] if value else []
        return tuple(found)


def sections(text: str) -> Iterator[Section]:
    """Yield the sections of a file in their order; what is not in that form is passed over."""
    name = ""
    items: list[tuple[str, str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            if name:
                yield Section(name, tuple(items))
            name, items = line[1:-1], []
        elif line and not line.startswith(("#", ";")):
            key, sign, value = line.partition("=")
            if sign:
                items.append((key.strip(), value.strip()))
    if name:
        yield Section(name, tuple(items))
