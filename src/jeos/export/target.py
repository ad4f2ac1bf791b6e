"""What a target is: a module of `export/targets/` with `HELP`, `SUFFIX`, `PACKED`, `write` and `open`.

A target that is added there is found by its file's name, and needs no other place to be named in.
"""

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import BinaryIO, Protocol, cast

from jeos.core.errors import UsageError
from jeos.disk.blocks import Blocks
from jeos.disk.formats.ordered import Effort
from jeos.disk.ovf_certificate import Signatory
from jeos.export.source import Source

PACKAGE = "jeos.export.targets"


class Hardware(StrEnum):
    """The devices that an OVA asks for."""

    VMWARE = "vmware"  # paravirtual ones, which Debian's kernel for clouds has drivers for
    PLAIN = "plain"  # those of real machines, which every hypervisor imitates


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be written; what a target has no use for it leaves alone.

    `manifest` is the algorithm of digests that an OVA gets, as hashlib calls it.
    """

    effort: Effort = Effort.USUAL
    manifest: str = "sha256"
    signatory: Signatory | None = None
    hardware: Hardware | None = None


class Target(Protocol):
    """A module that writes one kind of file."""

    HELP: str
    SUFFIX: str  # of the file's name
    PACKED: bool  # what is written is compressed

    def write(self, source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
        """Write into an empty file that can be read and sought in; return what its user should be warned of."""
        ...

    def open(self, blocks: Blocks) -> Blocks:
        """Return the disk in a file that was written, to compare it with what it was made of."""
        ...


def names() -> list[str]:
    """Return the names of all targets."""
    package = import_module(PACKAGE)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load(name: str) -> Target:
    """Return a target. Raises UsageError if there is none of that name."""
    known = names()
    if name not in known:
        import difflib  # only for this message

        near = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"there is no target {name}", hint=f"{meant}there are: {', '.join(known)}")
    return cast(Target, import_module(f"{PACKAGE}.{name}"))
