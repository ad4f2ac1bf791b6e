"""The only place that starts processes.

    run(["qemu-img", "info", "--output=json", path]).stdout

A failed command is reported with a line that can be pasted into a shell. Children die with jeos:
each is started with a parent-death signal, so that a killed jeos leaves no process behind.
"""

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from jeos.core import log
from jeos.core.errors import HostError, ProcessError

PR_SET_PDEATHSIG = 1  # linux/prctl.h
SHOWN_OUTPUT_LINES = 20  # the end of a failed program's output says why; the rest is in the log

# The Debian package that brings a program, for the hint of a missing one.
PACKAGES = {
    "apt-get": "apt",
    "debugfs": "e2fsprogs",
    "dpkg-deb": "dpkg",
    "e2fsck": "e2fsprogs",
    "fsck.erofs": "erofs-utils",
    "gpg": "gpg",
    "gpgv": "gpgv",
    "hivexregedit": "libwin-hivex-perl",
    "mcopy": "mtools",
    "mdel": "mtools",
    "mmd": "mtools",
    "mount": "mount",
    "newuidmap": "uidmap",
    "ntfs-3g": "ntfs-3g",
    "passt": "passt",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-system-common",
    "qemu-system-x86_64": "qemu-system-x86",
    "sbsign": "sbsigntool",
    "resize2fs": "e2fsprogs",
    "sfdisk": "fdisk",
    "ssh": "openssh-client",
    "unshare": "util-linux",
}

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Completed:
    """How a program ended: its exit status and what it printed."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text, without the last newline."""
        return self.stdout.decode(errors="replace").rstrip("\n")


def find_program(name: str) -> Path:
    """Return the path of a program on `PATH` (or in the system folders that users' paths lack).

    Raises HostError, with the package to install, if there is none.
    """
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        package = PACKAGES.get(Path(name).name)
        hint = f"sudo apt-get install {package}" if package else f"install {name}, or see `jeos doctor`"
        raise HostError(f"the program {name} is not installed", hint=hint)
    return Path(found)


def quote(argv: Sequence[str | Path]) -> str:
    """Return a command as one line that a shell understands."""
    return shlex.join(str(word) for word in argv)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends (for `preexec_fn`)."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def spawn(
    argv: Sequence[str | Path],
    *,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    survives: bool = False,
    enter: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program and return it running; it dies with jeos, unless `survives` puts it in a session of its own.

    `enter` is called in the new process before it becomes the program, and sees to what else is said here of it: to its
    death with jeos, and to the files that it inherits.
    """
    program = find_program(str(argv[0]))
    log.debug(f"run: {quote(argv)}")
    return subprocess.Popen(
        [str(program), *(str(word) for word in argv[1:])],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=dict(env) if env is not None else None,
        cwd=cwd,
        pass_fds=pass_fds,
        start_new_session=survives,
        close_fds=enter is None,
        preexec_fn=enter or (None if survives else die_with_parent),
    )


def run(
    argv: Sequence[str | Path],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    check: bool = True,
    timeout: float | None = None,
) -> Completed:
    """Run a program to its end and return what it printed.

    `timeout` is in seconds. Raises ProcessError if `check` and the program fails, or if it runs out of time.
    """
    process = spawn(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=cwd,
        pass_fds=pass_fds,
    )
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        hint = f"run it by hand: {quote(argv)}"
        raise ProcessError(f"{argv[0]} did not end within {timeout:g} s", hint=hint) from None
    except BaseException:
        process.kill()
        process.communicate()
        raise
    done = Completed(status=process.returncode, stdout=stdout, stderr=stderr)
    if check and done.status != 0:
        raise failure(argv, done)
    return done


def failure(argv: Sequence[str | Path], done: Completed) -> ProcessError:
    """Return the error for a program that failed: how it ended, the end of its output, and how to run it again."""
    how = f"was killed by signal {-done.status}" if done.status < 0 else f"failed with status {done.status}"
    lines = (done.stderr or done.stdout).decode(errors="replace").rstrip().splitlines()
    shown = "".join(f"\n  {line}" for line in lines[-SHOWN_OUTPUT_LINES:])
    return ProcessError(f"{argv[0]} {how}{shown}", hint=f"run it by hand: {quote(argv)}")
