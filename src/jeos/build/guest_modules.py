"""Which Python modules go into an image: found by following what they import, so that no list can be wrong.

    chosen = modules(updates=False)      # {"jeos/__init__.py": Path(…), "jeos/agent/__init__.py": Path(…), …}

What updates a guest is large and wanted only where there is a channel. A module of the agent belongs to it if it
imports `jeos.update` right away; the others import such a module only inside a function, if at all. With it go the
parts of python-tuf and securesystemslib, pure Python both, that check signed metadata.
"""

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import jeos
from jeos.trust import shipped

PACKAGE = Path(jeos.__file__).parent
AGENT = PACKAGE / "agent"
UPDATE = "jeos.update"


def modules(*, updates: bool) -> dict[str, Path]:
    """Return the files of all modules that an image needs, by their sorted paths below a folder of modules."""
    agent = sorted(AGENT.glob("*.py"))
    left_out = set() if updates else {path for path in agent if _updates(path)}
    waiting = [*agent, *(sorted(PACKAGE.glob("update/*.py")) if updates else ())]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found and path not in left_out:
            found.add(path)
            waiting += [*_imported(path), *_packages_of(path)]
    own = {str(path.relative_to(PACKAGE.parent)): path for path in found}
    return dict(sorted([*own.items(), *(shipped.third_party() if updates else ())]))


def _packages_of(path: Path) -> Iterator[Path]:
    """Yield what Python runs of the packages around a module before the module itself."""
    return (folder / "__init__.py" for folder in path.parents if folder == PACKAGE or PACKAGE in folder.parents)


def _updates(path: Path) -> bool:
    return any(name == UPDATE or name.startswith(f"{UPDATE}.") for name in _names(_parse(path).body))


@functools.cache
def _imported(path: Path) -> tuple[Path, ...]:
    """Return the files of jeos that a module imports, at whatever time."""
    names = _names(ast.walk(_parse(path)))
    return tuple(dict.fromkeys(file for name in names if (file := _file(name)) is not None))


@functools.cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names that import statements are about, also where it is open whether they are modules."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(name: str) -> Path | None:
    """Return the file of a module by its name; None if it is not one of ours, or no module."""
    first, *rest = name.split(".")
    if first != PACKAGE.name:
        return None
    place = PACKAGE.joinpath(*rest)
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if rest and file.is_file()), None)
