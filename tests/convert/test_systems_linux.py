"""What Linux systems say of themselves: release, mounts, kernels, boot, tools."""

import gzip
import lzma
from collections.abc import Iterator

import pytest

from jeos.convert.survey import Boot, Disk, Initrd, Kernel, Loader, Mount, RootArgument, Survey, Tool, Volume
from jeos.convert.systems import Place, boot, kernels, linux, mounts, release, tools
from jeos.core.errors import InputError
from jeos.disk import initramfs
from jeos.disk.filesystems.base import FileSystem, Node
from jeos.disk.root import Mounted
from memory_filesystem import Content, Link, MemoryFileSystem, memory_root

UUID, ESP_UUID = "0b9c2c1e-5d2f-4f6b-9d44-2f8a6a5b7c10", "ABCD-1234"
ESP_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


def volume(name: str, content: str = "ext4", **values: object) -> Volume:
    number = int(name[3:]) if name[3:].isdigit() else 0
    kind = "logical" if "/" in name else "partition"
    known = {"kind": kind, "size": 1 << 30, "disk": name[:3], "number": number, "content": content}
    return Volume(name=name, **{**known, **values})  # type: ignore[arg-type]


LVM_ID = "abcdef-ABCD-abcd-0123-4567-89ab-cdefgh"
SURVEY = Survey(
    disks=(Disk("sda", 8 << 30, table="gpt"), Disk("sdb", 1 << 30, table="dos", uuid="1234abcd")),
    volumes=(
        volume("sda1", "vfat", uuid=ESP_UUID, title="EFI", type=ESP_TYPE, id="11111111-0000-4000-8000-000000000001"),
        volume("sda2", uuid=UUID, title="root disk", label="system", id="11111111-0000-4000-8000-000000000002"),
        volume("sdb1", "xfs", uuid="22222222-5d2f-4f6b-9d44-2f8a6a5b7c10"),
        volume("big-group/root-old", uuid="33333333-5d2f-4f6b-9d44-2f8a6a5b7c10", id=LVM_ID),
    ),
)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (f"UUID={UUID.upper()}", "sda2"),
        (f'UUID="{UUID}"', "sda2"),
        (f"UUID={ESP_UUID}", "sda1"),
        ("LABEL=root disk", "sda2"),
        ("PARTLABEL=system", "sda2"),
        ("PARTUUID=11111111-0000-4000-8000-000000000001", "sda1"),
        ("PARTUUID=1234abcd-01", "sdb1"),
        (f"/dev/disk/by-uuid/{UUID}", "sda2"),
        ("/dev/disk/by-label/root\\x20disk", "sda2"),
        ("/dev/mapper/big--group-root--old", "big-group/root-old"),
        ("/dev/big-group/root-old", "big-group/root-old"),
        ("/dev/disk/by-id/dm-name-big--group-root--old", "big-group/root-old"),
        (f"/dev/disk/by-id/dm-uuid-LVM-{'G' * 32}{LVM_ID.replace('-', '')}", "big-group/root-old"),
        (f"/dev/disk/by-id/dm-uuid-LVM-{'G' * 64}", ""),
        ("/dev/sda2", "sda2"),
        ("/dev/vdb1", "sdb1"),
        ("/dev/sdc1", ""),
        ("UUID=", ""),
        ("proc", ""),
        ("/dev/mapper/nothing", ""),
    ],
)
def test_names_lead_to_volumes(spec: str, expected: str) -> None:
    found = mounts.resolve(SURVEY, spec)
    assert (found.name if found else "") == expected


def test_fstab_is_read_line_by_line() -> None:
    fstab = f"""# comment
UUID={UUID} / ext4 errors=remount-ro 0 1

/dev/sdb1\t/srv/my\\040files xfs
UUID={ESP_UUID} /boot/efi vfat umask=0077 0 1
short line
tmpfs /tmp tmpfs nosuid 0 0
"""
    assert mounts.read(memory_root({"etc/fstab": fstab}), SURVEY) == (
        Mount(f"UUID={UUID}", "/", "ext4", "errors=remount-ro", "sda2", 2),
        Mount("/dev/sdb1", "/srv/my files", "xfs", "defaults", "sdb1", 4),
        Mount(f"UUID={ESP_UUID}", "/boot/efi", "vfat", "umask=0077", "sda1", 5),
        Mount("tmpfs", "/tmp", "tmpfs", "nosuid", "", 7),
    )


