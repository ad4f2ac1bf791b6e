"""What is asked of a conversion and what came of it, as values; and the report as JSON, for `server.convert.json`."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from jeos.convert.changes import Fix
from jeos.convert.machine import Options
from jeos.convert.survey import Survey
from jeos.disk.formats.ordered import Effort
from jeos.model.hardware import Hardware

SUFFIX = ".convert.json"
FORMATS = ("qcow2", "raw", "vdi", "vhd", "vhdx", "vmdk")  # each has a module NAME_write in disk/formats
SUFFIXES = {"raw": ".img"}  # where it is not the format's own name
# Whose format it is, and so where a machine in it goes unless somebody says otherwise; the others are for virtio.
HOST_OF = {"vmdk": "vmware", "vhd": "hyperv", "vhdx": "hyperv", "vdi": "virtualbox"}


@dataclass(frozen=True, slots=True)
class Request:
    """What to make of a machine: `path` is the first disk's, the others are called after it.

    `size` is what the first disk is to grow to in bytes, 0 to leave it. Without `mend` nothing in the machine changes.
    """

    path: Path
    format: str = "qcow2"
    options: Options = field(default_factory=Options)
    effort: Effort = Effort.USUAL
    size: int = 0
    mend: bool = True
    force: bool = False


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of it, or, of a dry run, what would: `fixes` has those of each system of the survey.

    `origins` are the names of the source's disks, `disks` the files that were written, `notes` what is worth knowing.
    """

    name: str
    origins: tuple[str, ...]
    survey: Survey
    fixes: tuple[tuple[Fix, ...], ...]
    hardware: Hardware
    disks: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BootTest:
    """How the first start on the new home went: `reached` is "login", "agent", "port" or "", `reason` why not."""

    reached: str
    reason: str
    seconds: float
    accelerator: str
    console: str
    screen: str = ""
    screenshot: str = ""


def place(disk: Path) -> Path:
    """Return where the report on the machine with this first disk is written."""
    return disk.with_suffix(SUFFIX)


def disk_path(first: Path, number: int) -> Path:
    """Return the file of a disk, counted from 0: server.qcow2, server-2.qcow2, …"""
    return first if number == 0 else first.with_name(f"{first.stem}-{number + 1}{first.suffix}")


def as_data(found: Conversion, test: BootTest | None = None) -> dict[str, object]:
    """Return all that is known of a conversion for programs; of changes to files only the paths."""
    return {
        "name": found.name,
        "sources": found.origins,
        "disks": found.disks,
        "hardware": found.hardware,
        "fixes": [
            [
                {
                    "name": fix.name,
                    "title": fix.title,
                    "paths": sorted({change.path for change in fix.changes}),
                    "notes": fix.notes,
                    "cannot": fix.cannot,
                }
                for fix in fixes
            ]
            for fixes in found.fixes
        ],
        "survey": found.survey,
        "notes": found.notes,
        "boot_test": test,
    }


def text(found: Conversion, test: BootTest | None = None) -> str:
    """Return the report as JSON."""
    return json.dumps(_plain(as_data(found, test)), indent=2, ensure_ascii=False) + "\n"


def _plain(value: object) -> object:
    """Return a value as JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value.value if isinstance(value, Enum) else value
