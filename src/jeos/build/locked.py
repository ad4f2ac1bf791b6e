"""`appliance.lock` beside a recipe: read it, see whether it is up to date, write it, and say what changes.

state = locked.state(recipe, folder=folder)
lock = state.lock if state.current else locked.renew(recipe, folder=folder, ...)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jeos.build import changelog
from jeos.build.fetch import fetch
from jeos.build.resolve import inputs, resolve
from jeos.build.sources import SECURITY, Source
from jeos.core import files
from jeos.core.errors import InputError
from jeos.model.lock import Lock
from jeos.model.lock_text import Change, Difference, difference, dump, parse
from jeos.model.recipe import Recipe
from jeos.store.local import LocalStore

FILE_NAME = "appliance.lock"


@dataclass(frozen=True, slots=True)
class State:
    """The lock in a recipe's folder (None if there is none), and whether it is one of the recipe as it is now."""

    lock: Lock | None
    current: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """One change of version: whether it comes from Debian's security repository, and which CVE numbers it mends."""

    change: Change
    security: bool
    cves: tuple[str, ...]


def state(recipe: Recipe, *, folder: Path) -> State:
    """Return the lock in a folder, and whether it fits the recipe; asks no mirror. Raises InputError."""
    path = folder / FILE_NAME
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return State(lock=None, current=False)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is no lock: byte {error.start} is not UTF-8", hint="`jeos lock` writes it anew"
        ) from None
    lock = parse(text, source=str(path))
    return State(lock=lock, current=lock.inputs == inputs(recipe, folder=folder))


def renew(recipe: Recipe, *, folder: Path, cache: Path, upgrade: bool = False) -> Lock:
    """Return a lock for the recipe as it is now, and write nothing.

    What the lock in the folder has, if it can be read, is kept as far as the repositories still have it, unless
    `upgrade`. If no package changes, that lock's date is kept too, so that the image stays the same bit for bit.
    """
    try:
        old = state(recipe, folder=folder).lock
    except InputError:
        old = None
    new = resolve(recipe, folder=folder, cache=cache, keep=None if upgrade else old)
    if old is not None and (old.packages, old.suite) == (new.packages, new.suite):
        return replace(old, inputs=new.inputs)
    return new


def write(lock: Lock, *, folder: Path) -> None:
    """Write the lock into a recipe's folder."""
    files.write(folder / FILE_NAME, dump(lock))


def changes(old: Lock | None, new: Lock) -> Difference:
    """Return what changes from the older lock, if there is one."""
    return difference(old or replace(new, packages=()), new)


def notices(changed: Sequence[Change], *, lock: Lock, sources: Sequence[Source], store: LocalStore) -> list[Notice]:
    """Return the changes with what their changelogs say about security; fetches the new packages.

    One changelog is read for each source package: those of its other packages say the same.
    """
    fetch(replace(lock, packages=tuple(change.new for change in changed)), sources, store)
    texts: dict[str, str] = {}
    for change in changed:
        source = change.new.source
        if not texts.get(source):
            texts[source] = changelog.read(store.path(change.new.sha256), package=change.new.name)
    return [
        Notice(
            change=change,
            security=change.new.repository == SECURITY,
            cves=changelog.cves(texts[change.new.source], since=source_version(change.old.source, change.old.version)),
        )
        for change in changed
    ]


def source_version(source: str, version: str) -> str:
    """Return the version of a source package ("glibc 2.41-12"), or that of the package where it is not known."""
    return source.partition(" ")[2] or version