OS_RELEASES = {
    "debian": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
    "ubuntu": 'PRETTY_NAME="Ubuntu 24.04 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n',
    "rocky": 'NAME="Rocky Linux"\nVERSION_ID="9.4"\nID="rocky"\nID_LIKE="rhel centos fedora"\n',
    "sles": 'NAME="SLES"\nVERSION_ID="15.5"\nID="sles"\nID_LIKE="suse"\n',
    "unknown": "ID=mine\nNAME=Mine\n",
}


@pytest.mark.parametrize(
    ("name", "family", "version"),
    [
        ("debian", "debian", "12.5"),
        ("ubuntu", "debian", "24.04"),
        ("rocky", "redhat", "9.4"),
        ("sles", "suse", "15.5"),
        ("unknown", "linux", ""),
    ],
)
def test_release_of_known_and_unknown_systems(name: str, family: str, version: str) -> None:
    files: dict[str, Content] = {
        "usr/lib/os-release": OS_RELEASES[name],
        "etc/os-release": Link("../usr/lib/os-release"),
        "etc/debian_version": "12.5\n" if name == "debian" else "trixie/sid\n",
    }
    found = release.read(memory_root(files))
    assert (found.family, found.version) == (family, version)


def test_release_of_systems_before_os_release() -> None:
    said = "CentOS release 6.10 (Final)\n"
    found = release.read(memory_root({"etc/redhat-release": said}))
    assert found == release.Release("redhat", "redhat", "CentOS", "6.10", "CentOS release 6.10 (Final)")
    assert release.read(memory_root({})) == release.Release("linux")


def test_architecture_is_that_of_the_programs() -> None:
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xb7\x00" + bytes(40)
    assert (
        release.architecture(memory_root({"bin": Link("usr/bin"), "usr/bin/sh": Link("dash"), "usr/bin/dash": elf}))
        == "arm64"
    )
    assert release.architecture(memory_root({"bin/sh": b"#!"})) == ""


def test_assignments_are_read_without_a_shell() -> None:
    text = "# c\nA=1\nB='two words' # why\nC=\"a $(rm -rf /)\"\nexport D=4\nE='open\n=5\nF=\n"
    assert release.assignments(text) == {"A": "1", "B": "two words", "C": "a $(rm -rf /)", "E": "'open", "F": ""}


FOLDER = "usr/lib/modules/6.1.0-9-amd64"
MODULES = {
    f"{FOLDER}/modules.dep": "kernel/block/virtio_blk.ko.xz: kernel/x.ko\nkernel/scsi/vmw_pvscsi.ko:\n",
    f"{FOLDER}/modules.builtin": "kernel/virtio/virtio_pci.ko\nkernel/hv/hv-vmbus.ko\n",
}


def initrd(*names: str, generator: str = "conf/initramfs.conf") -> bytes:
    return initramfs.archive({generator: b"x", **{f"usr/lib/modules/1/kernel/{name}": b"module" for name in names}})


