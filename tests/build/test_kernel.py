"""Choosing kernel modules: patterns, dependencies, what the recipe asks for."""

import lzma
import struct
from pathlib import Path

import pytest

from jeos.build import kernel, kernel_layer
from jeos.core.errors import InputError

RELEASE = "6.12.1-cloud-amd64"


def elf_module(info: bytes) -> bytes:
    """Return a minimal ELF64 object with one `.modinfo` section."""
    names = b"\0.modinfo\0.shstrtab\0"
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 1, 62, 1, 0, 0, 64, 0, 64, 0, 0, 64, 3, 2
    )  # fmt: skip
    body_at = 64 + 3 * 64
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 1, 1, 2, 0, body_at, len(info), 0, 0, 1, 0)
    sections += struct.pack("<IIQQQQIIQQ", 10, 3, 0, 0, body_at + len(info), len(names), 0, 0, 1, 0)
    return header + sections + info + names


@pytest.fixture
def package(tmp_path: Path) -> Path:
    modules = {
        "drivers/block/virtio_blk": b"depends=\0",
        "drivers/md/dm-verity": b"license=GPL\0depends=dm-bufio,dm-mod\0",
        "drivers/md/dm-bufio": b"depends=dm-mod\0",
        "drivers/md/dm-mod": b"depends=\0softdep=pre: helper-one post: other\0",
        "lib/helper_one": b"depends=\0",
        "drivers/comedi/board": b"depends=\0",
    }
    folder = tmp_path / "usr/lib/modules" / RELEASE
    for name, info in modules.items():
        path = folder / "kernel" / f"{name}.ko.xz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress(elf_module(info)))
    (folder / "modules.builtin").write_text("kernel/drivers/virtio/virtio_pci.ko\n")
    return tmp_path


def test_module_info_reads_the_section() -> None:
    data = elf_module(b"license=GPL\0depends=a,b-c\0softdep=pre: d e post: f\0")
    info = kernel.module_info(data)
    assert info == {"license": ["GPL"], "depends": ["a,b-c"], "softdep": ["pre: d e post: f"]}
    assert kernel.depends(info) == ["a", "b_c", "d", "e"]


def test_select_keeps_virtual_hardware_and_what_it_depends_on(package: Path) -> None:
    selected = kernel.select(package)
    assert (selected.release, sorted(selected.modules)) == (
        RELEASE,
        ["dm_bufio", "dm_mod", "dm_verity", "helper_one", "virtio_blk"],
    )
    assert list(selected.left_out) == ["drivers/comedi/board.ko.xz"]


def test_select_adds_what_the_recipe_asks_for(package: Path) -> None:
    assert "board" in kernel.select(package, extra=["board", "virtio-pci"]).modules


def test_select_with_everything_leaves_nothing_out(package: Path) -> None:
    assert kernel.select(package, everything=True).left_out == {}


def test_select_with_an_unknown_module_says_so(package: Path) -> None:
    with pytest.raises(InputError) as caught:
        kernel.select(package, extra=["nouveau"])
    assert caught.value.message == "the kernel has no module nouveau"


def test_install_writes_modules_unpacked(package: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    kernel.install(kernel.select(package), package=package, root=root)
    written = root / "usr/lib/modules" / RELEASE / "kernel/drivers/md/dm-verity.ko"
    assert written.read_bytes() == elf_module(b"license=GPL\0depends=dm-bufio,dm-mod\0")
    assert (root / "usr/lib/modules" / RELEASE / "modules.builtin").exists()


def test_release_of_a_package_without_a_kernel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        kernel.release_of(tmp_path)


def test_static_nodes_are_made_as_kmod_would_list_them() -> None:
    devname = "# Device nodes to trigger on-demand module loading.\nfuse fuse c10:229\ntun net/tun c10:200\n"
    assert kernel.static_nodes(devname) == (
        "c! /dev/fuse 0600 - - - 10:229\nd /dev/net 0755 - - -\nc! /dev/net/tun 0600 - - - 10:200\n"
    )


def test_left_out_tells_what_the_layer_lacks_of_the_package(package: Path, tmp_path: Path) -> None:
    kernel.install(kernel.select(package), package=package, root=tmp_path / "layer")
    board = package / "usr/lib/modules" / RELEASE / "kernel/drivers/comedi/board.ko.xz"
    found = kernel_layer.left_out(package, layer=tmp_path / "layer")
    assert (found.size, found.files) == (board.stat().st_size, 1)
