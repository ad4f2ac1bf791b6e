"""All volumes of a machine's disks: the partitions of each, and the logical volumes over all of them."""

from collections.abc import Sequence

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.volumes import lvm, partitions
from jeos.disk.volumes.base import Layout, Table, Volume, disk_name


def read(disks: Sequence[Blocks]) -> Layout:
    """Return what disks are divided into; those that cannot be read are said in the notes."""
    tables: list[Table] = []
    volumes: list[Volume] = []
    notes: list[str] = []
    for index, disk in enumerate(disks):
        name = disk_name(index)
        try:
            table, found, said = partitions.read(disk, name=name, index=index)
        except InputError as error:
            table, found, said = Table(name, disk.size), (), (f"{name}: {error.message}",)
        tables.append(table)
        volumes += found
        notes += said
    logical, said = lvm.read(volumes)
    return Layout(tuple(tables), (*volumes, *logical), (*notes, *said))
