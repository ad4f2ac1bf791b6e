"""Starting a program behind fences: it and all that takes it over reach what its `Fence` names, and nothing else.

    confined = start(argv, fence, stdout=log, stderr=log, pass_fds=(5, 6), strict=False)
    confined.fences, confined.missing       # ("landlock 7", …), ("namespaces: Operation not permitted", …)

The fences are put up between fork and exec, in the new process, in an order in which each can still be: namespaces,
limits, no new rights, Landlock. A host that lacks one is no reason not to start, unless the user is `strict`; what is
missing is told. None of them needs rights. QEMU adds its own, a filter of system calls (see `command.SANDBOX`).
"""

import contextlib
import json
import os
import resource
import struct
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from jeos.core.errors import HostError
from jeos.core.run import die_with_parent, find_program, spawn
from jeos.vm import landlock, namespaces, syscalls
from jeos.vm.fence import PROCESSES, SYSTEM, Fence

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, CLEAR_ALL = 24, 38, 47, 4  # linux/prctl.h
HIGHEST_CAPABILITY = 63
CAPABILITIES_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3, capset(2)
STANDARD_ERROR = 2
COUNTED_SINCE = (5, 14)  # the Linux that counts processes for each user namespace, not for the user altogether
ROUTER = "network: QEMU's own router needs this host's"


@dataclass(frozen=True, slots=True)
class Confined:
    """A program that runs, the fences around it, and those that could not be put up, as "name: why"."""

    process: "subprocess.Popen[bytes]"
    fences: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(slots=True)
class _Report:
    """What the new process says of its fences before it becomes the program, in lines of JSON."""

    process: int = 0  # its number, where it is not the one that was forked
    fences: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # that the host lacks
    again: str = ""  # why it must be tried without namespaces
    failed: str = ""  # why it cannot become the program


def start(
    argv: Sequence[str | Path],
    fence: Fence,
    *,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    pass_fds: Sequence[int] = (),
    strict: bool = False,
    join: Callable[[], None] | None = None,
) -> Confined:
    """Start a program behind its fences. Raises HostError if it is to be `strict` and this host lacks one.

    `join` puts the new process into a control group before all else.
    """
    without = ""
    while True:
        entry = _Entry(fence, tuple(pass_fds), strict=strict, without=without, join=join)
        process, report = entry.start(argv, stdout=stdout, stderr=stderr)
        if not (report.again or report.failed):
            missing = [*report.missing, *([ROUTER] if fence.network else [])]
            return Confined(process, tuple(report.fences), tuple(missing))
        process.wait()
        if report.failed:
            raise HostError(report.failed, hint="`jeos doctor` tells what mends it; --confine auto does without")
        without = report.again


def lacking() -> tuple[str, ...]:
    """Return the fences that this host lacks, each with the reason; a program that does nothing is started to find out.

    Raises HostError if nothing can be started behind fences here.
    """
    program = find_program("true")
    confined = start([program], Fence(program, read=SYSTEM))
    confined.process.wait()
    return confined.missing


@dataclass(frozen=True, slots=True)
class _Entry:
    """How a process gets behind its fences; `without` says why it does without namespaces."""

    fence: Fence
    pass_fds: tuple[int, ...]
    strict: bool
    without: str
    join: Callable[[], None] | None = None

    def start(
        self, argv: Sequence[str | Path], *, stdout: int | IO[bytes] | None, stderr: int | IO[bytes] | None
    ) -> "tuple[subprocess.Popen[bytes], _Report]":
        """Start the program, and return it and what was said before it became that."""
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as lines:
            try:
                process = spawn(argv, stdout=stdout, stderr=stderr, enter=lambda: self._enter(writing))
            except OSError as error:
                raise HostError(
                    f"{argv[0]} cannot be started behind fences: {error.strerror}",
                    hint="a script in its place that needs what is not in /usr wants --confine off",
                ) from None
            finally:
                os.close(writing)
            report = _Report()
            for line in lines:
                for name, value in json.loads(line).items():
                    setattr(report, name, value)
        if report.process:  # the one that was forked has ended, and left this child in its place
            process.wait()
            process.pid, process.returncode = report.process, None
        return process, report

    def _enter(self, writing: int) -> None:
        """Put up the fences in the new process, and tell."""
        report = _Report()
        try:
            close_all_but((*self.pass_fds, writing))
            if self.join is not None:
                self.join()
            if self.without:
                report.missing.append(f"namespaces: {self.without}")
            else:
                self._enter_namespaces(report, writing)
            _limit(report, own_table=not self.without)
            _give_up_rights(report)
            self._enter_landlock(report)
        except OSError as error:
            _end(writing, failed=f"a fence for the machine does not stand: {error.filename}: {error.strerror}")
        if self.strict and report.missing:
            _end(writing, failed=f"this host lacks fences for machines: {'; '.join(report.missing)}")
        _tell(writing, fences=report.fences, missing=report.missing)
        for descriptor in self.pass_fds:
            os.set_inheritable(descriptor, True)
        die_with_parent()

    def _enter_namespaces(self, report: _Report, writing: int) -> None:
        try:
            namespaces.enter(self.fence)
            child = namespaces.become_first()
            if child:
                _tell(writing, process=child)
                os._exit(0)
            namespaces.show(self.fence)
        except OSError as error:
            _end(writing, again=f"{error.strerror} ({error.filename})" if error.filename else str(error.strerror))
        report.fences.append("namespaces")
        if not self.fence.network:
            report.fences.append("network")

    def _enter_landlock(self, report: _Report) -> None:
        abi = landlock.version()
        if not abi:
            report.missing.append("landlock: this kernel has none, or was started without")
            return
        landlock.restrict(self.fence, abi=abi)
        report.fences.append(f"landlock {abi}")


def _tell(descriptor: int, **fields: object) -> None:
    os.write(descriptor, json.dumps(fields).encode() + b"\n")


def _end(descriptor: int, **fields: object) -> NoReturn:
    _tell(descriptor, **fields)
    os._exit(1)


def close_all_but(kept: Sequence[int]) -> None:
    """Let no file that happens to be open go along; whoever started jeos may have left some."""
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if descriptor > STANDARD_ERROR and descriptor not in kept:
            with contextlib.suppress(OSError):  # the one with which the folder was read
                os.set_inheritable(descriptor, False)


def _limit(report: _Report, *, own_table: bool) -> None:
    """Set limits that no machine needs to exceed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a memory image would hold the guest's secrets
    linux = tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2])
    if own_table and os.geteuid() != 0 and linux >= COUNTED_SINCE:  # the kernel does not count for root
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
        report.fences.append("processes")


def _give_up_rights(report: _Report) -> None:
    """Give up all capabilities, root's too, and the way to get any by running a program."""
    for capability in range(HIGHEST_CAPABILITY + 1):
        try:
            syscalls.prctl(PR_CAPBSET_DROP, capability, what="capabilities")
        except OSError:  # there are no more, or an ordinary user has none to give up
            break
    with contextlib.suppress(OSError):  # Linux before 4.3 has no ambient ones
        syscalls.prctl(PR_CAP_AMBIENT, CLEAR_ALL, what="capabilities")
    syscalls.prctl(PR_SET_NO_NEW_PRIVS, 1, what="no new privileges")
    head, none = struct.pack("=Ii", CAPABILITIES_VERSION, 0), bytes(24)
    syscalls.call(syscalls.CAPSET, head, none, what="capabilities")
    report.fences += ["capabilities", "no-new-privileges"]
