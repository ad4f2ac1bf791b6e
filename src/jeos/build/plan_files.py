"""What a recipe's [[file]] tables put into the image."""

import stat
from collections.abc import Iterator
from pathlib import Path

from jeos.build.items import Item
from jeos.core.errors import InputError
from jeos.model.recipe import FileRule, Recipe
from jeos.model.tree import Kind

PLAIN, EXECUTABLE = 0o644, 0o755


def plan(recipe: Recipe, *, folder: Path) -> list[Item]:
    """Return the items of all file tables, in the recipe's order; `folder` is the recipe's.

    Raises InputError if a source is missing, or is neither file, folder nor symbolic link.
    """
    return [item for rule in recipe.files for item in items_of(rule, folder=folder)]


def explicit_directories(recipe: Recipe) -> list[Item]:
    """Return the directories whose owner and mode the recipe sets even where they are there already."""
    return [_directory(rule, path=rule.target.strip("/")) for rule in recipe.files if rule.directory]


def items_of(rule: FileRule, *, folder: Path) -> Iterator[Item]:
    """Yield the items of one table."""
    path = rule.target.strip("/")
    if rule.directory:
        yield _directory(rule, path=path)
    elif rule.content is not None:
        yield Item(
            path=path,
            mode=PLAIN if rule.mode is None else rule.mode,
            owner=rule.owner,
            group=rule.group,
            content=rule.content.encode(),
        )
    else:
        yield from _copied(rule, source=folder / rule.source, path=path)


def _directory(rule: FileRule, *, path: str) -> Item:
    return Item(path=path, kind=Kind.DIRECTORY, mode=rule.directory_mode, owner=rule.owner, group=rule.group)


def _copied(rule: FileRule, *, source: Path, path: str) -> Iterator[Item]:
    """Yield what a source on the host becomes: links stay links, folders come with all that they hold."""
    try:
        status = source.lstat()
    except FileNotFoundError:
        raise InputError(f"there is no {source}, which {rule.target} is to be made from") from None
    if stat.S_ISLNK(status.st_mode):
        target = str(source.readlink())
        yield Item(path=path, kind=Kind.SYMLINK, mode=0o777, owner=rule.owner, group=rule.group, target=target)
    elif stat.S_ISREG(status.st_mode):
        usual = EXECUTABLE if status.st_mode & stat.S_IXUSR else PLAIN
        mode = usual if rule.mode is None else rule.mode
        yield Item(path=path, mode=mode, owner=rule.owner, group=rule.group, source=source)
    elif stat.S_ISDIR(status.st_mode):
        if path:
            yield _directory(rule, path=path)
        for inner in sorted(source.iterdir(), key=lambda entry: entry.name):
            yield from _copied(rule, source=inner, path=f"{path}/{inner.name}".lstrip("/"))
    else:
        raise InputError(
            f"{source} is neither a file, a folder nor a symbolic link", hint="take it out of the recipe's folder"
        )
