"""Where this host keeps its UEFI firmware for virtual machines; each distribution has its own place for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import HostError


@dataclass(frozen=True, slots=True)
class Firmware:
    """A firmware: its code, which machines share, and the template of its variables, which each machine copies."""

    code: Path
    variables: Path


# Without Secure Boot's keys and without SMM, which TCG is slow at; the first pair that is there is taken.
KNOWN = (
    Firmware(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),  # Debian, Ubuntu
    Firmware(Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),  # Debian 11, old Ubuntu
    Firmware(Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd")),  # Fedora, RHEL
    Firmware(Path("/usr/share/edk2/x64/OVMF_CODE.4m.fd"), Path("/usr/share/edk2/x64/OVMF_VARS.4m.fd")),  # Arch
    Firmware(Path("/usr/share/edk2-ovmf/x64/OVMF_CODE.fd"), Path("/usr/share/edk2-ovmf/x64/OVMF_VARS.fd")),  # old Arch
    Firmware(Path("/usr/share/qemu/ovmf-x86_64-code.bin"), Path("/usr/share/qemu/ovmf-x86_64-vars.bin")),  # openSUSE
    Firmware(Path("/usr/share/edk2-ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2-ovmf/OVMF_VARS.fd")),  # Gentoo
    Firmware(Path("/usr/share/qemu/edk2-x86_64-code.fd"), Path("/usr/share/qemu/edk2-i386-vars.fd")),  # QEMU's own
)


def find(known: Sequence[Firmware] = KNOWN) -> Firmware:
    """Return the first firmware whose two files are there; raises HostError if there is none."""
    for firmware in known:
        if firmware.code.is_file() and firmware.variables.is_file():
            return firmware
    raise HostError(
        "no UEFI firmware for virtual machines is installed",
        hint="sudo apt-get install ovmf, or start without it: jeos run --direct",
    )
