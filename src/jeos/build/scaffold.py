"""Folders to start from: each template is a folder of this package with a recipe and what it names.

A template's text files may hold `@NAME@`, which becomes the appliance's name; a file whose name ends in `.in` loses
that ending (a program among the templates would otherwise count as a part of jeos).
"""

import re
import shutil
from pathlib import Path

from jeos.core import files
from jeos.core.errors import UsageError
from jeos.model.recipe_text import FILE_NAME
from jeos.model.recipe_texts import NAME

TEMPLATES = Path(__file__).with_name("templates")
PLACEHOLDER = b"@NAME@"
IGNORED = "/build/\n/channel/\n/keys/*/\n"  # what git leaves alone: what was built and published, and private keys


def templates() -> dict[str, str]:
    """Return the templates' names, each with the summary in its recipe."""
    found = {}
    for recipe in sorted(TEMPLATES.glob(f"*/{FILE_NAME}")):
        summary = re.search(r'^summary = "(.*)"$', recipe.read_text(), re.MULTILINE)
        found[recipe.parent.name] = summary[1] if summary else ""
    return found


def make(folder: Path, *, name: str, template: str) -> list[Path]:
    """Fill a new folder from a template, and return the files written.

    Raises UsageError if there is no such template, if the name is none for an appliance, or if the folder holds
    anything already.
    """
    if template not in templates():
        raise UsageError(f"there is no template {template}", hint=f"there are {', '.join(templates())}")
    if not re.fullmatch(NAME.pattern, name):
        raise UsageError(f"{name} cannot be an appliance's name", hint=f"a name is {NAME.words}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already, and not empty", hint="choose another name, or another --folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with files.temporary_folder(folder.parent, prefix=f".{folder.name}-") as temporary:
        written = _fill(temporary / "new", TEMPLATES / template, name=name)
        (temporary / "new").rename(folder)
    return [folder / path for path in written]


def _fill(folder: Path, template: Path, *, name: str) -> list[Path]:
    """Copy a template to a folder that is not there yet; return the paths of files, relative to it."""
    written = []
    for source in sorted(path for path in template.rglob("*") if path.is_file()):
        relative = source.relative_to(template)
        relative = relative.with_name(relative.name.removesuffix(".in"))
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes().replace(PLACEHOLDER, name.encode()))
        shutil.copymode(source, target)
        written.append(relative)
    (folder / ".gitignore").write_text(IGNORED)
    return [*written, Path(".gitignore")]
