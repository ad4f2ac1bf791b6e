"""What an appliance has of Python packages to check signed metadata, laid out in a folder: nothing else is there."""

import shutil
from pathlib import Path

import jeos
from jeos.trust import shipped

PACKAGE = Path(jeos.__file__).parent
# What build/guest_modules.py finds by following imports.
OURS = (
    "__init__.py",
    "core/__init__.py",
    "core/errors.py",
    "core/files.py",
    "trust/__init__.py",
    "trust/client.py",
    "trust/crypto.py",
    "trust/errors.py",
    "trust/trusted.py",
)


def install(folder: Path) -> None:
    """Put the files into a folder, which then is the only place that modules come from: `python3 -IS`."""
    for name, path in (*((f"jeos/{name}", PACKAGE / name) for name in OURS), *shipped.third_party()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name)
