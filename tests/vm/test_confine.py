"""A program in QEMU's place that tries to break out of each fence, behind all of them and behind some."""

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.core.errors import HostError
from jeos.model.machine import Share
from jeos.vm import confine, landlock, syscalls
from jeos.vm.command import Wiring
from jeos.vm.fence import Fence, fence_of
from jeos.vm.network import SLIRP
from jeos.vm.places import Places

PYTHON = Path(sys.executable).resolve()
ALL = landlock.version() >= landlock.SCOPES_SINCE
needs_all = pytest.mark.skipif(not ALL, reason="this kernel's Landlock knows nothing of signals and abstract sockets")

# Says of each attempt "done", or the error that refused it.
INTRUDER = """
import ctypes, errno, json, os, resource, socket, sys
a = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def libc_call(name, *words):
    if getattr(libc, name)(*words) < 0:
        raise OSError(ctypes.get_errno(), "")
def connect(family, address):
    with socket.socket(family) as one:
        one.connect(address)
def child(work):
    number = os.fork()
    if not number:
        try:
            work()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    if status > 0:
        raise OSError(status, "")
def new_user():
    libc_call("unshare", 0x10020000)
    libc_call("mount", b"x", b"/usr", b"tmpfs", 0, None)
def bind():
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(a["inside"] + "/port.sock")
shared = open(a["shared"] + "/open", "w")
attempts = {
    "read the image": lambda: open(a["image"]).read(1),
    "write the own disk": lambda: open(a["disk"], "r+").write("x"),
    "make a file in the own room": lambda: open(a["work"] + "/scratch", "w").write("x"),
    "listen for the supervisor": bind,
    "read randomness": lambda: open("/dev/urandom", "rb").read(1),
    "write to a shared folder": lambda: open(a["shared"] + "/file", "w").write("x"),
    "make a folder in a shared one": lambda: os.mkdir(a["shared"] + "/folder"),
    "change the rights of a shared file by its number": lambda: os.chmod("/proc/self/fd/%d" % shared.fileno(), 0o640),
    "write to what is shared read-only": lambda: open(a["only"] + "/file", "w").write("x"),
    "read the user's home": lambda: open(a["secret"]).read(),
    "list the user's home": lambda: os.listdir(os.path.dirname(a["secret"])),
    "read another machine's disk": lambda: open(a["other"]).read(),
    "write the image": lambda: open(a["image"], "r+").write("x"),
    "say what the machine is": lambda: open(a["machine"], "w").write("x"),
    "write beside the own disk": lambda: open(a["disk"] + ".more", "w").write("x"),
    "lay a link for the supervisor": lambda: os.symlink(a["secret"], a["work"] + "/screen.bin"),
    "give the supervisor orders": lambda: connect(socket.AF_UNIX, a["control"]),
    "reach an abstract socket": lambda: connect(socket.AF_UNIX, "\\0" + a["abstract"]),
    "reach a service of the host": lambda: connect(socket.AF_INET, ("127.0.0.1", a["port"])),
    "signal a process outside": lambda: os.kill(a["outside"], 0),
    "trace a process outside": lambda: libc_call("ptrace", 16, a["outside"], None, None),
    "read a process's memory": lambda: open("/proc/%d/mem" % a["outside"], "rb").read(1),
    "see a process outside": lambda: os.stat("/proc/%d" % a["outside"]),
    "read how the host is set": lambda: open("/proc/sys/kernel/core_pattern").read(),
    "start a shell": lambda: child(lambda: os.execv("/usr/bin/sh", ["sh", "-c", ":"])),
    "make a device": lambda: os.mknod(a["work"] + "/disk", 0o60600, os.makedev(254, 0)),
    "change the root": lambda: os.chroot("/usr"),
    "change the host's name": lambda: socket.sethostname("intruder"),
    "gain rights in a new namespace": lambda: child(new_user),
    "use a file that was left open": lambda: os.fstat(a["left"]),
    "leave a core": lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)),
}
found = {}
for name, attempt in attempts.items():
    try:
        attempt()
        found[name] = "done"
    except ValueError:
        found[name] = "EPERM"
    except OSError as error:
        found[name] = errno.errorcode[error.errno]
print(json.dumps(found))
"""

