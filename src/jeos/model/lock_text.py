"""The lock as text, `appliance.lock`: JSON with one package a line, sorted, so that `diff` shows what changed.

A lock may come from anywhere, so reading it trusts nothing: what is no plain relative path, no SHA-256 or no sane
size is refused before it is used for anything.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.model.lock import FORMAT, Lock, LockedPackage, Role

HINT = "`jeos lock` writes it anew"
LARGEST_PACKAGE = 16 << 30  # bytes; more than any .deb can be useful for
LATEST_DATE = 1 << 33  # seconds since 1970: the year 2242
LARGEST_LOCK = 64 << 20  # characters; a hundred thousand packages

# The forms of the fields: deb-control(5) for names and versions; a path's parts must not be "." or "..".
_FORMS = {
    "name": r"[a-z0-9][a-z0-9+.-]+",
    "version": r"(?:[0-9]+:)?[A-Za-z0-9.+~-]+",
    "architecture": r"[a-z0-9-]+",
    "repository": r"[A-Za-z0-9][A-Za-z0-9._-]*",
    "path": r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9%+.,:=@_~^-]+(?:/[A-Za-z0-9%+.,:=@_~^-]+)*",
    "sha256": r"[0-9a-f]{64}",
    "source": r"(?:[a-z0-9][a-z0-9+.-]+ (?:[0-9]+:)?[A-Za-z0-9.+~-]+)?",
    "suite": r"[A-Za-z0-9][A-Za-z0-9./_-]*",
    "inputs": r"[0-9a-f]{64}",
}
_PACKAGE_TEXTS = ("name", "version", "architecture", "repository", "path", "sha256", "source")


@dataclass(frozen=True, slots=True)
class Change:
    """A package that is another version in the new lock."""

    old: LockedPackage
    new: LockedPackage


@dataclass(frozen=True, slots=True)
class Difference:
    """What a new lock has that the old one had not, the other way round, and in another version."""

    added: tuple[LockedPackage, ...]
    removed: tuple[LockedPackage, ...]
    changed: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def dump(lock: Lock) -> str:
    """Return the lock as text; equal locks give equal text."""
    head = {"format": FORMAT, "suite": lock.suite, "architecture": lock.architecture, "inputs": lock.inputs}
    lines = [f'  "{name}": {json.dumps(value)},' for name, value in {**head, "date": lock.date}.items()]
    packages = ",\n".join(f"    {json.dumps(_fields(package))}" for package in sorted(lock.packages))
    return "\n".join(["{", *lines, '  "packages": [', *([packages] if packages else []), "  ]", "}", ""])


def parse(text: str, *, source: str) -> Lock:
    """Return the lock that a text holds; `source` is the file's name, for messages.

    Raises InputError if anything in it is not of the form that `dump` writes.
    """
    if len(text) > LARGEST_LOCK:
        raise InputError(f"{source} is too large to be a lock: {len(text)} characters", hint=HINT)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source} is no lock: {error}", hint=HINT) from None
    if not isinstance(value, dict):
        raise InputError(f"{source} is no lock: it holds no JSON object", hint=HINT)
    if value.get("format") != FORMAT:
        raise InputError(f"{source} has the format {value.get('format')!r}, not {FORMAT}", hint=HINT)
    packages = value.get("packages")
    if not isinstance(packages, list):
        raise InputError(f"{source} has no list of packages", hint=HINT)
    return Lock(
        suite=_text(value, "suite", where=source),
        architecture=_text(value, "architecture", where=source),
        inputs=_text(value, "inputs", where=source),
        date=_number(value, "date", where=source, largest=LATEST_DATE),
        packages=tuple(
            sorted(_package(raw, where=f"{source}, package {n}") for n, raw in enumerate(packages, start=1))
        ),
    )


def difference(old: Lock, new: Lock) -> Difference:
    """Return what changes from one lock to another; a kernel of another version is a change, not a new package."""
    before, after = _by_place(old.packages), _by_place(new.packages)
    changed = [
        Change(old=before[place], new=after[place])
        for place in sorted(before.keys() & after.keys())
        if (before[place].version, before[place].sha256) != (after[place].version, after[place].sha256)
    ]
    return Difference(
        added=tuple(after[place] for place in sorted(after.keys() - before.keys())),
        removed=tuple(before[place] for place in sorted(before.keys() - after.keys())),
        changed=tuple(changed),
    )


def _by_place(packages: Iterable[LockedPackage]) -> dict[tuple[str, str], LockedPackage]:
    """Return packages by what they are in the appliance: only one kernel is in it, whatever its name."""
    places = {}
    for package in sorted(packages):
        kernel = package.role is Role.KERNEL
        flavour = "cloud" if "-cloud-" in package.name else "generic"
        # The application may carry a newer version of a package of the base: both stand in the lock.
        layer = "application" if package.role is Role.APP else "system"
        places[(f"linux-image {flavour}" if kernel else package.name, layer)] = package
    return places


def _fields(package: LockedPackage) -> dict[str, object]:
    return {name: getattr(package, name) for name in LockedPackage.__slots__}


def _package(raw: object, *, where: str) -> LockedPackage:
    if not isinstance(raw, dict):
        raise InputError(f"{where} is no JSON object", hint=HINT)
    texts = {name: _text(raw, name, where=where) for name in _PACKAGE_TEXTS}
    try:
        role = Role(str(raw.get("role")))
    except ValueError:
        raise InputError(f"{where} has the role {raw.get('role')!r}", hint=HINT) from None
    return LockedPackage(role=role, size=_number(raw, "size", where=where, largest=LARGEST_PACKAGE), **texts)


def _text(raw: Mapping[str, object], name: str, *, where: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not re.fullmatch(_FORMS[name], value, re.ASCII):
        raise InputError(f"{where} has a wrong {name}: {value!r}", hint=HINT)
    return value


def _number(raw: Mapping[str, object], name: str, *, where: str, largest: int) -> int:
    value = raw.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
        raise InputError(f"{where} has a wrong {name}: {value!r}", hint=HINT)
    return value
