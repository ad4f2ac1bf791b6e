import fnmatch
import re
import subprocess
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from elf_files import module
from jeos.build import initrd
from jeos.build import kernel as kernel_modules
from jeos.core.errors import InputError

RELEASE = "6.12.1-test"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """Return an unpacked kernel package whose modules say what real ones say."""
    folder = tmp_path / "kernel" / "usr/lib/modules" / RELEASE
    modules = {
        "drivers/md/dm-mod": module(),
        "drivers/md/dm-bufio": module(depends="dm-mod"),
        "drivers/md/dm-verity": module(depends="dm-mod,dm-bufio"),
        "fs/erofs/erofs": module(alias="fs-erofs", softdep="pre: crc32c post: zlib"),
        "lib/crc32c": module(),
        "fs/overlayfs/overlay": module(),
        "drivers/block/virtio_blk": module(alias="virtio:d00000002v*"),
        "drivers/scsi/scsi_mod": module(),
        "drivers/scsi/virtio_scsi": module(depends="scsi_mod", alias=["virtio:d00000008v*", "of:N*T*Cx"]),
        "drivers/net/other": module(alias="pci:v*"),
    }
    for path, data in modules.items():
        target = folder / "kernel" / f"{path}.ko"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (folder / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\nkernel/drivers/virtio/virtio_pci.ko\n")
    return tmp_path / "kernel"


def test_choose_drivers_in_load_order(kernel: Path) -> None:
    drivers = initrd.choose_drivers(kernel)
    assert drivers.always == ("dm_mod", "dm_bufio", "dm_verity", "crc32c", "erofs")
    assert drivers.hardware == (
        ("virtio:d00000002v*", ("virtio_blk",)),
        ("virtio:d00000008v*", ("scsi_mod", "virtio_scsi")),
    )
    assert list(drivers.modules) == sorted({*drivers.always, "virtio_blk", "scsi_mod", "virtio_scsi"})


def test_choose_drivers_takes_what_the_recipe_adds(kernel: Path) -> None:
    drivers = initrd.choose_drivers(kernel, hardware=("other",))
    assert drivers.hardware == (("pci:v*", ("other",)),)


def test_choose_drivers_modules_in_a_circle(kernel: Path) -> None:
    folder = kernel / "usr/lib/modules" / RELEASE / "kernel/drivers"
    (folder / "a.ko").write_bytes(module(depends="b", alias="pci:a"))
    (folder / "b.ko").write_bytes(module(depends="a"))
    assert initrd.choose_drivers(kernel, hardware=("a",)).hardware == (("pci:a", ("b", "a")),)


@pytest.mark.parametrize("algorithm", ["crc32c", "crypto-crc32c"])
def test_choose_drivers_takes_the_generic_module_of_an_algorithm(kernel: Path, algorithm: str) -> None:
    folder = kernel / "usr/lib/modules" / RELEASE / "kernel"
    (folder / "lib/crc32c.ko").rename(folder / "lib/crc32c_generic.ko")
    (folder / "fs/erofs/erofs.ko").write_bytes(module(softdep=f"pre: {algorithm}"))
    drivers = initrd.choose_drivers(kernel)
    assert drivers.always == ("dm_mod", "dm_bufio", "dm_verity", "crc32c_generic", "erofs")
    assert "crc32c_generic" in drivers.modules


def test_choose_drivers_without_verity(kernel: Path) -> None:
    (kernel / "usr/lib/modules" / RELEASE / "kernel/drivers/md/dm-verity.ko").unlink()
    with pytest.raises(InputError, match=rf"the kernel {RELEASE} lacks dm_verity"):
        initrd.choose_drivers(kernel)


def test_driver_list_is_a_lua_table(kernel: Path) -> None:
    assert initrd.driver_list(initrd.choose_drivers(kernel)) == (
        'return { always = "dm_mod dm_bufio dm_verity crc32c erofs", '
        'later = "kernel/fs/overlayfs/overlay.ko", hardware = {\n'
        "  virtio = {\n"
        '    { "^virtio%:d00000002v.*$", "virtio_blk" },\n'
        '    { "^virtio%:d00000008v.*$", "scsi_mod virtio_scsi" },\n'
        "  },\n"
        "} }\n"
    )


@pytest.mark.parametrize(
    ("alias", "pattern"),
    [
        ("scsi:t-0x00*", "^scsi%:t%-0x00.*$"),
        ("acpi*:LNRO0005:*", "^acpi.*%:LNRO0005%:.*$"),
        ("pci:v0000[1-3]?", "^pci%:v0000[1-3].$"),
    ],
)
def test_lua_pattern(alias: str, pattern: str) -> None:
    assert initrd.lua_pattern(alias) == pattern


def test_program_closure_same_as_ldd() -> None:
    program = Path("/bin/ls").resolve()
    found = initrd.program_closure(str(program).lstrip("/"), packages=[Path("/")])
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    expected = {Path(word).name for line in said.splitlines() for word in line.split()[:1] if "vdso" not in word}
    assert {Path(path).name for path in found} == expected | {program.name}
    for path, data in found.items():
        assert Path("/", path).read_bytes() == data


def test_program_closure_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/ls").write_bytes(Path("/bin/ls").read_bytes())
    with pytest.raises(InputError, match=r"usr/bin/ls needs ld-linux.*, which is in no package for the initrd"):
        initrd.program_closure("usr/bin/ls", packages=[tmp_path])


def archive_of(kernel: Path, folder: Path) -> bytes:
    program = folder / "usr/bin/luajit"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_bytes(Path("/bin/ls").read_bytes())
    return initrd.make_archive(packages=[folder, Path("/")], kernel_package=kernel, date=1_700_000_000)


def test_make_archive_holds_scripts_and_mount_points(kernel: Path, tmp_path: Path) -> None:
    archive = archive_of(kernel, tmp_path / "packages")
    scripts = initrd.scripts()
    assert {"init.lua", "linux.lua", "drivers.lua", "disks.lua", "verity.lua", "data.lua"} <= scripts.keys()
    for name in (b"init\0", b"lib/jeos/driver_list.lua\0", b"lib/modules/virtio_blk.ko\0", b"sysroot\0", b"dev\0"):
        assert archive.count(name) >= 1, name
    for data in scripts.values():
        assert data in archive
    assert archive == archive_of(kernel, tmp_path / "packages"), "the same input gave another archive"


def test_make_initrd_packs_so_that_the_kernel_unpacks(kernel: Path, tmp_path: Path) -> None:
    archive = archive_of(kernel, tmp_path / "packages")
    packed = initrd.compress(archive)
    assert zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj().decompress(packed) == archive


@given(st.text(st.sampled_from("ab:*?-0[]."), max_size=20))
def test_bus_of_any_text(alias: str) -> None:
    assert ":" not in initrd.bus_of(alias)


def test_first_line_is_what_benchmarks_wait_for() -> None:
    lines = initrd.scripts()["init.lua"].decode().splitlines()
    code = [line for line in lines if line and not line.startswith(("--", "#!"))]
    assert code[0].startswith('io.write("jeos: initrd\\n")')


def test_scripts_call_nothing_of_the_library_that_is_left_out() -> None:
    """Hold the scripts to what LuaJIT does by itself: `^` and most of `math` are functions of libm."""
    assert initrd.UNUSED_LIBRARIES == ("libm.so.6",)
    for name, data in initrd.scripts().items():
        code = re.sub(r'--.*|"(?:\\.|[^"\\])*"', "", data.decode())
        assert "^" not in code, name
        assert set(re.findall(r"math\.(\w+)", code)) <= {"ceil", "floor", "max", "min"}, name


def test_storage_drivers_are_those_of_disks_on_a_known_bus(kernel: Path) -> None:
    folder = kernel / "usr/lib/modules" / RELEASE / "kernel/drivers"
    (folder / "scsi/big-raid.ko").write_bytes(module(depends="scsi_mod", alias="pci:v00001000d*"))
    (folder / "block/network_disk.ko").write_bytes(module())
    names = ("other", "big-raid", "network-disk", "missing", "virtio_pci")
    assert initrd.storage_drivers(kernel, names) == ("big_raid",)
    drivers = initrd.choose_drivers(kernel, hardware=("big_raid",))
    assert drivers.hardware == (("pci:v00001000d*", ("scsi_mod", "big_raid")),)


# Where Linux 6.1 to 6.12 have what the initrd loads, itself or from the system.
PLACES = {
    "ahci": "drivers/ata",
    "ata_piix": "drivers/ata",
    "dm_mod": "drivers/md",
    "dm_verity": "drivers/md",
    "erofs": "fs/erofs",
    "ext4": "fs/ext4",
    "hv_storvsc": "drivers/scsi",
    "hv_vmbus": "drivers/hv",
    "mptsas": "drivers/message/fusion",
    "mptspi": "drivers/message/fusion",
    "nvme": "drivers/nvme/host",
    "overlay": "fs/overlayfs",
    "qemu_fw_cfg": "drivers/firmware",
    "sd_mod": "drivers/scsi",
    "sha256_ssse3": "arch/x86/crypto",
    "virtio_blk": "drivers/block",
    "virtio_mmio": "drivers/virtio",
    "virtio_pci": "drivers/virtio",
    "virtio_scsi": "drivers/scsi",
    "vmw_pvscsi": "drivers/scsi",
    "xen_blkfront": "drivers/block",
}


def test_every_driver_is_among_the_modules_that_stay() -> None:
    """Slimming the kernel must leave what the initrd takes from it, and what it loads from the system later."""
    assert sorted(PLACES) == sorted({*initrd.ALWAYS, *initrd.LATER, *initrd.HARDWARE, *initrd.REAL_HARDWARE})
    stays = re.compile("|".join(fnmatch.translate(pattern.replace("-", "_")) for pattern in kernel_modules.KEPT))
    assert [name for name, folder in PLACES.items() if not stays.match(f"{folder}/{name}")] == []
