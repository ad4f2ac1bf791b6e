"""A kernel's modules, from depmod's lists; modules in every packing."""

import gzip
import lzma
from collections.abc import Callable

import pytest
import zstandard

from jeos.convert import kernel_modules
from jeos.convert.kernel_modules import Modules
from jeos.core.errors import InputError
from memory_filesystem import Content, memory_root

FOLDER = "lib/modules/6.1.0"
FILES: dict[str, Content] = {
    f"{FOLDER}/modules.dep": (
        "kernel/a-b.ko.xz: kernel/c.ko.xz kernel/d.ko.xz\nkernel/c.ko.xz: kernel/d.ko.xz kernel/gone.ko.xz\n"
        "kernel/d.ko.xz:\n/lib/modules/6.1.0/extra/old.ko: \n../../../etc/evil.ko:\nkernel/no-module.txt:\nnonsense\n"
    ),
    f"{FOLDER}/modules.builtin": "kernel/drivers/scsi/sd-mod.ko\n",
    f"{FOLDER}/modules.alias": "# Aliases\nalias pci:v1 a_b\nalias broken\noptions x y\n",
}


def test_lists_of_depmod_are_read() -> None:
    found = kernel_modules.read(memory_root(FILES), FOLDER)
    assert found == Modules(
        folder=FOLDER,
        paths={"a_b": "kernel/a-b.ko.xz", "c": "kernel/c.ko.xz", "d": "kernel/d.ko.xz", "old": "extra/old.ko"},
        needs={"a_b": ("c", "d"), "c": ("d",), "d": (), "old": ()},
        builtin=frozenset({"sd_mod"}),
        aliases=(("pci:v1", "a_b"),),
    )
    assert found.closure(["a_b", "unknown", "old"]) == ("d", "c", "a_b", "old")


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".ko", bytes),
        (".ko.gz", gzip.compress),
        (".ko.xz", lzma.compress),
        (".ko.zst", zstandard.ZstdCompressor().compress),
    ],
)
def test_a_module_is_unpacked(suffix: str, pack: Callable[[bytes], bytes]) -> None:
    module = b"\x7fELF" + bytes(1000)
    root = memory_root({f"m{suffix}": pack(module), f"cut{suffix}": pack(module)[:8], f"text{suffix}": pack(b"text")})
    assert kernel_modules.read_module(root, f"m{suffix}") == module
    with pytest.raises(InputError, match="is no kernel module"):
        kernel_modules.read_module(root, f"text{suffix}")
    if suffix != ".ko":
        with pytest.raises(InputError, match=r"is damaged|is no kernel module"):
            kernel_modules.read_module(root, f"cut{suffix}")


def test_aliases_are_looked_for_with_underscores_but_in_brackets() -> None:
    assert kernel_modules.alias_key("fs-ext4:[a-z-]x-y") == "fs_ext4:[a-z-]x_y"
