"""QEMU started by hand, without jeos: a disk on whatever hardware, and what it says on its serial port and its screen.

    with BareMachine(folder, disk, hardware=VIRTIO) as machine:
        assert machine.until(LOGIN, FAILURE, patience=300) == FAILURE

The screen is read as text, from the memory that a VGA card shows in its text mode (0xb8000).
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

SCREEN, SCREEN_BYTES = 0xB8000, 80 * 25 * 2  # a character and its colour, each
MEMORY = "768"  # MiB
POLL_SECONDS = 0.5
PATIENCE = 600.0  # seconds; a guest is emulated, beside whatever else runs here

VIRTIO = (
    *("-drive", "file={disk},format=qcow2,if=none,id=disk", "-device", "virtio-blk-pci,drive=disk,bootindex=0"),
    *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="),
)
# What VMware gives a machine; a slot of that number is what makes udev call the card ens192.
VMWARE = (
    *("-device", "pvscsi", "-drive", "file={disk},format=qcow2,if=none,id=disk"),
    *("-device", "scsi-hd,drive=disk,bootindex=0"),
    *("-device", "pcie-root-port,id=slot192,chassis=1,slot=192"),
    *("-netdev", "user,id=net", "-device", "vmxnet3,netdev=net,bus=slot192,romfile="),
)


class BareMachine:
    """A running QEMU, with the disk under an overlay that goes with it."""

    def __init__(
        self, folder: Path, disk: Path, *, hardware: Sequence[str] = VIRTIO, form: str = "raw", uefi: bool = False
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        overlay = folder / "overlay.qcow2"
        create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(disk.absolute()), "-F", form, str(overlay)]
        subprocess.run(create, check=True)
        firmware: list[str] = []
        if uefi:
            shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.fd", folder / "vars")
            code = "/usr/share/OVMF/OVMF_CODE_4M.fd"
            firmware += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}"]
            firmware += ["-drive", f"if=pflash,format=raw,file={folder / 'vars'}"]
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-vga", "std"),
                *("-accel", "tcg", "-cpu", "max", "-M", "q35", "-m", MEMORY, "-no-reboot", *firmware),
                *("-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"),
                *("-chardev", f"file,id=serial,path={folder / 'serial'}", "-serial", "chardev:serial"),
                *(word.format(disk=overlay) for word in hardware),
            ],
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._connection = ours
        self._qmp = ours.makefile("rwb", buffering=0)
        self._qmp.readline()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> None:
        self._qmp.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            line = self._qmp.readline()
            assert line, "QEMU ended"
            if "return" in (answer := json.loads(line)):
                return
            assert "error" not in answer, answer

    def screen(self) -> str:
        """Return what a card in text mode shows."""
        place = self.folder / "screen"
        self.execute("pmemsave", val=SCREEN, size=SCREEN_BYTES, filename=str(place))
        text = place.read_bytes()[::2].decode("cp437")
        return "\n".join(text[row : row + 80].rstrip("\0 ") for row in range(0, len(text), 80))

    def said(self) -> str:
        """Return all that came over the serial port, and then the screen."""
        serial = (self.folder / "serial").read_bytes().decode(errors="replace")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", serial) + "\n" + self.screen()

    def until(self, *patterns: str, patience: float = PATIENCE) -> str:
        """Return the first of the patterns that is found in what the machine says."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            said = self.said()
            for pattern in patterns:
                if re.search(pattern, said):
                    return pattern
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"none of {patterns} in:\n{self.said()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._qmp.close()
        self._connection.close()
        os.unlink(self.folder / "overlay.qcow2")
