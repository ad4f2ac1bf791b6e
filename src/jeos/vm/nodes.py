"""What QEMU calls a machine's disks; backups export them under the same names."""

import re

NODE = re.compile(r"disk[0-9]*")


def node(number: int) -> str:
    """Return QEMU's name of a machine's disk, by its number from 0."""
    return f"disk{number or ''}"
