"""Write to XFS and btrfs through this host's kernel: as root, on a loop device, in a mount namespace of its own.

Whatever kills jeos, nothing stays mounted: the processes end with the namespace, the mount with them, and the loop
device with the mount. The kernel reads structures that come from outside here; docs/adr/ tells why, and what is done
about it (no devices, no programs, no set-user-ID from there).
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jeos.convert.writers.base import Delete, Edit, Folder, Place, Put, Symlink, check_path
from jeos.core import files
from jeos.core.errors import HostError, ProcessError
from jeos.core.run import find_program, run

PROGRAMS = ("unshare", "mount", "umount")
LOOP = Path("/dev/loop-control")
CAP_SYS_ADMIN = 21
TIMEOUT = 3600.0  # seconds
# XFS does not mount two file systems of one UUID, and the original may be a disk of this host.
_OPTIONS = {"xfs": "nouuid", "btrfs": "subvolid=5"}
_NAMESPACE = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
_GROW = {"xfs": ("xfs_growfs", "-d"), "btrfs": ("btrfs", "filesystem", "resize", "max")}
# The kind, the options, the disk, where to mount it; then a command, whose last word is that folder.
_SCRIPT = """
kind=$1; options=$2; disk=$3; top=$4; shift 4
mount -t "$kind" -o "$options" "$disk" "$top" || exit 1
status=0; "$@" "$top" || status=$?
umount "$top" || exit 1
exit $status
"""


def check_host() -> None:
    """Raise HostError if this user cannot mount."""
    for name in PROGRAMS:
        find_program(name)
    if os.geteuid() != 0:
        raise HostError(
            "XFS and btrfs are written by this host's kernel, which mounts them for root only",
            hint="run the same command with sudo (sudo jeos convert …); without root only --no-fixes, and no --resize",
        )
    if not _may_mount() or not LOOP.exists():
        raise HostError(
            "XFS and btrfs are written by this host's kernel, and root in this container may not mount",
            hint="run jeos on the host, or in a container with the right to mount and with /dev/loop-control",
        )


def _may_mount() -> bool:
    """Tell whether this process has the right to mount (capabilities(7), CAP_SYS_ADMIN)."""
    lines = (line.partition(":") for line in Path("/proc/self/status").read_text().splitlines())
    rights = next((int(value, 16) for name, _, value in lines if name == "CapEff"), 0)
    return bool(rights >> CAP_SYS_ADMIN & 1)


def check_growing(kind: str) -> None:
    """Raise HostError if this machine cannot let a file system grow."""
    check_host()
    find_program(_GROW[kind][0])


def settle(place: Place, *, kind: str) -> None:
    """Let the kernel replay the journal."""
    _run(place, [], kind=kind)


def edit(place: Place, edits: Sequence[Edit], *, kind: str) -> None:
    """Make the changes."""
    _run(place, edits, kind=kind)


def grow(place: Place, *, kind: str) -> None:
    """Let the file system take all of its place. Raises HostError if this machine cannot do that."""
    check_growing(kind)
    with files.temporary_folder(place.path.parent, prefix="mount-") as work:
        _mounted(place, [*_GROW[kind]], work, kind=kind)


def _run(place: Place, edits: Sequence[Edit], *, kind: str) -> None:
    with files.temporary_folder(place.path.parent, prefix="mount-") as work:
        steps = [_step(one, work / f"put-{number}") for number, one in enumerate(edits)]
        (work / "steps").write_text(json.dumps(steps))
        script = Path(__file__).with_name("mounted_edit.py")
        _mounted(place, [sys.executable, "-I", "-S", script, work / "steps"], work, kind=kind)


def _mounted(place: Place, command: Sequence[str | Path], work: Path, *, kind: str) -> None:
    """Run a command that is told, as its last word, where the file system is mounted."""
    check_host()
    mount = work / "mount"
    mount.mkdir()
    options = f"loop,offset={place.offset},sizelimit={place.size},nodev,nosuid,noexec,{_OPTIONS[kind]}"
    words = [kind, options, place.path, mount, *command]
    done = run([*_NAMESPACE, "sh", "-c", _SCRIPT, "jeos", *words], check=False, timeout=TIMEOUT)
    said = done.stderr.decode(errors="replace").strip()
    if "unknown filesystem type" in said:
        raise HostError(f"this host's kernel knows no {kind}", hint=f"sudo modprobe {kind}, or convert elsewhere")
    if done.status != 0:
        raise ProcessError(
            f"the {kind} file system could not be written\n  {said[-2000:]}",
            hint="the kernel's log (dmesg) may tell more; root in a container needs the right to mount",
        )


def _step(one: Edit, staged: Path) -> dict[str, object]:
    check_path(one.path)
    match one:
        case Put(path=path, content=content, mode=mode, uid=uid, gid=gid):
            staged.write_bytes(content)
            return {"do": "put", "path": path, "content": str(staged), "mode": mode, "uid": uid, "gid": gid}
        case Folder(path=path, mode=mode):
            return {"do": "folder", "path": path, "mode": mode}
        case Symlink(path=path, target=target):
            return {"do": "symlink", "path": path, "target": target}
        case Delete(path=path):
            return {"do": "delete", "path": path}
