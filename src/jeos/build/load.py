"""Find a folder's recipe and read it, with every file that it names in place."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from jeos.build import eula
from jeos.core.errors import InputError
from jeos.model.recipe import Recipe
from jeos.model.recipe_text import FILE_NAME, line_of, parse
from jeos.model.toml_lines import Path as KeyPath


def find(place: Path) -> Path:
    """Return the path of the recipe in a folder, or of the recipe that `place` itself is.

    Raises InputError if there is none.
    """
    path = place / FILE_NAME if place.is_dir() else place
    if path.is_file():
        return path
    if place.is_dir():
        raise InputError(
            f"there is no {FILE_NAME} in {place.absolute()}", hint="make one with `jeos new NAME`, or go where one is"
        )
    raise InputError(f"there is no recipe {place}", hint="name a folder with an appliance.toml, or the file itself")


def load(place: Path, *, sources: bool = True) -> Recipe:
    """Return the recipe in a folder, or in the file that `place` is.

    `sources` also looks whether every file that the recipe names is there. Raises InputError with all that is wrong.
    """
    path = find(place)
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8", hint="save the file as UTF-8") from None
    recipe = parse(text, source=str(path))
    if sources:
        missing = sorted(
            (line_of(text, key), name)
            for key, name in named_files(recipe)
            if not (path.parent / name).exists() and not (path.parent / name).is_symlink()
        )
        if missing:
            lines = "\n".join(f'{path}:{line}: "{name}": there is no such file' for line, name in missing)
            raise InputError(lines, hint=f"paths are relative to {path.parent.absolute()}")
    if sources and recipe.eula:
        eula.read(path.parent / recipe.eula)
    if recipe.slim.skip:
        check_rules(recipe.slim.skip, where=f"{path}:{line_of(text, ('slim', 'skip'))}")
    return recipe


def check_rules(names: Sequence[str], *, where: str) -> None:
    """Raise InputError for a name that no rule of slim has."""
    from jeos.build.slim_rules import RULES  # many rules, for the few recipes that skip one

    known = sorted(rule.name for rule in RULES)
    for name in names:
        if name not in known:
            raise InputError(
                f'{where}: skip = "{name}": slim has no such rule', hint=f"its rules are {', '.join(known)}"
            )


def named_files(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Yield the key and the path of everything in the recipe's folder that the recipe names."""
    for key, name in (("keyring", recipe.keyring), ("eula", recipe.eula)):
        if name:
            yield (key,), name
    for key, names in (("debs", recipe.debs), ("wheels", recipe.wheels)):
        for position, name in enumerate(names):
            yield (key, position), name
    for position, repository in enumerate(recipe.repositories):
        yield ("repository", position, "key"), repository.key
    for position, rule in enumerate(recipe.files):
        if rule.source:
            yield ("file", position, "source"), rule.source
    if recipe.secure_boot:
        yield ("secure-boot", "key"), recipe.secure_boot.key
        yield ("secure-boot", "certificate"), recipe.secure_boot.certificate
    if recipe.update:
        yield ("update", "root"), recipe.update.root
    for key, name in (("readme", recipe.catalogue.readme), ("changes", recipe.catalogue.changes)):
        if name:
            yield ("catalogue", key), name
