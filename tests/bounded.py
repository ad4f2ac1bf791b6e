"""Run jeos in a process that may take only so much memory, processor and disk, and that tells which files it opens."""

import json
import os
import resource
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

MEMORY = (
    1 << 30
)  # bytes of address space: what Python, its libraries and an honest disk of this size take is under half
CPU = 30  # seconds
WALL = 600  # seconds, for what waits without end; far above what a busy machine makes of the seconds of processor
WRITTEN = 256 << 20  # bytes of one file

_PROGRAM = """
import json, os, sys
opened = []
def hook(event, args):
    if event == "open" and isinstance(args[0], (str, bytes)):
        opened.append(os.path.abspath(os.fsdecode(args[0])))
import jeos.cli.main
sys.addaudithook(hook)
status = 0
try:
    status = jeos.cli.main.main(sys.argv[2:])
except SystemExit as end:
    status = end.code
finally:
    with open(sys.argv[1], "w") as file:
        json.dump(sorted(set(opened)), file)
sys.exit(status)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended: status (negative for a signal), output, what it took, and the files that it opened."""

    status: int
    stdout: str
    stderr: str
    cpu: float
    memory: int
    opened: tuple[str, ...]


def run(arguments: list[str], folder: Path, *, memory: int = MEMORY, cpu: int = CPU, file: int = WRITTEN) -> Ended:
    """Run `jeos ARGUMENTS` in a folder, within limits that the kernel holds."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
        resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    report = folder / "opened.json"
    report.unlink(missing_ok=True)
    environment = {**os.environ, "JEOS_CACHE_DIR": str(folder / "cache"), "JEOS_TMPDIR": str(folder / "tmp")}
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(report), *arguments],
            cwd=folder,
            stdout=out,
            stderr=err,
            env=environment,
            preexec_fn=limit,
        )
        alarm = threading.Timer(WALL, process.kill)
        alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        alarm.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        status=process.returncode,
        stdout=(folder / "stdout").read_text(errors="replace"),
        stderr=(folder / "stderr").read_text(errors="replace"),
        cpu=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss * 1024,
        opened=tuple(json.loads(report.read_text())) if report.exists() else (),
    )