# What comes of each attempt behind all fences, behind those without Landlock, and behind those without namespaces.
EXPECTED = {
    "read the image": ("done", "done", "done"),
    "write the own disk": ("done", "done", "done"),
    "make a file in the own room": ("done", "done", "done"),
    "listen for the supervisor": ("done", "done", "done"),
    "read randomness": ("done", "done", "done"),
    "write to a shared folder": ("done", "done", "done"),
    "make a folder in a shared one": ("done", "done", "done"),
    "change the rights of a shared file by its number": ("done", "done", "done"),
    "write to what is shared read-only": ("EROFS", "EROFS", "EACCES"),
    "read the user's home": ("ENOENT", "ENOENT", "EACCES"),
    "list the user's home": ("ENOENT", "ENOENT", "EACCES"),
    "read another machine's disk": ("ENOENT", "ENOENT", "EACCES"),
    "write the image": ("EROFS", "EROFS", "EACCES"),
    "say what the machine is": ("EROFS", "EROFS", "EACCES"),
    "write beside the own disk": ("EROFS", "EROFS", "EACCES"),
    "lay a link for the supervisor": ("EACCES", "done", "EACCES"),  # which follows none
    "give the supervisor orders": ("ENOENT", "ENOENT", "done"),  # Landlock does not know sockets with a path
    "reach an abstract socket": ("ECONNREFUSED", "ECONNREFUSED", "EPERM"),
    "reach a service of the host": ("EACCES", "ENETUNREACH", "EACCES"),
    "signal a process outside": ("ESRCH", "ESRCH", "EPERM"),
    "trace a process outside": ("ESRCH", "ESRCH", "EPERM"),
    "read a process's memory": ("ENOENT", "ENOENT", "EACCES"),
    "see a process outside": ("ENOENT", "ENOENT", "done"),
    "read how the host is set": ("ENOENT", "ENOENT", "EACCES"),
    "start a shell": ("EACCES", "done", "EACCES"),  # which would see as little; QEMU's own filter refuses it
    "make a device": ("EACCES", "EPERM", "EACCES"),
    "change the root": ("EPERM", "EPERM", "EPERM"),
    "change the host's name": ("EPERM", "EPERM", "EPERM"),
    "gain rights in a new namespace": ("ENOSPC", "ENOSPC", "EPERM"),  # the last may make it, and then mount nothing
    "use a file that was left open": ("EBADF", "EBADF", "EBADF"),
    "leave a core": ("EPERM", "EPERM", "EPERM"),
}


@dataclass(frozen=True)
class Site:
    """A machine's fence around a Python, the words for the intruder, and what is outside."""

    fence: Fence
    words: str
    left: int


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    places = Places("tiny", folder=tmp_path / "machines/tiny", runtime=tmp_path / "run/tiny")
    for folder in (
        places.work,
        places.inside,
        *(tmp_path / name for name in ("home", "shared", "only", "machines/other")),
    ):
        folder.mkdir(parents=True)
    machine = replace(tiny_guest.machine(tmp_path), isolated=True)
    secret, other = tmp_path / "home/secret", tmp_path / "machines/other/disk.qcow2"
    for path in (secret, other, places.disk, places.machine):
        path.write_text("content")
    shares = (Share(str(tmp_path / "shared"), "/mnt"), Share(str(tmp_path / "only"), "/srv", read_only=True))
    wiring = Wiring("tcg", 0, places.disk, (), places.port, qmp=0, console=0, network="user,id=net", folders=shares)
    own = fence_of(machine, places, wiring, program=PYTHON, network=SLIRP)
    left = os.open(secret, os.O_RDONLY)
    os.set_inheritable(left, True)
    with (
        socket.create_server(("127.0.0.1", 0)) as service,
        socket.socket(socket.AF_UNIX) as control,
        socket.socket(socket.AF_UNIX) as abstract,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE) as outside,
    ):
        control.bind(str(places.control))
        control.listen()
        abstract.bind(f"\0{tmp_path}")
        abstract.listen()
        words = {
            "image": machine.disk,
            "disk": str(places.disk),
            "work": str(places.work),
            "inside": str(places.inside),
            "secret": str(secret),
            "shared": str(tmp_path / "shared"),
            "only": str(tmp_path / "only"),
            "other": str(other),
            "machine": str(places.machine),
            "control": str(places.control),
            "abstract": str(tmp_path),
            "port": service.getsockname()[1],
            "outside": outside.pid,
            "left": left,
        }
        yield Site(replace(own, read=(*own.read, Path(sys.base_prefix).resolve())), json.dumps(words), left)
    os.close(left)


def attempts(site: Site) -> tuple[dict[str, str], confine.Confined]:
    """Let the intruder try all; return what came of it, and the fences that it was behind."""
    reading, writing = os.pipe()
    with open(reading, "rb") as said:
        try:
            found = confine.start([PYTHON, "-IS", "-c", INTRUDER, site.words], site.fence, stdout=writing)
        finally:
            os.close(writing)
        result = json.loads(said.read())
    assert found.process.wait() == 0
    return result, found


def column(number: int) -> dict[str, str]:
    return {name: words[number] for name, words in EXPECTED.items()}


@needs_all
def test_all_fences_keep_an_intruder_in(site: Site) -> None:
    found, behind = attempts(site)
    assert found == column(0)
    assert {"namespaces", "network", "capabilities", "no-new-privileges"} < set(behind.fences)
    assert behind.missing == ()


def test_namespaces_keep_an_intruder_in_where_the_kernel_has_no_landlock(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    found, behind = attempts(site)
    assert found == column(1)
    assert behind.missing == ("landlock: this kernel has none, or was started without",)


@needs_all
def test_landlock_keeps_an_intruder_in_where_the_host_allows_no_namespaces(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_namespaces(monkeypatch)
    found, behind = attempts(site)
    assert found == column(2)
    assert behind.missing == ("namespaces: Operation not permitted (unshare)",)
    assert not {"namespaces", "network"} & set(behind.fences)


def test_strict_starts_nothing_where_a_fence_is_missing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_namespaces(monkeypatch)
    program = f"open({str(site.fence.write[0])!r}, 'w').write('started')"
    with pytest.raises(HostError) as caught:
        confine.start([PYTHON, "-IS", "-c", program], site.fence, strict=True)
    assert caught.value.message == (
        "this host lacks fences for machines: namespaces: Operation not permitted (unshare)"
    )
    assert site.fence.write[0].read_text() == "content"


def forbid_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer as a kernel does that allows none, which is a setting of the whole host."""

    def refuse(flags: int) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), "unshare")

    monkeypatch.setattr(syscalls, "unshare", refuse)
