"""Become root of a namespace of our own, so that a build needs no rights on the host and leaves no mount behind.

    namespace.enter()      # early in the process, before any thread is started

An ordinary user gets a user namespace in which they are uid 0 and own 65,536 ids: their own as 0, and the range that
/etc/subuid and /etc/subgid give them as 1 to 65535. Root keeps its ids. Both get a mount namespace that no mount
leaves: all of them vanish with the last process in it.
"""

import contextlib
import ctypes
import os
import pwd
import time
from collections.abc import Callable
from pathlib import Path

from jeos.core import files, settings
from jeos.core.errors import HostError, JeosError, ProcessError
from jeos.core.run import find_program, run

CLONE_NEWNS = 0x00020000  # linux/sched.h
CLONE_NEWUSER = 0x10000000
MS_REC = 0x4000  # linux/mount.h
MS_PRIVATE = 1 << 18
THREAD_END = 2.0  # seconds for the kernel to put away threads that were joined
IDS = 65536  # what Debian's ids take: 0 to 65534 (nobody), and the one that means none

_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Make this process root of namespaces of its own. Doing it twice does no harm.

    Raises HostError if the process has more than one thread, if the host does not allow it or if the user has too few
    subordinate ids; the hint says what mends it.
    """
    if inside():
        return
    if not _single_threaded():
        raise HostError(
            "the build's namespace can be entered only while the process has a single thread",
            hint="this is a fault in jeos: report it",
        )
    # Folders that depend on who we are must stay the user's.
    os.environ.setdefault("HOME", str(Path.home()))
    os.environ.setdefault("JEOS_TMPDIR", str(settings.work_dir()))
    if os.geteuid() == 0:
        _require_ids()
        _unshare(CLONE_NEWNS)
    else:
        _enter_user_namespace()
    _make_private()
    _entered.append(_own_namespace())


_entered: list[str] = []  # the mount namespace that this process, or the one it was forked from, made


def _single_threaded() -> bool:
    """Tell whether this process has one thread; one that was joined may take the kernel a moment to put away."""
    deadline = time.monotonic() + THREAD_END
    while len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def _own_namespace() -> str:
    return str(Path("/proc/self/ns/mnt").readlink())


def inside() -> bool:
    """Tell whether this process is in the namespace that `enter` made."""
    return _own_namespace() in _entered


def mapping() -> str:
    """Return a short word for who uid 0 and its ids are on the host, for the keys of caches that hold such files.

    "root", or for example "1000-100000-100000": the user's id, and where the uids and gids from 1 on start.
    """
    uids = _map("uid_map")
    if uids[0][1] == 0:
        return "root"
    return "-".join(str(outside) for _, outside, _ in (uids[0], uids[-1], _map("gid_map")[-1]))


def _map(name: str) -> list[tuple[int, int, int]]:
    """Return the id map of this process: first id inside, first id outside, and how many, for each range."""
    lines = Path("/proc/self", name).read_text().splitlines()
    ranges = [tuple(int(number) for number in line.split()) for line in lines]
    return [(first, outside, count) for first, outside, count in ranges]


def _require_ids() -> None:
    for name in ("uid_map", "gid_map"):
        if sum(count for _, _, count in _map(name)) < IDS:
            raise HostError(
                f"this namespace has fewer than {IDS} ids ({name}), and a Debian system needs that many",
                hint="run jeos as an ordinary user, or in a namespace with a range of subordinate ids",
            )


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) == 0:
        return
    error = ctypes.get_errno()
    if os.geteuid() == 0:
        hint = "in a container, allow it CAP_SYS_ADMIN and the system call unshare, or use a virtual machine"
    elif _APPARMOR.exists() and _APPARMOR.read_text().strip() != "0":
        hint = "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give jeos an AppArmor profile"
    else:
        hint = "sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000, or run as root"
    raise HostError(f"this host does not allow a namespace: {os.strerror(error)}", hint=hint)


def _enter_user_namespace() -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    ranges = {name: subordinate(Path("/etc", name), user=user, number=os.getuid()) for name in ("subuid", "subgid")}
    for program in ("newuidmap", "newgidmap"):
        find_program(program)
    finish = _in_child(_map_ids, parent=os.getpid(), ranges=ranges)
    _unshare(CLONE_NEWUSER | CLONE_NEWNS)
    finish()
    os.setresgid(0, 0, 0)
    os.setgroups([])
    os.setresuid(0, 0, 0)
    # Changing ids made /proc/self root's; the namespace's root must be able to open its own files there.
    _libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE
    if _APPARMOR.exists():
        _check_rights()


def _check_rights() -> None:
    """Ubuntu's AppArmor grants the namespace and then denies all that it is for: say so before a mount fails."""
    if _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise HostError(
            "AppArmor on this host takes the rights away that a user namespace gives",
            hint="sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give jeos an AppArmor profile",
        )


def subordinate(table: Path, *, user: str, number: int) -> int:
    """Return the first of at least 65,535 subordinate ids that a table (subuid(5)) gives to a user.

    Raises HostError if there is no such range.
    """
    lines = table.read_text().splitlines() if table.exists() else []
    for line in lines:
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in (user, str(number)) and first.isdecimal() and count.isdecimal() and int(count) >= IDS - 1:
            return int(first)
    kind = "uids" if table.name == "subuid" else "gids"
    raise HostError(
        f"{table} gives {user} no range of {IDS - 1} subordinate {kind}, and a Debian system needs that many",
        hint=f"sudo usermod --add-sub{kind} 100000-165535 {user} (or another range that nobody has)",
    )


def _map_ids(parent: int, ranges: dict[str, int]) -> None:
    """Write the id maps of `parent`, from outside of its namespace, with the set-uid programs that may do so."""
    own = {"newuidmap": os.getuid(), "newgidmap": os.getgid()}
    for program, table in (("newuidmap", "subuid"), ("newgidmap", "subgid")):
        words = ["0", str(own[program]), "1", "1", str(ranges[table]), str(IDS - 1)]
        run([program, str(parent), *words])


def _in_child(work: Callable[..., None], **arguments: object) -> Callable[[], None]:
    """Fork a child that waits until the returned function is called, then does `work`; its error is raised there."""
    go_read, go_write = os.pipe()
    said_read, said_write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(go_write)
            os.close(said_read)
            if os.read(go_read, 1):
                work(**arguments)
            status = 0
        except JeosError as error:
            os.write(said_write, error.message.encode())
        except BaseException as error:  # the child must never return into the parent's code
            os.write(said_write, repr(error).encode())
        finally:
            os._exit(status)
    os.close(go_read)
    os.close(said_write)

    def finish() -> None:
        os.write(go_write, b"x")
        with os.fdopen(said_read, "rb") as said:
            message = said.read().decode(errors="replace")
        os.close(go_write)
        if os.waitpid(child, 0)[1] != 0:
            raise ProcessError(f"the ids of the namespace could not be set\n  {message}", hint="see `jeos doctor`")

    return finish


def _make_private() -> None:
    if _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise HostError(
            f"the mounts of this process cannot be made private: {os.strerror(ctypes.get_errno())}",
            hint="in a container, allow it CAP_SYS_ADMIN, or use a virtual machine",
        )


def remove_tree(folder: Path) -> None:
    """Delete a folder in which files belong to subordinate ids; may be called inside and outside of the namespace."""
    if inside() or os.geteuid() == 0:
        files.remove_tree(folder)
        return
    with contextlib.suppress(PermissionError):  # the short way, where all is the user's own
        files.remove_tree(folder)
        return

    def work() -> None:
        enter()
        files.remove_tree(folder)

    _in_child(work)()
