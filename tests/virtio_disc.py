"""A disc like virtio-win.iso, with files that look like drivers as far as conversions look at them."""

import struct
import subprocess
from pathlib import Path

MICROSOFT = b"Microsoft Windows Third Party Component CA 2014"
VENDOR = b"Red Hat, Inc."


def driver(name: str, *, signer: bytes = MICROSOFT, machine: int = 0x8664) -> bytes:
    """Return a PE file without code, with a table of certificates that names a signer."""
    header = 0x80
    optional = struct.pack("<H", 0x20B).ljust(112, b"\0") + bytes(16 * 8)
    start = header + 24 + len(optional)
    certificate = b"\x30\x82" + signer + name.encode()
    optional = optional[: 112 + 32] + struct.pack("<II", start, len(certificate)) + optional[112 + 40 :]
    stub = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", header)
    return stub.ljust(header, b"\0") + b"PE\0\0" + struct.pack("<H", machine).ljust(20, b"\0") + optional + certificate


def make(
    folder: Path,
    *,
    releases: tuple[str, ...] = ("2k22", "w10", "w11"),
    names: tuple[str, ...] = ("viostor", "vioscsi", "NetKVM", "Balloon"),
    signer: bytes = MICROSOFT,
    agent: bool = True,
) -> Path:
    """Make a disc with drivers for some versions of Windows; return the file that holds it."""
    source = folder / "virtio-win"
    for name in names:
        for release in releases:
            place = source / name / release / "amd64"
            place.mkdir(parents=True)
            lower = name.lower()
            (place / f"{lower}.sys").write_bytes(driver(f"{name} {release}", signer=signer))
            (place / f"{lower}.inf").write_bytes(f"; {name} for {release}\r\n".encode())
            (place / f"{lower}.cat").write_bytes(b"catalogue")
            (place / f"{lower}.pdb").write_bytes(b"symbols" * 1000)
    if agent:
        (source / "guest-agent").mkdir(parents=True)
        (source / "guest-agent" / "qemu-ga-x86_64.msi").write_bytes(b"installer")
    disc = folder / "virtio-win.iso"
    command: list[str | Path] = [
        "xorriso",
        "-as",
        "mkisofs",
        "-quiet",
        "-J",
        "-R",
        "-V",
        "virtio-win",
        "-o",
        disc,
        source,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return disc
