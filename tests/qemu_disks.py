"""A real QEMU with virtio disks whose processors never run: its disks are written to as a guest would, by command.

async with qemu_with_disks(folder, {"disk": image}) as qemu:
    await qemu.write("disk", "-P 7 0 64k")
"""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from jeos.vm.fleece import disks
from jeos.vm.qmp import Qmp, connect

PATIENCE = 60.0  # seconds


class Qemu:
    """One running QEMU."""

    def __init__(self, qmp: Qmp, process: "subprocess.Popen[bytes]") -> None:
        self.qmp, self.process = qmp, process
        self.executed: list[str] = []  # commands, in their order
        self.fails_at = ""  # a command that is refused once

    async def execute(self, command: str, arguments: dict[str, object] | None = None) -> object:
        self.executed.append(command)
        if command == self.fails_at:
            self.fails_at = ""
            return await self.qmp.execute("jeos-has-no-such-command")
        return await self.qmp.execute(command, arguments)

    async def write(self, node: str, what: str) -> None:
        """Write through the device, as its guest does: what is between it and the disk sees it."""
        device = next(each.device for each in await self.devices() if each.node == node)
        said = await self.io(device, f"write {what}")
        assert said == "", said

    async def io(self, device: str, what: str) -> str:
        """Run a command of qemu-io on a device; return what went wrong, or ""."""
        words: dict[str, object] = {"command-line": f'qemu-io -d {device} "{what}"'}
        return str(await self.qmp.execute("human-monitor-command", words)).strip()

    async def devices(self) -> Sequence["Device"]:
        found = []
        for entry in await self.qmp.execute("query-block"):  # type: ignore[attr-defined]
            if entry.get("inserted"):
                node = entry["inserted"]["node-name"].removeprefix("jeos-copying-")
                found.append(Device(node, entry["qdev"]))
        return found

    async def nodes(self) -> list[str]:
        """Return the names of all block nodes."""
        found = await self.qmp.execute("query-named-block-nodes", {"flat": True})
        return sorted(each["node-name"] for each in found)  # type: ignore[attr-defined]

    async def bitmaps(self) -> dict[str, list[tuple[str, bool, int]]]:
        """Return each disk's bitmaps: name, whether it records, bytes that it marks."""
        return {
            disk.node: [(str(each["name"]), bool(each["recording"]), int(str(each["count"]))) for each in disk.bitmaps]
            for disk in await disks(self.qmp)
        }


class Device:
    """A disk's node, and the path of its device."""

    def __init__(self, node: str, device: str) -> None:
        self.node, self.device = node, device


def make_disk(path: Path, *, size: str = "16M", base: Path | None = None) -> Path:
    """Make a qcow2 disk, over a raw base or empty."""
    over = ["-b", str(base), "-F", "raw"] if base else []
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *over, str(path), size], check=True)
    return path


@contextlib.asynccontextmanager
async def qemu_with_disks(images: Mapping[str, Path], *more: str) -> AsyncIterator[Qemu]:
    ours, theirs = socket.socketpair()
    words = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-M", "pc", "-m", "16", "-accel", "tcg", "-S"]
    words += ["-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
    for node, image in images.items():
        words += ["-blockdev", f"driver=file,node-name={node}-file,discard=unmap,filename={image}"]
        words += ["-blockdev", f"driver=qcow2,node-name={node},discard=unmap,detect-zeroes=unmap,file={node}-file"]
        words += ["-device", f"virtio-blk-pci,drive={node}"]
    process = subprocess.Popen([*words, *more], pass_fds=[theirs.fileno()])
    theirs.close()
    qmp = await connect(ours)
    try:
        yield Qemu(qmp, process)
        if process.poll() is None:
            await qmp.quit()
            await asyncio.to_thread(process.wait, PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        await qmp.close()


def allocated(path: Path) -> int:
    """Return the bytes that a file takes on disk."""
    return os.stat(path).st_blocks * 512
