"""The modules of one kernel in a machine's files: where each is, what it needs, what it serves.

    modules = read(root, "lib/modules/6.1.0-56-amd64")
    modules.closure(["virtio_blk"])        # ("virtio_ring", "virtio", "virtio_blk"): in the order of loading

All is taken from the lists that `depmod` wrote in the machine (modules.dep(5)); no module is opened to plan.
"""

import lzma
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jeos.convert.survey import module_name
from jeos.core.errors import InputError
from jeos.disk.root import Root

_MODULE_LIMIT = 256 << 20  # bytes of one module, unpacked; the largest of today have some 20 MiB
_LZMA_MEMORY = 128 << 20
SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")


@dataclass(frozen=True, slots=True)
class Modules:
    """A kernel's modules by name, as `module_name` writes it.

    `paths` are below `folder`; `needs` are all that must be loaded before, the first last, as in modules.dep;
    `aliases` are pairs of what a device says that it is, and the module for it.
    """

    folder: str
    paths: Mapping[str, str]
    needs: Mapping[str, tuple[str, ...]]
    builtin: frozenset[str]
    aliases: tuple[tuple[str, str], ...]

    def closure(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return these modules with all that they need, each behind what it needs; unknown ones are left out."""
        found: dict[str, None] = {}
        for name in names:
            if name in self.paths:
                found.update(dict.fromkeys((*reversed(self.needs[name]), name)))
        return tuple(found)


def read(root: Root, folder: str) -> Modules:
    """Return the modules in a folder such as "lib/modules/6.1.0". Raises MissingFileError without a modules.dep."""
    paths: dict[str, str] = {}
    needs: dict[str, tuple[str, ...]] = {}
    version = folder.rpartition("/")[2]
    for line in root.read_text(f"{folder}/modules.dep").splitlines():
        path, colon, others = line.partition(":")
        path = path.strip()
        if path.startswith("/"):  # as depmod wrote them before 2009
            path = path.partition(f"/{version}/")[2]
        if colon and path.endswith(SUFFIXES) and ".." not in path.split("/"):
            name = module_name(path)
            paths[name] = path
            needs[name] = tuple(module_name(other) for other in others.split())
    known = {name: tuple(other for other in others if other in paths) for name, others in needs.items()}
    builtin = root.text_or_empty(f"{folder}/modules.builtin").split()
    aliases = []
    for line in root.text_or_empty(f"{folder}/modules.alias").splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "alias":
            aliases.append((words[1], words[2]))
    return Modules(
        folder=folder,
        paths=paths,
        needs=known,
        builtin=frozenset(module_name(path) for path in builtin),
        aliases=tuple(aliases),
    )


def read_module(root: Root, path: str) -> bytes:
    """Return a module's bytes, unpacked, which every kmod and kernel can load. Raises InputError if it is damaged."""
    data = root.read(path, limit=_MODULE_LIMIT)
    try:
        unpacked = _unpack(data, path)
    except (lzma.LZMAError, zlib.error, EOFError) as error:
        raise InputError(f"/{path} is damaged: {error}", hint="install the kernel's package again") from error
    if not unpacked.startswith(b"\x7fELF"):
        raise InputError(f"/{path} is no kernel module", hint="install the kernel's package again")
    return unpacked


def _unpack(data: bytes, path: str) -> bytes:
    if path.endswith(".xz"):
        return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(data, _MODULE_LIMIT)
    if path.endswith(".gz"):
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(data, _MODULE_LIMIT)
    if path.endswith(".zst"):
        import zstandard  # slow to load, and most kernels have none of these

        try:
            with zstandard.ZstdDecompressor().stream_reader(data) as reader:
                return reader.read(_MODULE_LIMIT)
        except zstandard.ZstdError as error:
            raise InputError(f"/{path} is damaged: {error}", hint="install the kernel's package again") from error
    return data


def alias_key(alias: str) -> str:
    """Return an alias as kmod looks for it: "_" for "-", but not within brackets."""
    key, inside = [], False
    for character in alias:
        inside = character == "[" or (inside and character != "]")
        key.append("_" if character == "-" and not inside else character)
    return "".join(key)
