"""The files that a build leaves in `build/` beside the recipe, and how other verbs find them.

outputs = find(Path("examples/web"))
outputs.image.disk            # "web_1.0.img"
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from jeos.core.errors import InputError
from jeos.model import report as report_text
from jeos.model import tree_text
from jeos.model.image import Image, Partition, Port
from jeos.model.recipe import Property
from jeos.model.report import Report
from jeos.model.tree import Tree

FOLDER = "build"
FILES = ("disk", "kernel", "sbom", "tree", "report")  # what a description names of its own folder
PLAIN_NAME = re.compile(r"[^/\0]*[^/.\0][^/\0]*|")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one build left: `folder` holds the files that `image` names."""

    folder: Path
    image: Image

    @property
    def disk(self) -> Path:
        """Return the path of the disk image."""
        return self.folder / self.image.disk

    @property
    def kernel(self) -> Path:
        """Return the path of the unified kernel image."""
        return self.folder / self.image.kernel

    @property
    def sbom(self) -> Path:
        """Return the path of the bill of materials."""
        return self.folder / self.image.sbom

    def report(self) -> Report:
        """Read the build's report."""
        path = self.folder / self.image.report
        return report_text.parse(_text(path), source=str(path))

    def tree(self) -> Tree:
        """Read the tree of the system."""
        path = self.folder / self.image.tree
        return tree_text.parse(_text(path), source=str(path))


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")  # what is no text is refused for its form


def names(name: str, version: str) -> dict[str, str]:
    """Return the file names of a build by what they are."""
    stem = f"{name}_{version}"
    return {
        "disk": f"{stem}.img",
        "kernel": f"{stem}.efi",
        "sbom": f"{stem}.cdx.json",
        "tree": f"{stem}.tree.jsonl",
        "report": f"{stem}.report.json",
    }


def eula_name(name: str, version: str) -> str:
    """Return the file name of a build's licence, for a recipe that has one."""
    return f"{name}_{version}.eula.txt"


def dump_image(image: Image) -> str:
    """Return an image's description as JSON."""
    return json.dumps(asdict(image), indent=1) + "\n"


def parse_image(text: str, *, source: str) -> Image:
    """Return the image that a description tells of. Raises InputError if it is not one."""
    try:
        values = json.loads(text)
        for key in FILES:
            _check_name(key, values[key])
        _check_name("eula", values.get("eula", ""))
        return Image(
            **{
                **values,
                "partitions": tuple(Partition(**item) for item in values["partitions"]),
                "ports": tuple(Port(**item) for item in values["ports"]),
                "properties": tuple(
                    Property(**{**item, "choices": tuple(item["choices"])}) for item in values.get("properties", ())
                ),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{source} does not describe an image of this jeos", hint="run `jeos build` again") from error


def _check_name(key: str, value: object) -> None:
    if not isinstance(value, str) or not PLAIN_NAME.fullmatch(value):
        raise ValueError(f"{key} is no file's name")


def find(path: Path) -> Outputs:
    """Return a build's outputs: `path` is a recipe's folder, its appliance.toml, or an image's description.

    Of several versions in a folder, the one that was built last. Raises InputError if nothing has been built there.
    """
    if path.suffix == ".json" and path.is_file():
        return Outputs(folder=path.parent, image=parse_image(_text(path), source=str(path)))
    folder = (path if path.is_dir() else path.parent) / FOLDER
    found = [one for one in folder.glob("*_*.json") if not one.name.endswith((".cdx.json", ".report.json"))]
    if not found:
        from jeos.build import load  # brings the reader of recipes, for this alone

        recipe = load.find(path)
        where = "" if path == Path() else f" {path}"
        raise InputError(f"{recipe} has not been built yet", hint=f"run `jeos build{where}` first")
    latest = max(found, key=lambda one: one.stat().st_mtime_ns)
    return Outputs(folder=folder, image=parse_image(_text(latest), source=str(latest)))
