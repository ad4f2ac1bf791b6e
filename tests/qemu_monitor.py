"""A second way into a machine's QEMU, for tests: they pause the guest and read its disk without jeos.

jeos = door.jeos(more=Monitor.options(folder))
monitor = Monitor(folder)
monitor.execute("stop")
"""

import hashlib
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

PIECE = 1 << 20


class Monitor:
    """A connection to QEMU's machine protocol."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(folder / "monitor"))
        self._stream = self._socket.makefile("rwb", buffering=0)
        self._stream.readline()
        self.execute("qmp_capabilities")

    @staticmethod
    def options(folder: Path) -> tuple[str, ...]:
        socket = f"socket,id=monitor,path={folder / 'monitor'},server=on,wait=off"
        return "-chardev", socket, "-mon", "chardev=monitor,mode=control"

    def execute(self, command: str, **arguments: object) -> Any:
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            line = self._stream.readline()
            assert line, "QEMU ended"
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            assert "error" not in answer, answer

    def nodes(self) -> set[str]:
        return {node["node-name"] for node in self.execute("query-named-block-nodes", flat=True)}

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


def disk_digest(disk: Path, folder: Path) -> str:
    """Return the hash of all that a guest sees of a qcow2 disk, as QEMU's own program reads it; nothing may write."""
    target = folder / "reference.raw"
    subprocess.run(["qemu-img", "convert", "-U", "-O", "raw", str(disk), str(target)], check=True)
    try:
        return file_digest(target)
    finally:
        target.unlink()


def file_digest(path: Path) -> str:
    digest = hashlib.blake2b()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
