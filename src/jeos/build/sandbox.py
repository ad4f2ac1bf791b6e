"""Run programs inside a root folder, where they see nothing of the host and can do no harm to it.

    Sandbox(root, time=lock.date).run(["dpkg", "--configure", "--pending"])

What the fence is made of is told in docs/explanation/sandbox.md; `launch.py` puts it up. Works for root of a namespace
(`namespace.enter`) as for real root.
"""

import contextlib
import marshal
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from jeos.build import launch, seccomp, user_network
from jeos.core import log
from jeos.core.errors import HostError, JeosError, ProcessError
from jeos.core.run import SHOWN_OUTPUT_LINES, Completed, quote, spawn

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHOWN_BYTES = 1 << 20  # of a log, kept in memory
RESOLVER = Path("/etc/resolv.conf")  # of the host; without one, a program asks its own machine
TIMEOUT = 1800.0  # seconds; the slowest sane maintainer script takes a few

# invoke-rc.d and deb-systemd-invoke ask this program whether a service may be started: 101 means that it may not.
NO_SERVICES = {
    "/usr/sbin/policy-rc.d": (b"#!/bin/sh\nexit 101\n", 0o755),
    "/usr/sbin/start-stop-daemon": (b"#!/bin/sh\nexit 0\n", 0o755),
}

Covers = Mapping[str, tuple[bytes, int]]


