"""What the values of a survey say of themselves."""

import pytest

from jeos.convert.survey import Boot, Initrd, Kernel, Loader, Mount, module_name


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("/dev/sda1", True),
        ("/dev/nvme0n1p2", True),
        ("/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part1", True),
        ("/dev/disk/by-id/scsi-36000c29", True),
        ("/dev/disk/by-uuid/1234", False),
        ("/dev/disk/by-id/dm-uuid-LVM-1234", False),
        ("/dev/disk/by-id/dm-name-vg-root", False),
        ("/dev/disk/by-id/md-uuid-1234", False),
        ("/dev/mapper/vg-root", False),
        ("/dev/vg/root", False),
        ("UUID=1234", False),
        ("tmpfs", False),
    ],
)
def test_mount_by_a_name_of_the_hardware(spec: str, expected: bool) -> None:
    assert Mount(spec, "/", "ext4", "defaults").by_name is expected


def test_kernel_starts_where_it_has_drivers() -> None:
    initrd = Initrd("boot/initrd", 1, modules=("virtio_blk", "vmw_pvscsi"))
    assert not Kernel("1", "boot/vmlinuz", initrd=initrd).starts_on("virtio")
    kernel = Kernel("1", "boot/vmlinuz", initrd=initrd, builtin=("virtio_pci",))
    assert (kernel.starts_on("virtio"), kernel.starts_on("vmware"), kernel.starts_on("hyperv")) == (True, True, False)
    assert initrd.drivers("virtio") == ("virtio_blk",)


def test_module_names_have_one_form() -> None:
    assert module_name("kernel/drivers/block/virtio-blk.ko.xz") == "virtio_blk"


def test_firmware_is_what_has_a_loader() -> None:
    assert Boot(bios="sda", loaders=(Loader("sda1", "EFI/BOOT/BOOTX64.EFI", "shim"),)).firmware == "bios+uefi"
    assert Boot().firmware == ""
