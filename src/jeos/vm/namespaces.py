"""A view of this host in which nothing is but what a program needs: own mounts, processes, IPC, names, control groups.

    enter(fence)            # in a new process of one thread; raises OSError and then may be of no further use
    become_first()          # its other self is the first process of its own table, and a child of the same parent
    show(fence)             # there: from now on it sees what the fence allows, and nothing else; raises OSError

An ordinary user may do this inside a user namespace of his own, where the host allows these. The view is a tmpfs on
which the paths of the fence are mounted, each where the host has it, so that paths mean the same inside and outside.
Source: namespaces(7), user_namespaces(7), mount_setattr(2), pivot_root(2); Linux, include/uapi/linux/mount.h.
"""

import errno
import os
import signal
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jeos.vm import syscalls
from jeos.vm.elf import interpreter
from jeos.vm.fence import Fence

NEW_MOUNTS, NEW_CGROUP, NEW_NAMES, NEW_IPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
SHARED_PARENT = 0x8000  # CLONE_PARENT
HERE, EMPTY_PATH, RECURSIVE = -100, 0x1000, 0x8000  # AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE
CLONE_TREE, CLOSE_ON_EXEC = 1, os.O_CLOEXEC  # OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC
FROM_DESCRIPTOR = 0x4  # MOVE_MOUNT_F_EMPTY_PATH
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS = 1, 2, 4, 8  # MOUNT_ATTR_*
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_RECURSIVE, MS_PRIVATE = 2, 4, 8, 0x4000, 0x40000
PROC = Path("/proc")
FOOTHOLD = "/tmp"  # a folder that each host has; the view is laid over it for the moment until it is the root
HOST_NAME = "machine"
OWN_USERS = Path("/proc/self/ns/user")
MOST_NAMESPACES = Path("/proc/sys/user/max_user_namespaces")  # namespaces(7); counted for each user namespace


@dataclass(frozen=True, slots=True)
class _Tree:
    """A file or folder of the host on its way into the view."""

    path: Path
    folder: bool
    descriptor: int


def enter(fence: Fence) -> None:
    """Move this process into namespaces of its own, which still show it the host's files. Raises OSError."""
    user, group = os.geteuid(), os.getegid()
    before = OWN_USERS.readlink()
    fresh = NEW_MOUNTS | NEW_PROCESSES | NEW_IPC | NEW_NAMES | NEW_CGROUP | (0 if fence.network else NEW_NETWORK)
    try:
        _become_root_of_one(fresh, user, group)
    except OSError:
        if user != 0 or OWN_USERS.readlink() != before:
            raise
        syscalls.unshare(fresh)  # in a container whose root may mount, but not have users of its own
    else:
        MOST_NAMESPACES.write_text("0")  # in the new one, not on the host: none below it, with new rights there
    socket.sethostname(HOST_NAME)


def become_first() -> int:
    """Fork once more, into the new table of processes; return 0 in the new process, else its number.

    It is a child of this process's parent, which so need not know that there was one between.
    """
    return syscalls.call(syscalls.CLONE, SHARED_PARENT | signal.SIGCHLD, 0, 0, 0, 0, what="clone")


def make_read_only(folder: Path) -> None:
    """Let this process, and what it becomes, see a folder as one that cannot be written to. Raises OSError."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        syscalls.unshare(NEW_MOUNTS)
    else:
        _become_root_of_one(NEW_MOUNTS, user, group)
    syscalls.mount(None, "/", None, MS_RECURSIVE | MS_PRIVATE, None)
    (tree,) = _tree(folder, READ_ONLY | NO_SETUID | NO_DEVICES)
    _move(tree, folder)


def _become_root_of_one(fresh: int, user: int, group: int) -> None:
    """Enter a user namespace in which there is this user alone, and namespaces that belong to it."""
    syscalls.unshare(NEW_USER | fresh)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def show(fence: Fence) -> None:
    """Make a root of what the fence allows, and leave the host's. Raises OSError."""
    syscalls.mount(None, "/", None, MS_RECURSIVE | MS_PRIVATE, None)
    links = [(path, path.readlink()) for path in fence.read if path.is_symlink()]
    trees = sorted(_trees(fence), key=lambda tree: len(tree.path.parts))  # before the foothold hides what is below it
    syscalls.mount("jeos", FOOTHOLD, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0755")
    os.chdir(FOOTHOLD)
    for path, target in links:
        _parents(path)
        _inside(path).symlink_to(target)
    for tree in trees:
        _place(tree)
    if fence.own_proc:
        _show_processes(_inside(PROC))
    _set(HERE, b".", READ_ONLY | NO_SETUID | NO_PROGRAMS, recursive=False)
    syscalls.call(syscalls.PIVOT_ROOT, b".", b".", what="pivot_root")  # the host's root now lies over it
    syscalls.unmount_later(".")
    os.chdir("/")


def _show_processes(place: Path) -> None:
    """Mount what the kernel tells of this table of processes alone, while the host's own can be seen: it insists."""
    place.mkdir(exist_ok=True)
    try:
        syscalls.mount("proc", str(place), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        syscalls.mount("proc", str(place), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)  # Linux before 5.8


def _trees(fence: Fence) -> Iterator[_Tree]:
    loader = interpreter(fence.program)
    read = [path for path in fence.read if not path.is_symlink()]
    shown = [path for path in (fence.program, *([loader] if loader else [])) if not _below(path, fence.read)]
    for path in dict.fromkeys((*read, *shown)):
        yield from _tree(path, READ_ONLY | NO_SETUID | NO_DEVICES)
    for path in fence.trees:
        yield from _tree(path, (READ_ONLY if path in fence.read_only else 0) | NO_SETUID | NO_DEVICES)
    for path in (*fence.write, *fence.rooms):
        yield from _tree(path, NO_SETUID | NO_DEVICES | NO_PROGRAMS)
    for path in fence.devices:
        yield from _tree(path, NO_SETUID | NO_PROGRAMS)


def _below(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _tree(path: Path, attributes: int) -> Iterator[_Tree]:
    if not path.exists():
        return
    flags = CLONE_TREE | CLOSE_ON_EXEC | RECURSIVE
    descriptor = syscalls.call(syscalls.OPEN_TREE, HERE, os.fsencode(path), flags, what=f"open_tree {path}")
    _set(descriptor, b"", attributes, recursive=True)
    yield _Tree(path, path.is_dir(), descriptor)


def _set(descriptor: int, path: bytes, attributes: int, *, recursive: bool) -> None:
    value = struct.pack("=QQQQ", attributes, 0, 0, 0)
    flags = (EMPTY_PATH if not path else 0) | (RECURSIVE if recursive else 0)
    syscalls.call(syscalls.MOUNT_SETATTR, descriptor, path, flags, value, len(value), what="mount_setattr")


def _place(tree: _Tree) -> None:
    """Mount a tree in the view, at the path that it has on the host."""
    _parents(tree.path)
    target = _inside(tree.path)
    if tree.folder:
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.touch(mode=0o600)
    _move(tree, target)


def _move(tree: _Tree, target: Path) -> None:
    words = (tree.descriptor, b"", HERE, os.fsencode(target), FROM_DESCRIPTOR)
    syscalls.call(syscalls.MOVE_MOUNT, *words, what=f"move_mount {tree.path}")
    os.close(tree.descriptor)


def _parents(path: Path) -> None:
    _inside(path.parent).mkdir(parents=True, exist_ok=True)


def _inside(path: Path) -> Path:
    return Path(f".{path}")
