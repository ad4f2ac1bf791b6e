"""VMware's VMDK: one sparse file, or a descriptor that names extents, over a parent where there are snapshots.

Read are monolithicSparse, streamOptimized, twoGbMaxExtentSparse, monolithicFlat, twoGbMaxExtentFlat, vmfs, vmfsSparse
and vmfsThin; seSparse is refused. Source: VMware, "Virtual Disk Format 5.0".
"""

from jeos.core.errors import InputError
from jeos.disk import formats
from jeos.disk.blocks import Blocks, Window
from jeos.disk.formats import vmdk_descriptor, vmdk_sparse
from jeos.disk.formats.mapped import Span, damaged
from jeos.disk.formats.siblings import Place
from jeos.disk.formats.vmdk_descriptor import FLAT_KINDS, NO_PARENT, Descriptor, Extent

SUFFIXES = (".vmdk",)  # of names
SPARSE_KINDS = ("SPARSE", "VMFSSPARSE")
STARTS = 64  # bytes; a comment may come before the line that a descriptor begins with, but none does in practice


def probe(blocks: Blocks) -> bool:
    """Tell whether a file begins as a sparse VMDK or as a descriptor."""
    return vmdk_sparse.is_sparse(blocks) or vmdk_descriptor.is_descriptor(blocks.read(0, min(STARTS, blocks.size)))


def open(blocks: Blocks, place: Place) -> Blocks:
    """Return the disk, with its extents and what it lies over. Raises InputError."""
    if vmdk_sparse.is_sparse(blocks):
        return _open_alone(blocks, place)
    descriptor = _read_descriptor(blocks, place)
    parent = _open_parent(descriptor, place)
    if not descriptor.extents:
        raise damaged(place.label, "its descriptor names no extents")
    parts, start = [], 0
    for extent in descriptor.extents:
        parts.append(_open_extent(extent, place, parent=_part(parent, start=start, size=extent.size)))
        start += extent.size
    return Span(parts, label=place.label)


def _open_alone(blocks: Blocks, place: Place) -> Blocks:
    """Return the disk in one sparse file, which has its descriptor inside."""
    header = vmdk_sparse.read_header(blocks, label=place.label)
    text = blocks.read(header.descriptor, min(header.descriptor_size, vmdk_descriptor.LARGEST))
    if not vmdk_descriptor.is_descriptor(text):
        raise InputError(
            f"{place.label} is one part of a disk, without a descriptor",
            hint="name the small .vmdk file that lists the parts",
        )
    parent = _open_parent(vmdk_descriptor.parse(text, label=place.label), place)
    return vmdk_sparse.Sparse(blocks, header=header, parent=parent, label=place.label)


def _read_descriptor(blocks: Blocks, place: Place) -> Descriptor:
    if blocks.size > vmdk_descriptor.LARGEST:
        raise damaged(place.label, f"its descriptor has {blocks.size} bytes")
    return vmdk_descriptor.parse(blocks.read(0, blocks.size), label=place.label)


def _open_parent(descriptor: Descriptor, place: Place) -> Blocks | None:
    """Return the disk below, which must still be as it was when this one was laid over it."""
    if descriptor.parent_cid == NO_PARENT:
        return None
    file, there = place.open_parent(descriptor.parent)
    cid = _cid(file, there)
    if cid != descriptor.parent_cid:
        raise InputError(
            f"{place.label} lies over {there.label} with the content {descriptor.parent_cid:08x}; it has {cid:08x} now",
            hint="the disk below was written to after the snapshot, or is another one",
        )
    return formats.open_as(file, there, format="vmdk")


def _cid(blocks: Blocks, place: Place) -> int:
    if not vmdk_sparse.is_sparse(blocks):
        return _read_descriptor(blocks, place).cid
    header = vmdk_sparse.read_header(blocks, label=place.label)
    text = blocks.read(header.descriptor, min(header.descriptor_size, vmdk_descriptor.LARGEST))
    return vmdk_descriptor.parse(text, label=place.label).cid


def _open_extent(extent: Extent, place: Place, *, parent: Blocks | None) -> tuple[Blocks | None, int, int]:
    """Return an extent's source, where it begins in there, and its size."""
    if extent.kind == "ZERO":
        return None, 0, extent.size
    if extent.kind not in (*SPARSE_KINDS, *FLAT_KINDS):
        raise InputError(
            f"{place.label} has an extent of kind {extent.kind}, which is not read",
            hint="consolidate the snapshots, or export as OVF",
        )
    blocks, there = place.open(extent.name)
    if extent.kind in FLAT_KINDS:
        if extent.offset + extent.size > blocks.size:
            raise damaged(there.label, f"it has {blocks.size} bytes, and must have {extent.offset + extent.size}")
        return blocks, extent.offset, extent.size
    if not vmdk_sparse.is_sparse(blocks):
        raise damaged(there.label, "it does not begin as a sparse extent")
    header = vmdk_sparse.read_header(blocks, label=there.label)
    if header.size < extent.size:
        raise damaged(there.label, f"it has {header.size} bytes of a disk, and must have {extent.size}")
    return vmdk_sparse.Sparse(blocks, header=header, parent=parent, label=there.label), 0, extent.size


def _part(parent: Blocks | None, *, start: int, size: int) -> Blocks | None:
    """Return what of the disk below lies under an extent."""
    if parent is None or start >= parent.size:
        return None
    return Window(parent, start=start, size=min(size, parent.size - start))
