"""What a machine's initrds hold, each unpacked once, however many look: the survey, and then one fix after another.

    contents = initrds.read(data)
    contents.files["conf/modules"]          # bytes of small files that configure; None for all others

Unpacking takes longer than everything else that an inspection does. What a fix appends is read by itself.
"""

import hashlib
from collections import OrderedDict
from dataclasses import replace

from jeos.disk import initramfs
from jeos.disk.initramfs import Initramfs

_KEPT = 8  # of the last ones that were read
_CONFIGURES = ("conf/modules", "etc/lvm/lvmlocal.conf")  # files whose bytes fixes look at
_FOLDERS = ("etc/systemd/network/", "usr/lib/systemd/network/", "etc/udev/rules.d/", "etc/modules-load.d/")

_known: OrderedDict[tuple[int, bytes], Initramfs] = OrderedDict()  # by length and digest


def read(data: bytes) -> Initramfs:
    """Return what an initrd holds, with the bytes of what configures it. Raises InputError if it is damaged."""
    key = _key(data, len(data))
    if key in _known:
        _known.move_to_end(key)
        return _known[key]
    found = _longer(data) or initramfs.read(data, wanted=_wanted)
    while len(_known) >= _KEPT:
        _known.popitem(last=False)
    _known[key] = found
    return found


def _key(data: bytes, length: int) -> tuple[int, bytes]:
    return length, hashlib.sha256(memoryview(data)[:length]).digest()


def _wanted(path: str) -> bool:
    return path in _CONFIGURES or path.startswith(_FOLDERS)


def _longer(data: bytes) -> Initramfs | None:
    """Return what an initrd holds that is a known one with more behind it; later files replace earlier ones."""
    for (length, digest), known in reversed(_known.items()):
        # One of LZ4 has no end of its own: what follows is taken for a part of it.
        if not length < len(data) or "lz4" in known.packing or _key(data, length)[1] != digest:
            continue
        more = initramfs.read(data[length:], wanted=_wanted)
        return replace(
            known,
            files={**known.files, **more.files},
            folders=known.folders | more.folders,
            packing=(*known.packing, *more.packing),
            starts=(*known.starts, *(length + start for start in more.starts)),
        )
    return None
