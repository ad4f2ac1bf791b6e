"""Physical volumes in partitions of image files, made and looked at by LVM itself, without its kernel driver.

create(disk, partition(disk, "sda1"), volumes=[("root", 16 << 20)])
ask(disk, partition(disk, "sda1"))         # {"root": 16777216, "free": 0, "device": 66043392}
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from jeos.disk.blocks import File, pieces
from jeos.disk.volumes import layout
from jeos.disk.volumes.base import Piece, Volume

GROUP = "vg0"


def volume(disk: Path, name: str) -> Volume:
    """Return a volume; its bytes can no longer be read."""
    with File(disk) as file:
        return next(one for one in layout.read([file]).volumes if one.name == name)


def partition(disk: Path, name: str) -> Piece:
    """Return where a partition lies."""
    return volume(disk, name).pieces[0]


def lvm(disk: Path, place: Piece, *commands: Sequence[str]) -> str:
    """Run LVM's commands on a partition; {0} stands for its device. Returns what the last one printed."""
    attach: list[str | Path] = ["losetup", "-f", "--show", f"--offset={place.start}", f"--sizelimit={place.size}", disk]
    device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    config = (
        f'devices{{use_devicesfile=0 filter=["a|^{device}$|","r|.*|"]}} global{{locking_dir="{disk.parent}"}} '
        "backup{backup=0 archive=0} activation{udev_sync=0 udev_rules=0}"
    )
    said = ""
    try:
        for program, *arguments in commands:
            words = [program, "--config", config, *(word.format(device) for word in arguments)]
            done = subprocess.run(words, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            said = done.stdout
    finally:
        subprocess.run(["losetup", "-d", device], check=True)
    return said


def create(disk: Path, place: Piece, *, volumes: Sequence[tuple[str, int]], options: Sequence[str] = ()) -> None:
    """Make a group of one physical volume, with volumes of these names and sizes in this order."""
    made = [
        ("lvcreate", "--driverloaded", "n", "-an", "-Zn", "-Wn", "-L", f"{size}b", "-n", name, GROUP)
        for name, size in volumes
    ]
    lvm(disk, place, ("pvcreate", *options, "{0}"), ("vgcreate", GROUP, "{0}"), *made)


def ask(disk: Path, place: Piece) -> dict[str, int]:
    """Return what LVM says after it has checked the group: the volumes' sizes, what is free, and the device's size."""
    report = ["--reportformat", "json", "--units", "b", "--nosuffix", "-o"]
    lvm(disk, place, ("vgck", GROUP), ("pvck", "{0}"))
    volumes = json.loads(lvm(disk, place, ("lvs", *report, "lv_name,lv_size", GROUP)))["report"][0]["lv"]
    physical = json.loads(lvm(disk, place, ("pvs", *report, "pv_free,dev_size,pv_name")))["report"][0]["pv"][0]
    found = {one["lv_name"]: int(one["lv_size"]) for one in volumes}
    return {**found, "free": int(physical["pv_free"]), "device": int(physical["dev_size"])}


def write(disk: Path, name: str, content: Path) -> None:
    """Copy a file into a volume that lies in one piece."""
    start = partition(disk, name).start
    with File(content) as source, disk.open("r+b") as target:
        for offset, data in pieces(source):
            target.seek(start + offset)
            target.write(data)


def read(disk: Path, name: str, target: Path) -> Path:
    """Copy a volume into a file."""
    with File(disk) as file, target.open("wb") as copy:
        blocks = next(one for one in layout.read([file]).volumes if one.name == name).blocks
        for offset, data in pieces(blocks):
            copy.seek(offset)
            copy.write(data)
        copy.truncate(blocks.size)
    return target