def test_kernels_with_their_drivers_and_initrds() -> None:
    microcode = initramfs.archive({"kernel/x86/microcode/x.bin": b"code" * 100})
    packed = microcode + gzip.compress(initrd("vmw_pvscsi.ko", "virtio-blk.ko.zst"))
    rescue = lzma.compress(initrd("nvme.ko", generator="usr/lib/dracut/x"))
    files: dict[str, Content] = {
        **MODULES,
        "lib": Link("usr/lib"),
        "boot/vmlinuz-6.1.0-9-amd64": b"kernel",
        "boot/initrd.img-6.1.0-9-amd64": packed,
        "boot/vmlinuz-6.1.0-10-amd64": b"kernel",
        "boot/vmlinuz-0-rescue-abc": b"kernel",
        "boot/initramfs-0-rescue-abc.img": rescue,
        "boot/System.map-6.1.0-9-amd64": b"",
        "boot/vmlinuz.old": b"kernel",
    }
    notes: list[str] = []
    found = kernels.read(memory_root(files), notes=notes)
    assert found == (
        Kernel("6.1.0-10-amd64", "boot/vmlinuz-6.1.0-10-amd64"),
        Kernel(
            "6.1.0-9-amd64",
            "boot/vmlinuz-6.1.0-9-amd64",
            modules="usr/lib/modules/6.1.0-9-amd64",
            available=("virtio_blk", "vmw_pvscsi"),
            builtin=("virtio_pci", "hv_vmbus"),
            initrd=Initrd(
                "boot/initrd.img-6.1.0-9-amd64",
                len(packed),
                generator="initramfs-tools",
                compression="gzip",
                modules=("virtio_blk", "vmw_pvscsi"),
            ),
        ),
        Kernel(
            "0-rescue-abc",
            "boot/vmlinuz-0-rescue-abc",
            initrd=Initrd(
                "boot/initramfs-0-rescue-abc.img",
                len(rescue),
                generator="dracut",
                compression="xz",
                modules=("nvme",),
            ),
        ),
    )
    assert notes == []


def test_initrd_that_is_damaged_is_said() -> None:
    notes: list[str] = []
    files: dict[str, Content] = {"boot/vmlinuz-1": b"", "boot/initrd.img-1": gzip.compress(initrd("x.ko"))[:-30]}
    (kernel,) = kernels.read(memory_root(files), notes=notes)
    assert (
        kernel.initrd is not None and "damaged" in kernel.initrd.failure and notes[0].startswith("/boot/initrd.img-1: ")
    )


def test_kernels_of_the_boot_loader_specification() -> None:
    machine = "0123456789abcdef0123456789abcdef"
    files: dict[str, Content] = {f"boot/{machine}/6.9.1/linux": b"k", f"boot/{machine}/6.9.1/initrd": initrd("nvme.ko")}
    (kernel,) = kernels.read(memory_root(files), notes=[])
    assert (kernel.version, kernel.path) == ("6.9.1", f"boot/{machine}/6.9.1/linux")
    assert kernel.initrd is not None and kernel.initrd.modules == ("nvme",)


def pe(machine: int, text: bytes = b"") -> bytes:
    header = bytearray(b"MZ" + bytes(0x3E))
    header[0x3C] = 0x40
    return bytes(header) + b"PE\0\0" + machine.to_bytes(2, "little") + bytes(20) + text


GRUB_CFG = f"""set root='hd0,msdos1'
menuentry 'Debian' {{
    linux   /boot/vmlinuz-6.1 root=/dev/sda2 ro quiet
    initrd  /boot/initrd.img-6.1
}}
# linux /boot/old root=/dev/sdz
menuentry 'other' {{ linux /vmlinuz root=UUID={UUID} }}
"""


def place(files: dict[str, Content], esp: dict[str, Content], sector: bytes = bytes(512)) -> Place:
    filesystems: dict[str, FileSystem] = {
        "sda1": MemoryFileSystem(esp, kind="vfat", uuid=ESP_UUID),
        "sda2": MemoryFileSystem(files, uuid=UUID),
    }
    mounted = Mounted("", filesystems["sda2"], volume="sda2")
    return Place(survey=SURVEY, filesystems=filesystems, mounted=mounted, first_sectors={"sda": sector})


