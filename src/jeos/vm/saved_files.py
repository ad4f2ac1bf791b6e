"""The files of what was saved, and of templates: their names, how they are completed and deleted, what a disk keeps."""

import json
import re
from dataclasses import replace
from pathlib import Path

from jeos.core import files
from jeos.core.run import run
from jeos.model.saved import Saved, saved_text

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


def information(disk: Path) -> dict[str, object]:
    """Return what `qemu-img` tells of a disk that no QEMU has open."""
    found: dict[str, object] = json.loads(run(["qemu-img", "info", "-f", "qcow2", "--output", "json", disk]).stdout)
    return found


def states(disk: Path) -> list[str]:
    """Return the names of the states that a disk keeps."""
    return [str(one["name"]) for one in information(disk).get("snapshots", ())]  # type: ignore[attr-defined]


def complete(work: Path, saved: Saved, *, credentials: Path) -> Saved:
    """Add to a folder with what devices held the properties and, last, the description, which is returned."""
    found = replace(saved, size=(work / DEVICES).stat().st_blocks * 512)
    if saved.machine.properties:
        (work / CREDENTIALS).mkdir(mode=0o700)
        for one in credentials.iterdir():
            files.write(work / CREDENTIALS / one.name, one.read_bytes(), mode=0o600)
    files.write(work / ABOUT, saved_text(found), mode=0o600)
    return found
