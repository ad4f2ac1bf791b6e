"""Start QEMU's guest agent where it is installed: the host asks it for addresses, and to freeze for backups."""

import re

from jeos.convert.changes import Change, Fix, Link
from jeos.convert.machine import Machine, Options
from jeos.core.errors import InputError
from jeos.disk.root import Root

NAME = "guest-agent"
TITLE = "QEMU's guest agent starts"
ORDER = 80

_UNIT = "qemu-guest-agent.service"
_UNIT_FOLDERS = ("usr/lib/systemd/system", "lib/systemd/system")
_ENABLED = "etc/systemd/system"
_RULES = (
    "usr/lib/udev/rules.d/*guest-agent*.rules",
    "lib/udev/rules.d/*guest-agent*.rules",
    "etc/udev/rules.d/*.rules",
)
_WANTED = re.compile(r"(?m)^[ \t]*WantedBy[ \t]*=[ \t]*(.*)$", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the links that start an installed agent; one that is masked, or that udev starts, is left alone."""
    if not machine.linux or "virtio" not in options.hosts:
        return None
    root = machine.root
    folder = next((folder for folder in _UNIT_FOLDERS if root.is_file(f"{folder}/{_UNIT}")), None)
    if folder is None or _UNIT in root.names(_ENABLED) or _started_by_udev(root):
        return None
    # systemd escapes the names of devices: "-" in one is written \x2d.
    wanted = " ".join(_WANTED.findall(root.read_text(f"{folder}/{_UNIT}"))).split()
    targets = [f"{_ENABLED}/{target}.wants/{_UNIT}" for target in wanted]
    changes: tuple[Change, ...] = tuple(
        Link(path, f"/{folder}/{_UNIT}") for path in targets if not _is_there(root, path)
    )
    if not changes:
        return None
    return Fix(NAME, TITLE, changes=changes, notes=(f"{_UNIT} is enabled: its package was installed, and it was off",))


def _started_by_udev(root: Root) -> bool:
    paths = [path for pattern in _RULES for path in root.glob(pattern)]
    return any(_UNIT in line for path in paths for line in root.text_or_empty(path).splitlines() if line[:1] != "#")


def _is_there(root: Root, path: str) -> bool:
    try:
        root.find(path, follow=False)
    except InputError:
        return False
    return True
