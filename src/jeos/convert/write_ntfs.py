"""Apply changes to an NTFS file system inside of a disk image, with ntfs-3g, as root or as an ordinary user.

    write(Path("server.qcow2"), kind="qcow2", start=1 << 20, size=40 << 30, changes=fix.changes)

Two programs do the work: qemu-storage-daemon shows the volume, which is a part of an image in any of QEMU's formats, as
a file (through FUSE, that is /dev/fuse), and ntfs-3g mounts that file. Both run in mount and process namespaces of
their own, so that nothing stays mounted or running, whatever kills jeos. A volume on which Windows sleeps, or that was
not put away in order, is refused before it is touched.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from jeos.convert.changes import Append, Change, Registry, Remove, Write
from jeos.core import files, settings
from jeos.core.errors import HostError, InputError
from jeos.core.run import find_program, run
from jeos.disk import hive_edit
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems import base, ntfs
from jeos.disk.filesystems.ntfs import Ntfs

PROGRAMS = ("qemu-storage-daemon", "ntfs-3g", "unshare", "mountpoint")
TIMEOUT = 600.0  # seconds
_FUSE = Path("/dev/fuse")
_HIVE_LIMIT = 1 << 30  # bytes; Windows itself stops at 2 GiB, and large ones have 200 MB

# New files take their rights from the folder that they are in, as they do in Windows.
_OPTIONS = "no_detach,inherit,windows_names,big_writes"
# $1 is the folder to mount in, $2 and $3 describe the disk to qemu-storage-daemon; then threes of what to do. Ending is
# waited for: what is written reaches the disk only when ntfs-3g, then qemu-storage-daemon have put it there.
_SCRIPT = f"""
set -e
top=$1; volume=$top/volume; files=$top/files; disk=$2; part=$3; shift 3
mount -t tmpfs none "$top"; : > "$volume"; mkdir "$files"
shown() {{ until mountpoint -q "$2"; do kill -0 "$1" || {{ wait "$1"; exit 1; }}; sleep 0.02; done }}
qemu-storage-daemon --blockdev "$disk" --blockdev "$part" \
    --export type=fuse,id=volume,node-name=part,mountpoint="$volume",writable=on & daemon=$!
shown $daemon "$volume"
ntfs-3g -o {_OPTIONS} "$volume" "$files" & mounted=$!
shown $mounted "$files"
while [ $# -gt 0 ]; do
    path=$files/$2
    case $1 in
        write) mkdir -p "${{path%/*}}"; cat "$3" > "$path" ;;
        append) cat "$3" >> "$path" ;;
        remove) rm -f "$path" ;;
    esac
    shift 3
done
umount "$files"; wait $mounted
kill $daemon; wait $daemon
"""


def missing_programs() -> tuple[str, ...]:
    """Return which of the needed programs this machine lacks, hivexregedit among them."""
    missing = []
    for name in (*PROGRAMS, "hivexregedit"):
        try:
            find_program(name)
        except HostError:
            missing.append(name)
    return tuple(missing)


def check_host() -> None:
    """Raise HostError if this machine cannot write to NTFS, with what it lacks."""
    for name in PROGRAMS:
        find_program(name)
    if not os.access(_FUSE, os.R_OK | os.W_OK):
        raise HostError(
            f"{_FUSE} is missing or closed, through which NTFS is written",
            hint="sudo modprobe fuse; in a container, start it with --device /dev/fuse --cap-add SYS_ADMIN",
        )


def write(image: Path, *, kind: str, start: int, size: int, volume: Blocks, changes: Sequence[Change]) -> None:
    """Apply changes, whose paths are the file system's, to the volume of `size` bytes from `start` on in an image.

    `kind` is the image's format as QEMU calls it, `volume` the same bytes for reading. Raises InputError if Windows
    sleeps on the volume, or it waits for a check, HostError if this machine cannot write to NTFS, and ProcessError if
    one of the programs fails; the image is then not to be used.
    """
    check_host()
    filesystem = ntfs.open_filesystem(volume)
    _check_volume(filesystem)
    with files.temporary_folder(settings.work_dir(), prefix="ntfs-") as work:
        steps = _stage(filesystem, changes, work)
        mount = work / "mount"
        mount.mkdir()
        top: dict[str, object] = {"driver": "file", "filename": str(image.absolute()), "node-name": "file"}
        disk = top if kind == "raw" else {"driver": kind, "node-name": "disk", "file": {**top, "node-name": "image"}}
        node = disk["node-name"]
        part = {"driver": "raw", "node-name": "part", "file": node, "offset": start, "size": size}
        words = [str(mount), json.dumps(disk), json.dumps(part), *steps]
        run([*_namespace(), "sh", "-c", _SCRIPT, "jeos", *words], timeout=TIMEOUT)


def _namespace() -> list[str]:
    """Return the start of a command that may mount, and leaves neither mounts nor processes behind."""
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    # With a range of ids, since ntfs-3g gives up those that it does not need.
    return command if os.geteuid() == 0 else [*command, "--user", "--map-root-user", "--map-auto"]


def _check_volume(filesystem: Ntfs) -> None:
    if filesystem.hibernated:
        raise InputError(
            "Windows sleeps on this volume (hibernated, or shut down for a fast start-up)",
            hint="start it, run `shutdown /s /t 0`, and take its disk again",
        )
    if not filesystem.clean:
        raise InputError(
            "Windows did not put this volume away in order, and wants to check it",
            hint="start it, let it check, run `shutdown /s /t 0`, and take its disk again",
        )


def _stage(filesystem: Ntfs, changes: Iterable[Change], work: Path) -> list[str]:
    """Put the new contents into files, and return what the script is to do with them: word, path and file."""
    steps: list[str] = []
    hives: dict[str, Path] = {}
    for number, change in enumerate(changes):
        path = _checked(change.path)
        staged = work / f"{number}"
        match change:
            case Write(content=content):
                staged.write_bytes(content)
                steps += ["write", path, str(staged)]
            case Append(content=content, align=align):
                staged.write_bytes(bytes(-_size(filesystem, path) % align) + content)
                steps += ["append", path, str(staged)]
            case Remove():
                steps += ["remove", path, ""]
            case Registry(keys=keys):
                hive = hives.get(path.casefold())
                if hive is None:
                    hive = hives[path.casefold()] = staged
                    staged.write_bytes(base.read_file(filesystem, path, limit=_HIVE_LIMIT))
                    steps += ["write", path, str(staged)]
                hive_edit.merge(hive, keys)
            case _:
                raise InputError(f"/{path}: links are not made on NTFS")
    return steps


def _checked(path: str) -> str:
    """Return a path if it stays within the file system. Raises InputError if it does not."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise InputError(f"{path!r} is no path within a file system")
    return path


def _size(filesystem: Ntfs, path: str) -> int:
    return base.find(filesystem, path).size
