"""A door before QEMU: machines of jeos that log every write to their disk, or have another clock or one more disk.

door = QemuDoor.make(folder, jeos)
jeos = door.jeos(writes=folder / "writes")        # log in the form of dm-log-writes: see `cut_disks`
jeos = door.jeos(more=("-rtc", "base=2011-01-01T00:00:00"))

It is a program of QEMU's name, found on `PATH` before QEMU, which it becomes. In the same folder stands one that takes
passt's place and never works, so that guests have QEMU's own network, where 10.0.2.2 is this host. Machines behind a
door have no fences: the door is not among what these let through.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.core.run import find_program
from jeos.vm.command import PROGRAM
from jeos_command import Jeos

HOST = "10.0.2.2"  # this host's loopback device, as guests see it
# A processor without vector units, for machines that hash much: emulated ones make SHA-256 ten times slower.
PLAIN_CPU = ("-cpu", "qemu64,+rdrand")
VARIABLE = "JEOS_TEST_DOOR"
SCRIPT = """#!{python} -IS
import json, os, sys

wanted = json.loads(os.environ.get("{variable}", "{{}}"))
words = []
for word in sys.argv[1:]:
    if "writes" in wanted and word.startswith("driver=qcow2,node-name=disk,"):
        words += [word.replace("node-name=disk,", "node-name=disk-itself,")]
        words += ["-blockdev", "driver=file,node-name=disk-writes,filename=" + wanted["writes"]]
        words += ["-blockdev", "driver=blklogwrites,node-name=disk,discard=unmap,file=disk-itself,log=disk-writes"]
    else:
        words.append(word)
os.execv("{program}", ["{program}", *words, *wanted.get("more", ())])
"""


@dataclass(frozen=True)
class QemuDoor:
    """The folder with the door in it."""

    folder: Path
    command: Jeos

    @classmethod
    def make(cls, folder: Path, command: Jeos) -> "QemuDoor":
        """Put the door into a new folder."""
        folder.mkdir(parents=True)
        program = folder / PROGRAM
        python = shutil.which("python3")
        program.write_text(SCRIPT.format(python=python, variable=VARIABLE, program=find_program(PROGRAM)))
        passt = folder / "passt"
        passt.write_text("#!/bin/sh\nexit 1\n")
        for made in (program, passt):
            made.chmod(0o755)
        return cls(folder, command)

    def jeos(self, *, writes: Path | None = None, more: Sequence[str] = ()) -> Jeos:
        """Return the command whose machines log their writes, or get more of QEMU's options."""
        wanted: dict[str, object] = {"more": list(more)}
        if writes is not None:
            writes.touch()
            wanted["writes"] = str(writes)
        path = f"{self.folder}:{self.command.environment['PATH']}"
        return self.command.having(PATH=path, JEOS_CONFINE="off", **{VARIABLE: json.dumps(wanted)})