def test_boot_by_bios_and_by_uefi() -> None:
    esp: dict[str, Content] = {
        "EFI/BOOT/BOOTX64.EFI": pe(0x8664, b"UEFI SHIM"),
        "EFI/debian/grubx64.efi": pe(0x8664),
        "EFI/debian/readme.txt": b"",
        "EFI/Linux/app.efi": pe(0xAA64),
        "EFI/other/strange.efi": b"?",
    }
    files: dict[str, Content] = {
        "etc/fstab": f"UUID={UUID} / ext4 defaults 0 1\n",
        "boot/grub/grub.cfg": GRUB_CFG,
        "boot/loader/entries/a.conf": "title A\noptions root=LABEL=none ro\n",
        "etc/default/grub": 'GRUB_CMDLINE_LINUX="root=/dev/sdb1 quiet"\n',
        "boot/efi": None,
    }
    here = place(files, esp, b"\xeb\x63\x90" + b"GRUB " + bytes(502) + b"\x55\xaa")
    _, root = linux.describe(here)
    assert root.is_file("boot/efi/EFI/BOOT/BOOTX64.EFI")  # mounted there, although fstab does not say so
    assert boot.read(root, here, ()) == Boot(
        bios="sda",
        bios_loader="grub",
        loaders=(
            Loader("sda1", "EFI/BOOT/BOOTX64.EFI", "shim", "amd64"),
            Loader("sda1", "EFI/Linux/app.efi", "uki", "arm64"),
            Loader("sda1", "EFI/debian/grubx64.efi", "grub", "amd64"),
            Loader("sda1", "EFI/other/strange.efi"),
        ),
        fallback=True,
        configs=("boot/grub/grub.cfg",),
        entries=("boot/loader/entries/a.conf",),
        roots=(
            RootArgument("boot/grub/grub.cfg", 3, "/dev/sda2", "sda2"),
            RootArgument("boot/loader/entries/a.conf", 2, "LABEL=none"),
            RootArgument("etc/default/grub", 1, "/dev/sdb1", "sdb1"),
        ),
    )


def test_disk_without_boot_code_starts_nothing() -> None:
    here = place({"etc/fstab": ""}, {})
    assert boot.read(here.root, here, ()) == Boot()


def test_tools_and_the_units_that_start_them() -> None:
    files: dict[str, Content] = {
        "usr/bin/vmtoolsd": b"",
        "usr/sbin/qemu-ga": b"",
        "etc/systemd/system/multi-user.target.wants/open-vm-tools.service": Link(
            "/lib/systemd/system/open-vm-tools.service"
        ),
        "etc/systemd/system/open-vm-tools.service.requires/vgauth.service": Link("/lib/systemd/system/vgauth.service"),
        "etc/systemd/system/multi-user.target.wants/qemu-guest-agent.service": Link("/lib/x"),
        "etc/systemd/system/qemu-guest-agent.service": Link("/dev/null"),
    }
    assert tools.read(memory_root(files)) == (
        Tool("VMware Tools", "vmware", "usr/bin/vmtoolsd", ("open-vm-tools.service", "vgauth.service")),
        Tool("QEMU guest agent", "qemu", "usr/sbin/qemu-ga"),
    )


def test_folders_that_are_no_system_are_not_taken_for_one() -> None:
    assert not linux.recognise(memory_root({"EFI/BOOT/BOOTX64.EFI": b""}))
    assert not linux.recognise(memory_root({"vmlinuz-1": b"", "grub/grub.cfg": b""}))
    assert linux.recognise(memory_root({"usr/lib/os-release": "ID=x\n"}))
    assert linux.recognise(memory_root({"etc/fstab": "", "bin/sh": b""}))


class Damaged(MemoryFileSystem):
    """A file system in which one folder cannot be read."""

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        for name, node in super().children(folder):
            if name == "vmlinuz-1":
                raise InputError("the folder is damaged")
            yield name, node


def test_folder_that_is_damaged_does_not_hide_the_rest() -> None:
    files: dict[str, Content] = {
        "etc/os-release": OS_RELEASES["rocky"],
        "etc/hostname": "host\n",
        "boot/vmlinuz-1": b"kernel",
        "boot/grub/grub.cfg": GRUB_CFG,
    }
    filesystem = Damaged(files)
    mounted = Mounted("", filesystem, volume="sda2")
    here = Place(survey=SURVEY, filesystems={"sda2": filesystem}, mounted=mounted)
    system, _ = linux.describe(here)
    assert (system.family, system.hostname, system.kernels) == ("redhat", "host", ())
    assert "kernels: the folder is damaged" in system.notes
