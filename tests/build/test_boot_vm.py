"""The whole way from firmware, or from a direct kernel, to the system's first program, in emulated machines.

The system is a small tree with LuaJIT in it: its /sbin/init says what it sees, and switches the machine off.
"""

import os
import select
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from jeos.build import image, initrd, kernel
from jeos.build.scan import scan
from jeos.build.sign import sign
from jeos.core.run import find_program
from jeos.disk import bzimage, erofs, gpt, uki, verity
from jeos.model.image import MEBIBYTE
from jeos.model.recipe import Disk, SecureBoot
from jeos.vm.accelerator import host_tsc_khz

pytestmark = [pytest.mark.vm, pytest.mark.network]

DATE = 1_731_628_801
FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
PACKAGES = ("luajit", "libc6", "libgcc-s1", "systemd-boot-efi")
MARK = b"a block of the system that is easy to find again. "

MACHINE = (
    *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,-erms,-fsrm", "-m", "384", "-no-reboot", "-nodefaults"),
    *("-no-user-config", "-display", "none", "-serial", "stdio"),
)

SILENCE = 60  # seconds after which a machine that says nothing has hung

# Debian's firmware for tests of Secure Boot: it trusts this key, which is no secret.
SECURE_FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")
SECURE_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd")
TEST_KEY = Path("/usr/share/ovmf/PkKek-1-snakeoil.key")
TEST_CERTIFICATE = Path("/usr/share/ovmf/PkKek-1-snakeoil.pem")

INIT = """#!/usr/bin/luajit
local ffi = require "ffi"
ffi.cdef "int reboot(int command); void sync(void);"
local function content(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text or "unreadable"
end
print("SYSTEM UP")
print(content("/proc/mounts"))
local file = assert(io.open("/etc/count", "a"))
file:write("x")
file:close()
print("STARTS " .. #content("/etc/count"))
print("MARK " .. #content("/usr/share/mark"))
ffi.C.sync()
ffi.C.reboot(0x4321fedc)
"""


@dataclass(frozen=True)
class Built:
    """A disk, and what of it a machine can start without firmware."""

    disk: Path
    vmlinux: Path
    initrd: Path
    cmdline: str
    parts: image.Parts
    root_hash: str


def unpack_packages(folder: Path) -> dict[str, Path]:
    """Download packages of this machine's own Debian, with its newest cloud kernel, and unpack each."""
    said = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=True
    )
    linux = next(line.split()[1] for line in said.stdout.splitlines() if "Depends: linux-image" in line)
    subprocess.run(["apt-get", "download", "-q", *PACKAGES, linux], cwd=folder, check=True, capture_output=True)
    unpacked = {}
    for package in folder.glob("*.deb"):
        name = package.name.partition("_")[0]
        unpacked["linux" if name == linux else name] = folder / name
        subprocess.run(["dpkg-deb", "-x", package, folder / name], check=True)
    return unpacked


