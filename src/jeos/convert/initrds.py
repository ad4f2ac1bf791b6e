"""What a machine's initrds hold, each unpacked once, however many look: the survey, and then one fix after another.

    contents = initrds.read(data)
    contents.files["conf/modules"]          # bytes of small files that configure; None for all others

Unpacking takes longer than everything else that an inspection does. What a fix appends is read by itself. The packed
bytes of the last ones are kept to be compared with: that is far quicker than to compute a digest of them.
"""

from dataclasses import replace

from jeos.disk import initramfs
from jeos.disk.initramfs import Initramfs

_KEPT_BYTES = 256 << 20  # of the last ones that were read, as they are packed
_CONFIGURES = ("conf/modules", "etc/lvm/lvmlocal.conf")  # files whose bytes fixes look at
_FOLDERS = ("etc/systemd/network/", "usr/lib/systemd/network/", "etc/udev/rules.d/", "etc/modules-load.d/")

_known: list[tuple[bytes, Initramfs]] = []  # the last one last


def read(data: bytes) -> Initramfs:
    """Return what an initrd holds, with the bytes of what configures it. Raises InputError if it is damaged."""
    for packed, found in reversed(_known):
        if packed == data:
            return found
    found = _longer(data) or initramfs.read(data, wanted=_wanted)
    _known.append((data, found))
    while len(_known) > 1 and sum(len(packed) for packed, _ in _known) > _KEPT_BYTES:
        del _known[0]
    return found


def _wanted(path: str) -> bool:
    return path in _CONFIGURES or path.startswith(_FOLDERS)


def _longer(data: bytes) -> Initramfs | None:
    """Return what an initrd holds that is a known one with more behind it; later files replace earlier ones."""
    for packed, known in reversed(_known):
        # One of LZ4 has no end of its own: what follows is taken for a part of it.
        if "lz4" in known.packing or not data.startswith(packed):
            continue
        more = initramfs.read(data[len(packed) :], wanted=_wanted)
        return replace(
            known,
            files={**known.files, **more.files},
            folders=known.folders | more.folders,
            packing=(*known.packing, *more.packing),
            starts=(*known.starts, *(len(packed) + start for start in more.starts)),
        )
    return None
