"""Folders of this host that a machine sees, as it runs: how they reach it, and the programs that serve them.

    way = choose()                                      # Way("virtiofs", program=…), or Way("9p", why="…")
    process = serve(share, way, socket=places.share(0), log=places.share_log(0))

virtiofs needs a program beside QEMU for each folder: virtiofsd, which Debian 12 has with QEMU (and for root alone), and
Debian 13 as a package of its own. Where it cannot be used, QEMU serves the folder itself (virtio-9p), which is slower.
A folder that is to be read only is so for the program that serves it, whatever the guest asks for.
Source: QEMU, docs/tools/virtiofsd.rst (version 7.2); virtiofsd's README; Linux, Documentation/filesystems/9p.rst.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.core import settings
from jeos.core.errors import InputError
from jeos.core.run import die_with_parent, spawn
from jeos.model.machine import Share
from jeos.vm import namespaces
from jeos.vm.command import share_tag
from jeos.vm.confine import close_all_but
from jeos.vm.listening import wait_until_listening

OLD = Path("/usr/lib/qemu/virtiofsd")  # QEMU's own until 7.2, in C
PLACES = (Path("/usr/libexec/virtiofsd"), Path("/usr/lib/virtiofsd"), Path("/usr/bin/virtiofsd"), OLD)
VIRTIOFS, NINE_P = "virtiofs", "9p"
READY_SECONDS = 20.0  # until virtiofsd listens; it takes 10 ms
LESS = "-mknod:-setfcap"  # a guest's root must not make devices of this host, or programs with rights here
# Until what a guest's program wrote is seen by others the guest may keep it, and what others change, for a second.
OPTIONS = {VIRTIOFS: "rw", NINE_P: "rw,trans=virtio,version=9p2000.L,msize=262144,cache=none"}


# What to say of a host to somebody whose guest does not know the way.
ADVICE = {
    VIRTIOFS: "takes another way with JEOS_SHARING=9p",
    NINE_P: "has no virtiofsd that you could use: install one (Debian 13: virtiofsd), or be root (Debian 12)",
}


@dataclass(frozen=True, slots=True)
class Way:
    """How folders reach machines here: by `virtiofs` with a program, or by `9p`, and `why` not by virtiofs."""

    kind: str
    program: Path | None = None
    why: str = ""

    def __str__(self) -> str:
        return f"{self.kind}, because {self.why}" if self.why else self.kind


def choose(places: Sequence[Path] = PLACES) -> Way:
    """Return the way in which folders reach machines on this host."""
    if settings.sharing() == NINE_P:
        return Way(NINE_P, why=f"JEOS_SHARING is {NINE_P}")
    found = next((place for place in places if os.access(place, os.X_OK)), None)
    if found is None:
        return Way(NINE_P, why="virtiofsd is not installed")
    if found == OLD and os.geteuid() != 0:
        return Way(NINE_P, why="the virtiofsd of this QEMU is for root alone")
    return Way(VIRTIOFS, program=found)


def check(share: Share) -> None:
    """Raise InputError if a folder cannot be shared."""
    path = Path(share.path)
    if not path.is_dir():
        raise InputError(f"{path}, which is to be at {share.target}, is no folder", hint="make it, or name another")
    if not os.access(path, os.R_OK | os.X_OK | (0 if share.read_only else os.W_OK)):
        what = "read" if share.read_only else "write to"
        raise InputError(f"you may not {what} {path}", hint=f"share it read-only: --share {path}:{share.target}:ro")


def serve(share: Share, way: Way, *, socket: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start the program that serves a folder, and return it once it listens. Raises MachineError if it does not."""
    assert way.program is not None

    def enter() -> None:
        close_all_but(())
        if share.read_only:
            namespaces.make_read_only(Path(share.path))
        die_with_parent()

    with log.open("wb") as file:
        process = spawn(argv(share, way.program, socket=socket), stdout=file, stderr=file, enter=enter)
    wait_until_listening(
        process,
        socket,
        who=f"virtiofsd for {share.path}",
        log=log,
        seconds=READY_SECONDS,
        end=end,
        hint="start it without --share",
    )
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a program that serves a folder."""
    process.kill()
    process.wait()


def argv(share: Share, program: Path, *, socket: Path) -> list[str | Path]:
    """Return the command line of virtiofsd, which fences itself off: it sees the folder and nothing else."""
    if program == OLD:
        # A comma begins another option there, unless a backslash is before it.
        source = share.path.replace("\\", "\\\\").replace(",", "\\,")
        options = [
            word
            for one in (f"source={source}", "sandbox=namespace", f"modcaps={LESS}", "log_level=warn")
            for word in ("-o", one)
        ]
        return [program, f"--socket-path={socket}", *options]
    only = ["--readonly"] if share.read_only else []
    words = ["--shared-dir", share.path, "--sandbox", "namespace", f"--modcaps={LESS}", "--log-level", "error", *only]
    return [program, "--socket-path", socket, *words]


MOUNT = """
if mountpoint -q "$2"; then exit 0; fi
mkdir -p "$2" && exec mount -t "$3" -o "$4" "$1" "$2"
"""


def mounting(number: int, share: Share, *, kind: str) -> list[str]:
    """Return the command that mounts a folder in the guest."""
    options = OPTIONS[kind].replace("rw", "ro") if share.read_only else OPTIONS[kind]
    return ["sh", "-c", MOUNT, "sh", share_tag(number), share.target, kind, f"{options},nosuid,nodev"]