@dataclass(frozen=True)
class Sandbox:
    """A root folder to run programs in.

    `time` is SOURCE_DATE_EPOCH, in seconds since 1970. What programs print is added to `log`, if there is one.
    `covers` are files (content and mode, by path) that lie over those of the root while a program runs.
    `binds` shows files and folders of the host, read-only, at paths under /run.
    """

    root: Path
    time: int = 0
    log: Path | None = None
    covers: Covers = field(default_factory=lambda: NO_SERVICES)
    binds: Mapping[str, Path] = field(default_factory=dict)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        network: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        check: bool = True,
        timeout: float = TIMEOUT,
    ) -> Completed:
        """Run a program to its end; whatever it started ends with it.

        With a `log` both outputs go there in the order they came, and `stdout` of the answer holds them. Killed by
        signal N, the status is 128 + N. `timeout` is in seconds. Raises ProcessError if `check` and the program
        fails, and if it runs out of time; HostError if the sandbox cannot be made.
        """
        if platform.machine() != "x86_64":
            raise HostError(f"packages cannot be configured on {platform.machine()}", hint="build on an x86-64 machine")
        complaint = user_network.complaint() if network else ""
        own_network = network and not complaint
        if complaint:
            log.warn(f"{complaint}, so a command gets all of this host's network (see `jeos doctor`)")
        with contextlib.ExitStack() as stack:
            specification = stack.enter_context(os.fdopen(os.memfd_create("sandbox"), "r+b"))
            gates = [stack.enter_context(one) for one in socket.socketpair()] if own_network else []
            said = self._specification(argv, env=env, cwd=cwd) | {
                "hosts_network": network and not own_network,
                "gate": gates[1].fileno() if gates else -1,
            }
            if network:
                said["covers"] = {**self.covers, "/etc/resolv.conf": (_resolver(own=own_network), 0o644)}
            marshal.dump(said, specification)
            specification.flush()
            done = self._launch(specification, stdin=stdin, timeout=timeout, gates=gates)
            specification.seek(0)
            refused = specification.read(4096)
        if refused.startswith(b"!"):
            raise _refusal(argv, refused[1:].decode(errors="replace"))
        if check and done.status != 0:
            raise self.failure(quote(argv), done)
        return done

    def _specification(self, argv: Sequence[str], *, env: Mapping[str, str] | None, cwd: str) -> dict[str, object]:
        """Return what `launch.py` needs to know, but for the network."""
        return {
            "argv": list(argv),
            "env": self.environment() | dict(env or {}),
            "cwd": cwd,
            "root": str(self.root.absolute()),
            "parent": os.getpid(),
            "covers": dict(self.covers),
            "binds": {inside: str(outside.resolve()) for inside, outside in self.binds.items()},
            "seccomp": seccomp.program(),
        }

    def environment(self) -> dict[str, str]:
        """Return the environment that programs get: the same on every machine."""
        return {
            "PATH": PATH,
            "HOME": "/root",
            "USER": "root",
            "LOGNAME": "root",
            "SHELL": "/bin/sh",
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "DEBIAN_FRONTEND": "noninteractive",
            "DEBCONF_NONINTERACTIVE_SEEN": "true",
            "SOURCE_DATE_EPOCH": str(self.time),
            "PYTHONHASHSEED": "0",
        }

    def _launch(
        self, specification: IO[bytes], *, stdin: bytes, timeout: float, gates: Sequence[socket.socket]
    ) -> Completed:
        words = [sys.executable, "-I", "-S", launch.__file__, str(specification.fileno())]
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(self.log.open("ab")) if self.log else None
            begin = log.tell() if log else 0
            process = spawn(
                words,
                stdin=subprocess.PIPE,
                stdout=log or subprocess.PIPE,
                stderr=subprocess.STDOUT if log else subprocess.PIPE,
                pass_fds=[specification.fileno(), *(gate.fileno() for gate in gates[1:])],
            )
            try:
                if gates:
                    gates[1].close()  # so that we notice if the launcher dies
                    stack.enter_context(user_network.attached(process.pid, gate=gates[0]))
                stdout, stderr = process.communicate(stdin, timeout=timeout)
            except BaseException as error:
                process.kill()  # and with it, process 1 and all that it has
                process.communicate()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise ProcessError(
                        f"a program in the sandbox did not end within {timeout:g} s{self._see_log()}",
                        hint="it may wait for an answer or a service: neither is there while an image is built",
                    ) from None
                raise
        if self.log:
            stdout = _end_of(self.log, begin)
        return Completed(status=process.returncode, stdout=stdout, stderr=stderr or b"")

    def failure(self, what: str, done: Completed) -> ProcessError:
        """Return the error for a program that failed, with the end of what it printed and where the rest is."""
        how = f"was killed by signal {done.status - 128}" if done.status > 128 else f"failed with status {done.status}"
        lines = (done.stderr or done.stdout).decode(errors="replace").rstrip().splitlines()
        shown = "".join(f"\n  {line}" for line in lines[-SHOWN_OUTPUT_LINES:])
        return ProcessError(f"in the sandbox, {what} {how}{shown}", hint=self._see_log().strip(" ()"))

    def _see_log(self) -> str:
        return f" (all that it printed is in {self.log})" if self.log else ""


def _resolver(*, own: bool) -> bytes:
    """Return resolv.conf(5) for a program with a network: `own`, or the host's."""
    if own:
        return user_network.RESOLVER
    return RESOLVER.read_bytes() if RESOLVER.exists() else b""


def _end_of(log: Path, begin: int) -> bytes:
    """Return what was added to a log since `begin`, or the end of it if that is much."""
    with log.open("rb") as file:
        file.seek(max(begin, file.seek(0, os.SEEK_END) - SHOWN_BYTES))
        return file.read()


def _refusal(argv: Sequence[str], reason: str) -> JeosError:
    """Return the error for a program that could not be started: the sandbox's fault, or its own."""
    if reason.startswith(f"{argv[0]}: "):
        return ProcessError(f"in the sandbox, {reason}", hint="is the package that brings it in the recipe?")
    hint = "`jeos doctor` tells what this host lacks"
    if reason.startswith("mount proc"):
        hint = "a container that hides parts of /proc does not allow a new one: run it without (systempaths=unconfined)"
    return HostError(f"the sandbox cannot be made: {reason}", hint=hint)
