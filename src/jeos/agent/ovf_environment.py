"""What was typed into vSphere's deployment wizard: the OVF environment, on a disc that the hypervisor puts in (DSP0243,
chapter 11, transport "iso").

The disc is ISO 9660 with the file ovf-env.xml in its root, and is read as it is: an image needs no driver for its file
system. Both come from the hypervisor, which could do worse to its guests; that they are bounded is for the sake of
damaged discs.
"""

import os
import re
import time

VENDOR = "/sys/class/dmi/id/sys_vendor"
HYPERVISOR = "VMware"  # who alone hands properties over in this way
DRIVES = ("/dev/sr0", "/dev/sr1")
SETTLE_SECONDS = 60  # until the kernel has found all devices; hosts are busy, and who is done sooner waits no longer
WAIT_SECONDS = 2.0  # more for a drive whose disc is not ready at once
POLL_SECONDS = 0.1

SECTOR = 2048  # bytes
DESCRIPTOR_AT = 16 * SECTOR  # ECMA-119, 6.2.1
SIGNATURE = b"\x01CD001"  # a primary volume descriptor, 8.4
ROOT_AT = 156  # the root directory's record in it, 8.4.18
LONGEST_FOLDER, LONGEST_FILE = 64 << 10, 1 << 20  # bytes
NAME = re.compile(rb"OVF[-_]ENV\.XML(;1)?", re.IGNORECASE)

PROPERTY = re.compile(r"<(?:[\w.-]+:)?Property\s([^<>]*)>")
ATTRIBUTE = re.compile(r"""(?:[\w.-]+:)?(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot|apos));")
ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
LAST_CODE_POINT = 0x10FFFF


def read() -> dict[str, str]:
    """Return the properties that were set, where this machine is one that may get some so; none elsewhere."""
    try:
        with open(VENDOR, encoding="ascii", errors="replace") as file:
            vendor = file.read()
    except OSError:
        return {}
    if not vendor.startswith(HYPERVISOR):
        return {}
    settle = ("udevadm", "settle", f"--timeout={SETTLE_SECONDS}", f"--exit-if-exists={DRIVES[0]}")
    os.spawnvp(os.P_WAIT, settle[0], settle)  # how it ends does not matter: the drives are looked for in any case
    return _wait(time.monotonic() + WAIT_SECONDS)


def _wait(deadline: float) -> dict[str, str]:
    """Return the properties on the first disc that has some; none if no drive has one by the deadline."""
    while True:
        drives = [drive for drive in DRIVES if os.path.exists(drive)]
        for drive in drives:
            text = read_disc(drive)
            if text:
                return parse(text)
        if not drives or time.monotonic() > deadline:
            return {}
        time.sleep(POLL_SECONDS)


def read_disc(path: str) -> str:
    """Return the environment on a disc; "" if there is no disc, or it is another one."""
    try:
        with open(path, "rb") as disc:
            disc.seek(DESCRIPTOR_AT)
            descriptor = disc.read(SECTOR)
            if len(descriptor) < SECTOR or not descriptor.startswith(SIGNATURE):
                return ""
            folder = _extent(descriptor[ROOT_AT:])
            disc.seek(folder[0])
            place = _find(disc.read(min(folder[1], LONGEST_FOLDER)))
            if place is None:
                return ""
            disc.seek(place[0])
            return disc.read(min(place[1], LONGEST_FILE)).decode("utf-8", "replace")
    except OSError:  # no medium, or one that cannot be read
        return ""


def _extent(record: bytes) -> tuple[int, int]:
    """Return where a directory record's content is, and how many bytes it has (ECMA-119, 9.1)."""
    return int.from_bytes(record[2:6], "little") * SECTOR, int.from_bytes(record[10:14], "little")


def _find(folder: bytes) -> tuple[int, int] | None:
    """Return where the environment is, going by the records of the root directory."""
    place = 0
    while place < len(folder):
        length = folder[place]
        if not length:  # records do not cross sectors: the rest of this one is empty
            place += SECTOR - place % SECTOR
            continue
        record = folder[place : place + length]
        if len(record) > 33 and NAME.fullmatch(record[33 : 33 + record[32]]):
            return _extent(record)
        place += length
    return None


def parse(text: str) -> dict[str, str]:
    """Return the properties in an environment; an empty value stands for one that was not set."""
    found: dict[str, str] = {}
    for match in PROPERTY.finditer(text):
        told = {name: _plain(first or second) for name, first, second in ATTRIBUTE.findall(match[1])}
        if told.get("key") and told.get("value"):
            found.setdefault(told["key"], told["value"])
    return found


def _plain(text: str) -> str:
    """Return an attribute's value without references to characters."""

    def character(match: "re.Match[str]") -> str:
        if match[3]:
            return ENTITIES[match[3]]
        number = int(match[1], 16) if match[1] else int(match[2])
        return chr(number) if 0 < number <= LAST_CODE_POINT else "\ufffd"

    return REFERENCE.sub(character, text)
