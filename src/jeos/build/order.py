"""In which order packages are installed: what must be ready before what.

    for batch in batches(packages):
        …        # unpack all of it, then configure it in the order given

Source: Debian Policy, chapter 7 (Depends, Pre-Depends, Essential) and 6.5 (what a preinst may rely on).
"""

from collections.abc import Iterable, Iterator, Sequence

from jeos.build.dpkg_status import dependencies, provided
from jeos.build.unpack import Unpacked

FIRST = ("base-passwd", "base-files")  # accounts and the links of /usr, which all others take for granted


class Packages:
    """A set of packages that can be asked what each needs of the others."""

    def __init__(self, packages: Iterable[Unpacked]) -> None:
        self.by_name = {package.name: package for package in sorted(packages, key=lambda package: package.name)}
        self.fields = {
            name: {key.lower(): value for key, value in package.control.items()}
            for name, package in self.by_name.items()
        }
        self._providers: dict[str, list[str]] = {}
        for name, values in self.fields.items():
            for virtual in provided(values):
                self._providers.setdefault(virtual, []).append(name)

    def needs(self, name: str, *, only_before: bool = False) -> list[str]:
        """Return the packages of the set that one depends on (`only_before`: that its preinst relies on)."""
        values = self.fields[name]
        if only_before:
            values = {"pre-depends": values.get("pre-depends", "")}
        found = []
        for group in dependencies(values):
            for choice in group:
                if choice in self.by_name:
                    found.append(choice)
                    break
                if choice in self._providers:
                    found += self._providers[choice]
                    break
        return [other for other in found if other != name]

    def ordered(self, names: Iterable[str]) -> list[str]:
        """Return packages and all that they need, each after what it needs; a circle is opened where it was entered."""
        done: dict[str, None] = {}
        entered: set[str] = set()

        def visit(name: str) -> None:
            if name in entered:
                return
            entered.add(name)
            for other in self.needs(name):
                visit(other)
            done[name] = None

        for name in names:
            visit(name)
        return list(done)


def is_essential(package: Unpacked) -> bool:
    """Tell whether a package must work even unconfigured, and every package may take it for granted."""
    return package.control.get("Essential") == "yes"


def has(package: Unpacked, script: str) -> bool:
    """Tell whether a package has a maintainer script of this name."""
    return (package.scripts / script).exists()


def batches(packages: Sequence[Unpacked]) -> Iterator[list[Unpacked]]:
    """Yield the packages in groups, each of which is unpacked and configured before the next one is begun.

    The essential packages with what they need are the first group. After that a group ends only where a package's
    preinst relies on another package that has to be configured before.
    """
    known = Packages(packages)
    essential = [name for name, package in known.by_name.items() if is_essential(package)]
    first = known.ordered([name for name in FIRST if name in known.by_name and essential] + essential)
    if first:
        yield [known.by_name[name] for name in first]
    rest = [package for name, package in known.by_name.items() if name not in set(first)]
    for group in _split(rest):
        inner = Packages(group)
        yield [inner.by_name[name] for name in inner.ordered(inner.by_name)]


def _split(packages: Sequence[Unpacked]) -> Iterator[list[Unpacked]]:
    """Yield packages in groups so that what preinst scripts rely on comes in an earlier one."""
    known = Packages(packages)
    wanted = [
        other
        for name in known.by_name
        if has(known.by_name[name], "preinst")
        for other in known.needs(name, only_before=True)
    ]
    before = known.ordered(wanted)
    if any(has(known.by_name[name], "postinst") for name in before) and len(before) < len(known.by_name):
        yield from _split([known.by_name[name] for name in before])
        yield from _split([package for name, package in known.by_name.items() if name not in set(before)])
    elif packages:
        yield list(packages)
