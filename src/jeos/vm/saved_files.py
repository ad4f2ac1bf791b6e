"""The files of what was saved, and of templates: their names, and how a folder of them is deleted."""

import re
from pathlib import Path

from jeos.core import files

DEVICES, ABOUT = "memory", "saved.json"  # what devices (and an ordinary memory) held; the description, written last
RAM = "ram"  # the file that is a template's memory
CREDENTIALS = "credentials"  # the folder with the properties' values
PREFIX = "jeos-saved-"  # of the names of disks' states; the tag follows
PARTIAL = ".partial-"  # of the names of folders that are being made or deleted
TAG = re.compile(r"[0-9a-f]{16}")


def drop(folder: Path) -> None:
    """Delete a folder, which loses its name first: half of one is never seen."""
    if folder.is_dir():
        with files.temporary_folder(folder.parent, prefix=PARTIAL) as doomed:
            folder.rename(doomed / folder.name)
