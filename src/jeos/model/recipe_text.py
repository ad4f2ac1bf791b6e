"""Read a recipe from its text, and say at once everything that is wrong with it.

appliance.toml:3: pakages = ["nginx"]: there is no such key; did you mean packages?
appliance.toml:9: port.guest = 70000: must be a whole number from 1 to 65535
"""

import re
import tomllib
from collections.abc import Mapping, Sequence

from jeos.core.errors import InputError
from jeos.model.recipe import Recipe
from jeos.model.recipe_keys import RECIPE, elsewhere
from jeos.model.recipe_rules import problems as rule_problems
from jeos.model.recipe_shapes import Problems
from jeos.model.toml_lines import Path, lines_of

FILE_NAME = "appliance.toml"
HINT = "every key is described in docs/reference/recipe.md, and `jeos recipe reference` prints it"
PLACEHOLDERS = {"name": "unnamed", "version": "0"}  # so that the rules can look at a recipe without them


def parse(text: str, *, source: str) -> Recipe:
    """Return the recipe that a text describes; `source` is what messages call the text, mostly its path.

    Raises InputError with one line for each problem, in the order of the text's lines.
    """
    try:
        data = _load(text, source=source)
        problems = Problems(elsewhere=elsewhere)
        values = RECIPE.read_keys(data, path=(), problems=problems)
        recipe = Recipe(**{**PLACEHOLDERS, **values})  # type: ignore[arg-type]  # the shapes made them right
        problems.found.extend((_position(path, problems), text) for path, text in rule_problems(recipe))
        if problems.found:
            raise _report(problems.found, lines=lines_of(text.replace("\r\n", "\n")), source=source)
    except RecursionError:
        raise InputError(f"{source}: tables or lists are nested too deeply", hint=HINT) from None
    return recipe


def _position(path: Path, problems: Problems) -> Path:
    """Return the path in the text of a path in the recipe, which lacks the broken elements of lists."""
    if len(path) > 1 and isinstance(path[1], int) and path[:1] in problems.kept:
        return (path[0], problems.kept[path[:1]][path[1]][0], *path[2:])
    return path


def _load(text: str, *, source: str) -> Mapping[str, object]:
    """Return what the TOML text holds."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        reason = str(error)[: place.start()] if place else str(error)
        where = f":{place[1]}:{place[2]}" if place else ""
        raise InputError(
            f"{source}{where}: this is not TOML: {reason}", hint="see https://toml.io for the form"
        ) from None
    except ValueError:  # what int() says to thousands of digits, without a place
        raise InputError(f"{source}: this is not TOML: a number has too many digits", hint=HINT) from None


def _report(found: Sequence[tuple[Path, str]], *, lines: Mapping[Path, int], source: str) -> InputError:
    """Return the error that tells all problems."""
    placed = sorted({(_line(path, lines=lines), text): None for path, text in found})
    return InputError("\n".join(f"{source}:{line}: {text}" for line, text in placed), hint=HINT)


def _line(path: Path, *, lines: Mapping[Path, int]) -> int:
    """Return the line of a path, or of the nearest thing around it that the text names."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def line_of(text: str, path: Path) -> int:
    """Return the line of a key in a recipe's text: `("file", 0, "source")` is the first file's source."""
    return _line(path, lines=lines_of(text.replace("\r\n", "\n")))
