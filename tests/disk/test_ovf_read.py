"""Descriptors of the tools that there are, and of those who mean harm."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ovf_samples
from jeos.core.errors import InputError
from jeos.disk import ovf_read, ovf_xml
from jeos.disk.ovf_units import unit
from jeos.model.ovf import (
    Bus,
    Controller,
    Disk,
    Drive,
    DriveKind,
    Envelope,
    File,
    Firmware,
    Network,
    Nic,
    Product,
    Property,
    System,
)

STREAM = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"


def read(text: str | bytes) -> Envelope:
    return ovf_read.parse(text.encode() if isinstance(text, str) else text, source="a.ovf")


def test_parse_vmware_tells_all_of_the_default_configuration() -> None:
    assert read(ovf_samples.VMWARE) == Envelope(
        version="1",
        files=(File("file1", "shop-disk1.vmdk", size=1024), File("file2", "shop-file1.iso", size=2048)),
        disks=(
            Disk("vmdisk1", file="file1", capacity=16 << 30, format=STREAM, populated=99),
            Disk("vmdisk2", capacity=512 << 20),
        ),
        networks=(Network("VM Network", "The VM Network network"),),
        systems=(
            System(
                id="shop",
                name="Shop & Till",
                product=Product(
                    name="Shop",
                    vendor="Example",
                    version="2.1",
                    full_version="2.1 build 7",
                    vendor_url="https://example.com/",
                    product_url="https://shop.example/",
                ),
                os=96,
                os_type="debian10_64Guest",
                os_description="Debian GNU/Linux 10 (64-bit)",
                hardware="vmx-13",
                firmware=Firmware.EFI,
                secure_boot=True,
                cpus=4,
                memory=6144,
                controllers=(
                    Controller("3", Bus.SCSI, model="VirtualSCSI", address=0),
                    Controller("4", Bus.SATA, model="vmware.sata.ahci", address=0),
                ),
                drives=(
                    Drive("6", DriveKind.CDROM, file="file2", controller="4", place=0, name="CD/DVD drive 1"),
                    Drive("7", DriveKind.DISK, disk="vmdisk1", controller="3", place=0, name="Hard Disk 1"),
                    Drive("8", DriveKind.DISK, disk="vmdisk2", controller="3", place=1, name="Hard Disk 2"),
                ),
                nics=(
                    Nic("9", network="VM Network", model="VmxNet3", mac="00:50:56:ab:01:02", name="Network adapter 1"),
                ),
                properties=(
                    Property(
                        "vami.ip.shop",
                        value="10.0.0.2",
                        label="Address",
                        description="Empty for DHCP",
                        configurable=True,
                        qualifiers="MaxLen(15)",
                    ),
                    Property("data.size", type="uint32", value="512"),
                    Property("secret", configurable=True, password=True),
                ),
                eulas=("Be kind.",),
                annotation="Sells things",
            ),
        ),
    )


def test_parse_virtualbox_takes_firmware_and_address_from_its_own_section() -> None:
    (system,) = read(ovf_samples.VIRTUALBOX).systems
    assert (system.name, system.os_type, system.cpus, system.memory) == ("till", "Debian_64", 2, 1024)
    assert system.firmware is Firmware.EFI
    assert [one.bus for one in system.controllers] == [Bus.IDE, Bus.SATA]
    assert system.drives == (Drive("7", DriveKind.DISK, disk="vmdisk1", controller="5", place=0, name="disk1"),)
    assert system.nics == (Nic("8", network="NAT", model="E1000", mac="08:00:27:c0:ff:ee", name="adapter"),)
    assert system.controller(system.drives[0]) == Controller("5", Bus.SATA, model="AHCI", address=0)


def test_parse_version_2_takes_its_own_kinds_of_items() -> None:
    envelope = read(ovf_samples.VERSION_2)
    assert (envelope.version, envelope.disks[0].capacity) == ("2", 4 << 30)
    assert envelope.files == (File("file1", "two.vmdk.gz", compression="gzip", chunk_size=2 << 30),)
    two, empty = envelope.systems
    assert (two.memory, two.controllers) == (1536, (Controller("3", Bus.NVME, model="NVMe"),))
    assert two.drives == (Drive("4", DriveKind.DISK, disk="d", controller="3", place=0),)
    assert two.nics == (Nic("5", network="NAT", mac="52:54:00:00:00:01"),)
    assert empty == System(id="empty", name="empty")


def test_parse_old_takes_sections_by_their_type() -> None:
    envelope = read(ovf_samples.OLD.encode("latin-1"))
    assert envelope == Envelope(
        version="0.9",
        files=(File("f", "old.vmdk"),),
        disks=(Disk("d", file="f", capacity=1 << 20),),
        systems=(
            System(
                id="old",
                name="Caf\u00e9",
                memory=256,
                drives=(Drive("5", DriveKind.DISK, disk="d", name="Harddisk 1"),),
            ),
        ),
    )


@pytest.mark.parametrize(
    "href",
    ["../disk.vmdk", "a/../../b", "/etc/shadow", "file:///etc/shadow", "https://example.com/d", "..\\d", "C:\\d", ""],
)
def test_parse_file_elsewhere_is_refused(href: str) -> None:
    with pytest.raises(InputError, match="not beside it"):
        read(ovf_samples.with_file(href))


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "<!DOCTYPE Envelope><Envelope/>",
        "<!DOCTYPE a [" + "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 30)) + "]><a>&b29;</a>",
        "<Envelope>&undefined;</Envelope>",
        "<Envelope>" + "<a>" * 70 + "</a>" * 70 + "</Envelope>",
        "<Envelope>" + "<a/>" * 100_001 + "</Envelope>",
        "<Envelope " + " ".join(f'a{n}=""' for n in range(300)) + "/>",
        "<Envelope>" + " " * (9 << 20) + "</Envelope>",
        "<Envelope>",
        "<Other/>",
        "",
        "\0\0",
        '<?xml version="1.0" encoding="no-such-code"?><Envelope/>',
    ],
)
def test_parse_hostile_ends_in_an_error(text: str) -> None:
    with pytest.raises(InputError, match=r"a\.ovf"):
        read(text)


@pytest.mark.parametrize(
    ("disks", "items", "message"),
    [
        ('<Disk ovf:diskId="d"/><Disk ovf:diskId="d"/>', "", "two of its disks are called 'd'"),
        ('<Disk ovf:diskId="d" ovf:capacity="99999999999999999999"/>', "", "more than there can be"),
        ('<Disk ovf:diskId="d" ovf:capacity="-1"/>', "", "not a number"),
        ('<Disk ovf:diskId="d" ovf:capacity="1" ovf:capacityAllocationUnits="ell"/>', "", "'ell' is not a unit"),
        ("", "<rasd:ResourceType>17</rasd:ResourceType><rasd:HostResource>/disk/x</rasd:HostResource>", "not there"),
        ("", "<rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>0</rasd:VirtualQuantity>", "processors"),
        ("", "<rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>much</rasd:VirtualQuantity>", "memory"),
    ],
)
def test_parse_impossible_says_what(disks: str, items: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(ovf_samples.smallest(disks=disks, items=f"<Item>{items}</Item>"))


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("byte", 1),
        ("byte * 2^30", 1 << 30),
        ("byte*1024", 1024),
        ("byte * 10^9", 10**9),
        ("byte * 2^20 * 4", 4 << 20),
        ("MegaBytes", 1 << 20),
        ("GB", 1 << 30),
        ("", 7),
    ],
)
def test_unit(text: str, bytes_: int) -> None:
    assert unit(text, default=7) == bytes_


@pytest.mark.parametrize("text", ["byte * 2^999", "byte * 0", "hertz", "byte ^ 2", "byte * 999999^999", "byte * x"])
def test_unit_unknown_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a unit of size"):
        unit(text, default=1)


@settings(deadline=None)
@given(st.integers(0, 5000), st.binary(max_size=12), st.sampled_from([ovf_samples.VMWARE, ovf_samples.VERSION_2]))
def test_parse_damaged_is_read_or_refused(place: int, damage: bytes, text: str) -> None:
    good = text.encode()
    try:
        read(good[:place] + damage + good[place + len(damage) :])
    except InputError as error:
        assert error.message.startswith("a.ovf")


def test_parse_many_items_is_linear() -> None:
    item = "<Item><rasd:ResourceType>10</rasd:ResourceType></Item>"
    text = ovf_samples.smallest(items=item * 49_000)
    assert len(text) < ovf_xml.LARGEST
    assert len(read(text).systems[0].nics) == 49_000  # 1 s; what is not linear runs out of the test's time
