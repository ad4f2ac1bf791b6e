"""The program that stands between a build and what runs in its sandbox; started as `python -I -S launch.py FD`.

It reads what to do from the file that descriptor FD refers to (see `sandbox.py`, which writes it), makes the
namespaces, and becomes three processes: one outside that waits, process 1 of the sandbox, which lays out /proc, /dev
and the rest and reaps, and the program itself, with few capabilities and a filter on its system calls. When the
program ends, process 1 ends, and with process 1 the kernel ends whatever the program left running.

It imports little, because it is started for each program: `signal` and `typing` would take as long as all the rest.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import sys
import warnings  # noqa: F401 - os.execvpe imports it, but by then the host's files are gone

TYPE_CHECKING = False  # as typing has it
if TYPE_CHECKING:
    from typing import Any

# linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# linux/mount.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

# linux/prctl.h, linux/seccomp.h, linux/capability.h, linux/sockios.h, linux/if.h
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
SYS_SECCOMP, SYS_PIVOT_ROOT, SYS_CAPSET = 317, 155, 126  # x86-64
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1, 4
CAPABILITY_VERSION_3 = 0x20080522
SIOCSIFFLAGS, IFF_UP, AF_INET, SOCK_DGRAM = 0x8914, 1, 2, 2

# signal.h on x86-64
SIGKILL, SIGPIPE, SIGXFSZ = 9, 13, 25

# What dpkg and maintainer scripts do to files of any owner, and what becoming a service's user takes.
CAPABILITIES = {
    "chown": 0,
    "dac_override": 1,
    "fowner": 3,
    "fsetid": 4,
    "kill": 5,
    "setgid": 6,
    "setuid": 7,
    "setpcap": 8,
    "net_bind_service": 10,
    "sys_chroot": 18,
    "setfcap": 31,
}
LAST_CAPABILITY = 63  # as many as the kernel's sets have bits
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
HIDDEN = ("/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/sysrq-trigger", "/proc/timer_list")
COVERS = "/dev/.covers"
OPEN_FILES = 1024  # some programs walk through every descriptor that they may have
SIGNALLED = 128  # what a shell adds to a signal's number

libc = ctypes.CDLL(None, use_errno=True)


class RefusedError(Exception):
    """The sandbox could not be made; the text says which step failed and why."""


def must(result: int, what: str) -> int:
    """Return the result of a call of the C library; raise RefusedError if it is negative."""
    if result < 0:
        raise RefusedError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount (mount(2)); raise RefusedError if it fails."""
    done = libc.mount(source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode())
    must(done, f"mount {kind or source} on {target}")


def unshare(*, hosts_network: bool) -> None:
    """Make the namespaces; the next child is process 1 of a new one."""
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
    must(libc.unshare(flags | (0 if hosts_network else CLONE_NEWNET)), "unshare")


def wait_at(gate: int) -> None:
    """Say that the namespaces are there, and wait until the caller has given them a network."""
    os.write(gate, b"r")
    if os.read(gate, 1) != b"g":
        raise RefusedError("network: nobody gave it")
    os.close(gate)


def raise_loopback() -> None:
    """Bring up the loopback device, so that programs can talk to themselves without a network."""
    descriptor = must(libc.socket(AF_INET, SOCK_DGRAM, 0), "socket")
    request = ctypes.create_string_buffer(b"lo".ljust(16, b"\0") + IFF_UP.to_bytes(2, "little"), 40)
    must(libc.ioctl(descriptor, SIOCSIFFLAGS, request), "bring up the loopback device")
    os.close(descriptor)


def enter_root(root: str) -> int:
    """Make `root` the root folder and return a descriptor of the old one, which is still mounted below it."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    old = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    mount(root, root, flags=MS_BIND | MS_REC)
    mount("none", root, flags=MS_BIND | MS_REMOUNT | MS_NODEV | MS_NOSUID)
    os.chdir(root)
    must(libc.syscall(SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    return old


def leave_old_root(old: int) -> None:
    """Unmount all that the host has."""
    os.fchdir(old)
    must(libc.umount2(b".", MNT_DETACH), "unmount the host's files")
    os.close(old)
    os.chdir("/")


def lay_out(old: int, spec: dict[str, Any]) -> None:
    """Mount /proc, /sys, /dev, /tmp and /run, and what the caller binds. Paths here are inside the new root."""
    for folder in ("/proc", "/sys", "/dev", "/tmp", "/run"):
        if os.path.islink(folder):  # noqa: PTH114 (pathlib costs as much as all else here)
            raise RefusedError(f"{folder} of the root is a link")
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount("proc", "/proc", "proc", quiet)
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=0755,size=1m")
    os.fchdir(old)
    for name in DEVICES:
        make_file(f"/dev/{name}", 0o666)
        bind(f"dev/{name}", f"/dev/{name}", MS_NOEXEC)
    for name, target in LINKS.items():
        os.symlink(target, f"/dev/{name}")  # noqa: PTH211
    for folder in ("/dev/pts", "/dev/shm"):
        os.mkdir(folder)  # noqa: PTH102
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5")
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    mount("tmpfs", "/sys", "tmpfs", quiet | MS_RDONLY, "mode=0555,size=4k")
    for path in HIDDEN:
        if os.path.exists(path):  # noqa: PTH110
            bind("dev/null", path, MS_NOEXEC)
    mount("none", "/proc", flags=MS_BIND | MS_REMOUNT | MS_RDONLY | quiet)
    for inside, outside in spec["binds"].items():
        source = outside.lstrip("/")
        make_place(inside, folder=os.path.isdir(source))  # noqa: PTH112
        bind(source, inside, MS_NODEV)


def bind(source: str, target: str, flags: int) -> None:
    """Show something of the old root, read-only: not even a mode can be changed, though devices can be written."""
    mount(source, target, flags=MS_BIND)
    flags |= MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID
    try:
        mount("none", target, flags=flags)
    except RefusedError:  # the host forbids to run programs there, and we may not allow it
        mount("none", target, flags=flags | MS_NOEXEC)


def make_file(path: str, mode: int, content: bytes = b"") -> None:
    """Make a new file."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode)
    os.write(descriptor, content)
    os.fchmod(descriptor, mode)
    os.close(descriptor)