def make_tree(root: Path, *, packages: list[Path]) -> None:
    for name in ("proc", "sys", "dev", "run", "var", "etc", "usr/share", "usr/lib", "usr/bin", "usr/sbin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "sbin").symlink_to("usr/sbin")
    for path, data in initrd.program_closure(initrd.PROGRAM, packages=packages).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        (root / path).chmod(0o755)
    (root / "usr/sbin/init").write_text(INIT)
    (root / "usr/sbin/init").chmod(0o755)
    (root / "usr/share/mark").write_bytes(MARK * 2000)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    for needed in (FIRMWARE, VARIABLES):
        if not needed.exists():
            pytest.skip("the firmware for machines (ovmf) is not installed")
    folder = tmp_path_factory.mktemp("boot")
    packages = unpack_packages(folder)
    small = [packages[name] for name in ("luajit", "libc6", "libgcc-s1")]
    make_tree(folder / "tree", packages=small)
    linux = packages["linux"]
    kernel.install(kernel.select(linux), package=linux, root=folder / "tree")
    scanned = scan(folder / "tree", time=DATE)
    system, hashes = folder / "system", folder / "hashes"
    with system.open("w+b") as out:
        erofs.write(
            scanned.tree,
            out,
            read=lambda entry: folder / "tree" / entry.path,
            uuid="6f1d0a5e-3c1b-4e0e-9d6c-0b1f6a7e2c11",
            time=DATE,
        )
    with hashes.open("w+b") as out:
        root_hash = verity.write_tree(
            system, size=system.stat().st_size, out=out, salt=b"salt", uuid="6f1d0a5e-3c1b-4e0e-9d6c-0b1f6a7e2c12"
        )
    cmdline = f"console=ttyS0 panic=1 roothash={root_hash}"
    data, efi = folder / "data", folder / "kernel.efi"
    with data.open("wb") as file:
        file.truncate(16 * MEBIBYTE)
    subprocess.run([find_program("mke2fs"), "-q", "-t", "ext4", data], check=True)
    boot_files = packages["systemd-boot-efi"] / "usr/lib/systemd/boot/efi"
    packed = initrd.make_initrd(packages=small, kernel_package=linux, date=DATE)
    sections = {
        ".osrel": b'ID=hello\nVERSION_ID=1.0\nPRETTY_NAME="Hello 1.0"\n',
        ".cmdline": cmdline.encode(),
        ".uname": kernel.release_of(linux).encode(),
        ".linux": kernel.image_of(linux).read_bytes(),
        ".initrd": packed,
    }
    with efi.open("wb") as out:
        uki.write(out, stub=(boot_files / "linuxx64.efi.stub").read_bytes(), sections=sections)
    parts = image.Parts(system=system, hashes=hashes, kernel=efi, loader=boot_files / "systemd-bootx64.efi", data=data)
    write_disk(folder / "disk", parts, root_hash=root_hash)
    taken = uki.sections(efi.read_bytes())
    (folder / "initrd").write_bytes(taken[".initrd"])
    (folder / "vmlinux").write_bytes(bzimage.vmlinux(taken[".linux"]))
    return Built(
        disk=folder / "disk",
        vmlinux=folder / "vmlinux",
        initrd=folder / "initrd",
        cmdline=taken[".cmdline"].decode(),
        parts=parts,
        root_hash=root_hash,
    )


def write_disk(path: Path, parts: image.Parts, *, root_hash: str) -> None:
    sizes = Disk(slot=64 * MEBIBYTE, data=32 * MEBIBYTE)
    with path.open("w+b") as disk:
        image.write_image(disk, parts, name="hello", version="1.0", root_hash=root_hash, sizes=sizes, date=DATE)


def own_copy(built: Built, folder: Path) -> Path:
    """Return a sparse copy of the disk that a test may change."""
    copy = folder / "disk"
    with built.disk.open("rb") as source, copy.open("wb") as target:
        target.truncate(built.disk.stat().st_size)
        image.copy_sparse(source.fileno(), target.fileno(), offset=0)
    return copy


def start(*arguments: str) -> str:
    """Run a machine until it switches off or starts again, and return what it said."""
    done = subprocess.run(
        [*MACHINE, *arguments], capture_output=True, timeout=170, check=True, stdin=subprocess.DEVNULL
    )
    return done.stdout.decode(errors="replace")


def start_until(words: tuple[str, ...], *arguments: str) -> str:
    """Run a machine until it says one of these words, stop it, and return what it said."""
    said = b""
    argv = [*MACHINE, *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as machine:
        assert machine.stdout is not None
        while not any(word.encode() in said for word in words):
            ready, _, _ = select.select([machine.stdout], [], [], SILENCE)
            piece = os.read(machine.stdout.fileno(), 65536) if ready else b""
            if not piece:
                break
            said += piece
        machine.kill()
    return said.decode(errors="replace")


def start_directly(built: Built, disk: Path, *, cmdline: str = "", options: str = "") -> str:
    return start(
        *("-M", "microvm,rtc=on", "-kernel", str(built.vmlinux), "-initrd", str(built.initrd)),
        *("-append", cmdline or f"{built.cmdline} tsc_early_khz={host_tsc_khz()}"),
        *("-drive", f"id=d,if=none,format=raw,file={disk}{options}", "-device", "virtio-blk-device,drive=d"),
    )


def test_boot_directly_reaches_the_system(built: Built, tmp_path: Path) -> None:
    disk = own_copy(built, tmp_path)
    said = start_directly(built, disk)
    assert said.index("jeos: initrd") < said.index("SYSTEM UP")
    assert "/dev/dm-0 / erofs ro," in said
    assert "/dev/vda6 /var ext4 rw," in said
    assert "overlay /etc overlay rw," in said
    assert "jeos: data grown to 32 MiB" in said
    assert "STARTS 1\r" in said
    assert "STARTS 2\r" in start_directly(built, disk), "what was written to /etc did not last"


def test_boot_with_firmware_reaches_the_system(built: Built, tmp_path: Path) -> None:
    variables = shutil.copy(VARIABLES, tmp_path / "variables")
    said = start(
        *("-M", "q35", "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}"),
        *("-drive", f"if=pflash,format=raw,unit=1,file={variables}"),
        *("-drive", f"id=d,if=none,format=raw,file={own_copy(built, tmp_path)}", "-device", "virtio-scsi-pci"),
        *("-device", "scsi-hd,drive=d"),
    )
    assert said.index("jeos: initrd") < said.index("SYSTEM UP")
    assert "/dev/sda6 /var ext4 rw," in said


def test_boot_flipped_bit_is_refused(built: Built, tmp_path: Path) -> None:
    disk = own_copy(built, tmp_path)
    with disk.open("r+b") as file:
        system = gpt.read(file).partitions[1]
        place = os.pread(file.fileno(), system.size, system.start).index(MARK * 10) + system.start
        os.pwrite(file.fileno(), bytes([MARK[0] ^ 1]), place)
    restarted = start_directly(built, disk)
    assert "is corrupted" in restarted
    assert "dm-verity device corrupted" in restarted
    assert "MARK" not in restarted
    unreadable = start_directly(
        built, disk, cmdline=f"{built.cmdline} tsc_early_khz={host_tsc_khz()} jeos.verity=error"
    )
    assert f"MARK {len(MARK) * 2000}" not in unreadable
    assert "is corrupted" in unreadable


def test_boot_larger_disk_grows_the_data(built: Built, tmp_path: Path) -> None:
    disk = own_copy(built, tmp_path)
    os.truncate(disk, 512 * MEBIBYTE)
    said = start_directly(built, disk)
    with disk.open("rb") as file:
        table = gpt.read(file)
    data = table.partitions[-1]
    assert table.size == 512 * MEBIBYTE
    assert data.start + data.size == 511 * MEBIBYTE
    assert f"jeos: data grown to {data.size // MEBIBYTE} MiB" in said
    if shutil.which("sgdisk", path="/usr/sbin:/usr/bin"):
        verified = subprocess.run([find_program("sgdisk"), "--verify", disk], capture_output=True, text=True)
        assert "No problems found" in verified.stdout


def test_boot_with_a_torn_partition_table_takes_the_other_and_mends_it(built: Built, tmp_path: Path) -> None:
    disk = own_copy(built, tmp_path)
    with disk.open("r+b") as file:
        before = gpt.read(file)
        os.pwrite(file.fileno(), b"\xff" * 256, 2 * 512 + 300)  # in the entries, after the header: a write cut short
    said = start_directly(built, disk, cmdline=f"gpt {built.cmdline} tsc_early_khz={host_tsc_khz()}")
    assert "SYSTEM UP" in said
    with disk.open("rb") as file:
        assert gpt.read(file) == before
    if shutil.which("sgdisk", path="/usr/sbin:/usr/bin"):
        verified = subprocess.run([find_program("sgdisk"), "--verify", disk], capture_output=True, text=True)
        assert "No problems found" in verified.stdout


def test_boot_without_root_hash_says_so_and_starts_again(built: Built) -> None:
    cmdline = f"console=ttyS0 quiet panic=1 tsc_early_khz={host_tsc_khz()}"
    said = start_directly(built, built.disk, cmdline=cmdline, options=",snapshot=on")
    assert "jeos: start failed: the kernel's command line has no roothash=" in said
    assert "jeos: starting again in 1 s" in said


def test_boot_disk_that_cannot_be_written(built: Built) -> None:
    said = start_directly(built, built.disk, options=",readonly=on")
    assert "/dev/vda6 /var ext4 ro," in said
    assert "upperdir=/run/jeos/etc/upper" in said


def start_securely(disk: Path, folder: Path) -> str:
    variables = shutil.copy(SECURE_VARIABLES, folder / f"{disk.name}.variables")
    return start_until(
        ("Power down", "Access denied", "Access Denied", "Security Violation"),
        *("-M", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"),
        *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={SECURE_FIRMWARE}"),
        *("-drive", f"if=pflash,format=raw,unit=1,file={variables}"),
        *("-drive", f"id=d,if=none,format=raw,file={disk}", "-device", "virtio-blk-pci,drive=d"),
    )


@pytest.mark.skipif(not TEST_KEY.exists(), reason="the firmware with a test key (ovmf) is not installed")
def test_boot_secure_boot_starts_what_is_signed_only(built: Built, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    argv = ["openssl", "pkey", "-in", str(TEST_KEY), "-passin", "pass:snakeoil", "-out", str(key)]
    subprocess.run(argv, check=True)
    keys = SecureBoot(key=str(key), certificate=str(TEST_CERTIFICATE))
    loader, signed = tmp_path / "loader.efi", tmp_path / "kernel.efi"
    sign(built.parts.loader, keys=keys, date=DATE, out=loader)
    sign(built.parts.kernel, keys=keys, date=DATE, out=signed)
    write_disk(tmp_path / "good", replace(built.parts, loader=loader, kernel=signed), root_hash=built.root_hash)
    said = start_securely(tmp_path / "good", tmp_path)
    assert "secureboot: Secure boot enabled" in said
    assert "SYSTEM UP" in said
    write_disk(tmp_path / "bad", replace(built.parts, loader=loader), root_hash=built.root_hash)
    said = start_securely(tmp_path / "bad", tmp_path)
    assert "access denied" in said.lower()
    assert "jeos: initrd" not in said
