"""Disks that jeos did not build: which of the formats that QEMU starts they have, and what they must not bring.

A qcow2 file can name other files: one that it lies over, and one that has its data. QEMU would open both with our
rights, and the guest would read them: so a disk that names any is refused. Its header is read here, because
`qemu-img info` opens the data file, too. Source: QEMU, docs/interop/qcow2.txt, "Header".
"""

import shlex
import struct
from pathlib import Path

from jeos.core.errors import InputError

MAGIC = b"QFI\xfb"
VERSIONS = (2, 3)
HEADER = struct.Struct(">4sIQI 12x I")  # magic, version, offset and length of the backing file's name, encryption
FEATURES_AT = 72  # where version 3 has its incompatible features, 8 bytes
EXTERNAL_DATA = 1 << 2
SUFFIX = ".qcow2"
WHOLE = f"-whole{SUFFIX}"
OTHERS = {".vmdk": "VMDK", ".vhd": "VHD", ".vpc": "VHD", ".vhdx": "VHDX", ".vdi": "VDI", ".ova": "OVA", ".qcow": "qcow"}
READ = ("VMDK", "VHD", "VHDX", "VDI", "OVA")  # by `jeos convert`


def disk_format(path: Path) -> str:
    """Return "qcow2" for a disk whose name ends so, else "raw": a guest can write any magic at the start of a raw one.

    Raises InputError if the disk cannot be read, is in another format, begins otherwise than its name says, or
    names files of this host.
    """
    other = OTHERS.get(path.suffix.lower())
    if other:
        raise InputError(f"{path} is a disk in {other} format", hint=_hint(path) if other in READ else _qemu_img(path))
    try:
        with path.open("rb") as file:
            header = file.read(FEATURES_AT + 8)
    except OSError as error:
        raise InputError(
            f"the disk {path} cannot be read: {error.strerror}", hint="build it again with `jeos build`"
        ) from None
    named = path.suffix.lower() == SUFFIX
    if named != header.startswith(MAGIC):
        begins = "does not begin as one" if named else f"begins as a qcow2 disk, but its name does not end in {SUFFIX}"
        raise InputError(f"{path} {begins}", hint="`qemu-img info` tells what it is; a wrong name is mended by `mv`")
    if not named:
        return "raw"
    _check_qcow2(path, header)
    return "qcow2"


def _check_qcow2(path: Path, header: bytes) -> None:
    if len(header) < FEATURES_AT + 8:
        raise InputError(f"{path} is cut off", hint="copy it again")
    _, version, backing, _, encrypted = HEADER.unpack_from(header)
    features = int.from_bytes(header[FEATURES_AT:], "big") if version > 2 else 0
    if version not in VERSIONS:
        raise InputError(f"{path} is a qcow2 disk of version {version}, which is not known", hint=_qemu_img(path))
    whole = "if you trust where it is from, make it one file: " + _hint(path)
    if backing:
        raise InputError(f"{path} lies over another file of this host, and would show it to the machine", hint=whole)
    if features & EXTERNAL_DATA:
        raise InputError(f"{path} has its data in another file of this host", hint=whole)
    if encrypted:
        raise InputError(f"{path} is encrypted", hint=_qemu_img(path))


def _hint(path: Path) -> str:
    """Return the command that makes of what jeos reads a machine that starts here."""
    return f"jeos convert {shlex.quote(str(path))} -o {shlex.quote(path.stem + WHOLE)}"


def _qemu_img(path: Path) -> str:
    """Return the command for what only QEMU reads."""
    return f"qemu-img convert -O qcow2 {shlex.quote(str(path))} {shlex.quote(path.stem + WHOLE)}"
