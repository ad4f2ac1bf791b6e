"""What changes files in a mounted file system that is not trusted: no link in it leads anywhere.

    python mounted_edit.py STEPS MOUNTED        # a program of its own, in a mount namespace; standard library only

Each folder on the way is opened by its name in the one above and may not be a link, so that a disk cannot make us write
to this host's files, whatever was read of it before.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

LABEL = "security.selinux"


def main(arguments: list[str]) -> int:
    """Do the steps, in order."""
    top = os.open(arguments[1], os.O_RDONLY | os.O_DIRECTORY)
    steps = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    for step in steps:
        above, _, name = step["path"].rpartition("/")
        folder = _folder(top, above)
        try:
            _do(step, folder, name)
        finally:
            os.close(folder)
    os.sync()
    return 0


def _folder(top: int, path: str) -> int:
    """Return a descriptor of a folder."""
    here = os.dup(top)
    for part in path.split("/") if path else []:
        below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
        os.close(here)
        here = below
    return here


def _do(step: dict[str, object], folder: int, name: str) -> None:
    if step["do"] == "put":
        _put(step, folder, name)
    elif step["do"] == "folder":
        os.mkdir(name, dir_fd=folder)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        os.fchmod(below, _number(step["mode"]))
        _label(folder, below)
        os.close(below)
    elif step["do"] == "symlink":
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        os.symlink(str(step["target"]), name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def _put(step: dict[str, object], folder: int, name: str) -> None:
    """Write a file in place, so that it keeps its attributes; a new one gets its folder's label."""
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = os.open(name, flags | os.O_TRUNC, dir_fd=folder)
    except FileNotFoundError:
        file = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
        _label(folder, file)
    with Path(str(step["content"])).open("rb") as content:
        while data := content.read(1 << 20):
            while data:
                data = data[os.write(file, data) :]
    os.fchown(file, _number(step["uid"]), _number(step["gid"]))
    os.fchmod(file, _number(step["mode"]))
    os.fsync(file)
    os.close(file)


def _label(folder: int, made: int) -> None:
    """Give what was made the label of its folder, as a kernel with SELinux does."""
    with contextlib.suppress(OSError):
        os.setxattr(made, LABEL, os.getxattr(folder, LABEL))


def _number(value: object) -> int:
    return int(str(value))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