def make_place(path: str, *, folder: bool) -> None:
    """Make the empty file or folder that something can be mounted on."""
    os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    if not folder:
        make_file(path, 0o644)


def cover(files: dict[str, tuple[bytes, int]]) -> list[str]:
    """Lay files over those of the root; return the paths that had to be made for it, to be removed at the end."""
    made = []
    os.mkdir(COVERS, 0o755)  # noqa: PTH102
    for number, (path, (content, mode)) in enumerate(sorted(files.items())):
        own = f"{COVERS}/{number}"
        make_file(own, mode, content)
        target = os.path.realpath(path)
        if not os.path.exists(target):  # noqa: PTH110
            make_place(target, folder=False)
            made.append(target)
        mount(own, target, flags=MS_BIND)
    return made


def uncover(made: list[str]) -> None:
    """Remove the empty files that `cover` made."""
    for path in made:
        libc.umount2(path.encode(), MNT_DETACH)
        os.unlink(path)  # noqa: PTH108


def drop_rights(seccomp: bytes) -> None:
    """Keep the few capabilities that configuring packages takes, and filter system calls from now on."""
    kept = set(CAPABILITIES.values())
    for number in range(LAST_CAPABILITY + 1):
        if number not in kept:
            libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)  # fails for those that this kernel does not know
    low = sum(1 << number for number in kept)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(low, low, 0, 0, 0, 0)
    must(libc.syscall(SYS_CAPSET, header, sets), "capset")
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")

    class Program(ctypes.Structure):  # struct sock_fprog, linux/filter.h
        _fields_ = (("count", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    program = Program(len(seccomp) // 8, seccomp)
    flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW
    must(libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(program)), "seccomp")


def execute(spec: dict[str, Any], descriptor: int) -> None:
    """Become the program."""
    os.setsid()
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
    for number in (SIGPIPE, SIGXFSZ):  # Python ignores them, programs expect them
        libc.signal(number, None)
    os.chdir(spec["cwd"])
    drop_rights(spec["seccomp"])
    os.set_inheritable(descriptor, False)
    try:
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606
    except OSError as error:
        raise RefusedError(f"{spec['argv'][0]}: {error.strerror}") from None


def status_of(waited: int) -> int:
    """Return a wait status as a shell gives it: 0 to 255, more than 128 for a signal."""
    return os.WEXITSTATUS(waited) if os.WIFEXITED(waited) else SIGNALLED + os.WTERMSIG(waited)


def first_process(spec: dict[str, Any], descriptor: int) -> int:
    """Be process 1: lay out the root, run the program, reap, and return its status."""
    if not spec["hosts_network"]:
        raise_loopback()
    must(libc.sethostname(b"jeos", 4), "sethostname")
    old = enter_root(spec["root"])
    lay_out(old, spec)
    leave_old_root(old)
    made = cover(spec["covers"])
    child = os.fork()
    if child == 0:
        guarded(execute, spec, descriptor)
    status = None
    while status is None:
        process, waited = os.wait()
        if process == child:
            status = status_of(waited)
    try:  # noqa: SIM105 (contextlib is not imported, it takes its time)
        os.kill(-1, SIGKILL)  # all but this process
    except ProcessLookupError:
        pass  # the program left nothing running
    uncover(made)
    return status


def guarded(work: Any, *arguments: Any) -> None:
    """Do something and end this process with the status it returns; a failure is written where the caller looks."""
    try:
        status = work(*arguments) or 0
    except BaseException as error:
        descriptor = arguments[-1]
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"!{error if isinstance(error, RefusedError) else repr(error)}".encode(), 0)
        status = SIGNALLED - 1
    os._exit(status)


def outside(spec: dict[str, Any], descriptor: int) -> int:
    """Make the namespaces, start process 1 and wait for it; neither outlives the build."""
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != spec["parent"]:
        return SIGNALLED + SIGKILL  # the build died before we could ask to be told
    unshare(hosts_network=spec["hosts_network"])
    if spec["gate"] >= 0:
        wait_at(spec["gate"])
    alive, held = os.pipe()
    child = os.fork()
    if child == 0:
        libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        os.close(held)
        os.set_blocking(alive, False)
        try:
            os.read(alive, 1)
            os._exit(1)  # end of file: who started us is dead
        except BlockingIOError:
            os.close(alive)
        guarded(first_process, spec, descriptor)
    return status_of(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    specification = int(sys.argv[1])
    guarded(outside, marshal.loads(os.pread(specification, os.fstat(specification).st_size, 0)), specification)  # noqa: S302
