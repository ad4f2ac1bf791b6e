"""QEMU as another hypervisor's machine: its disk controllers and network adapters, with UEFI firmware.

with running(disk, form="vmdk", storage=PVSCSI, network="vmxnet3") as machine:
    machine.page()
"""

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jeos.disk import direct
from jeos.vm import firmware
from machine_use import BOOT, POLL, free_port

PVSCSI = ("-device", "pvscsi", "-device", "scsi-hd,drive=disk")  # which Debian 12's OVMF has no driver for
NVME = ("-device", "nvme,drive=disk,serial=1,bootindex=0")
VIRTIO_SCSI = ("-device", "virtio-scsi-pci", "-device", "scsi-hd,drive=disk,bootindex=0")


@dataclass(frozen=True)
class Running:
    """A machine that runs: `console` is the file with what it said, `port` leads to its port 80."""

    process: subprocess.Popen[bytes]
    console: Path
    port: int

    def said(self) -> str:
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def page(self) -> bytes:
        """Return its page as soon as it serves it."""
        return page(self.port, alive=lambda: self.process.poll() is None, said=self.said)


def page(port: int, *, alive: Callable[[], bool] = lambda: True, said: Callable[[], str] = lambda: "") -> bytes:
    """Return the page that a machine serves on a port of this host, as soon as it does."""
    deadline = time.monotonic() + BOOT
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return bytes(answer.read())
        except (OSError, urllib.error.URLError):
            assert alive(), f"QEMU ended:\n{said()[-3000:]}"
            assert time.monotonic() < deadline, f"no answer:\n{said()[-3000:]}"
            time.sleep(POLL)


def disc(path: Path) -> tuple[str, ...]:
    """Return the options that put a disc into a drive."""
    return ("-drive", f"if=none,id=disc,media=cdrom,readonly=on,file={path}", "-device", "ide-cd,drive=disc,bus=ide.0")


@contextmanager
def running(
    disk: Path,
    *,
    form: str,
    storage: tuple[str, ...],
    network: str,
    folder: Path,
    kernel: Path | None = None,
    more: Sequence[str] = (),
) -> Iterator[Running]:
    """Start a machine on an overlay of a disk, which stays as it is; end it with the block.

    With a unified `kernel` image QEMU hands over what is in it, where the firmware has no driver for the disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    overlay, variables, console = folder / "overlay.qcow2", folder / "variables.fd", folder / "console"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(disk), "-F", form, str(overlay)]
    subprocess.run(create, check=True)
    found = firmware.find()
    shutil.copyfile(found.variables, variables)
    start = [
        *("-drive", f"if=pflash,format=raw,readonly=on,file={found.code}"),
        *("-drive", f"if=pflash,format=raw,file={variables}"),
    ]
    if kernel:
        parts = direct.unpack(kernel)
        start = ["-kernel", str(parts.kernel), "-initrd", str(parts.initrd), "-append", parts.cmdline]
    port = free_port()
    command = [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-M", "q35", "-accel", "tcg", "-m", "256"),
        *start,
        *("-drive", f"if=none,id=disk,format=qcow2,file={overlay}"),
        *storage,
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:80", "-device", f"{network},netdev=net,romfile="),
        *("-serial", f"file:{console}"),
        *more,
    ]
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
    try:
        yield Running(process=process, console=console, port=port)
    finally:
        process.kill()
        process.wait()
