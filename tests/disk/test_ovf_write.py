"""Descriptors that we write: valid by the specification, and read back as what they were made of."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ovf_schema
from jeos.disk import ovf_read, ovf_write
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

WEB = Envelope(
    version="1",
    files=(File("file1", "web_1.0-disk1.vmdk", size=1234),),
    disks=(Disk("vmdisk1", file="file1", capacity=3 << 29, format=ovf_write.STREAM_OPTIMIZED, populated=77),),
    networks=(Network("VM Network", "The network"),),
    systems=(
        System(
            id="web",
            name="web",
            product=Product(name="web", vendor="Example & Sons", version="1.0"),
            os=96,
            os_type="debian8_64Guest",
            os_description="Debian",
            hardware="vmx-11",
            firmware=Firmware.EFI,
            cpus=2,
            memory=512,
            controllers=(Controller("3", Bus.SCSI, model="VirtualSCSI", address=0),),
            drives=(Drive("4", DriveKind.DISK, disk="vmdisk1", controller="3", place=0, name="Hard disk 1"),),
            nics=(Nic("5", network="VM Network", model="VmxNet3", mac="00:50:56:00:00:01", name="Ethernet 1"),),
            properties=(
                Property("title", value='"<Shop>"\n&', label="Title", description="What\nit says", configurable=True),
                Property("kind", qualifiers='ValueMap{"a","b"}', value="a", configurable=True),
                Property("pass", password=True, qualifiers="MinLen(1)", configurable=True),
                Property("count", type="sint32", value="-3", configurable=True),
            ),
            eulas=("Be kind.\n  Always <so>.",),
            annotation="A web site",
        ),
    ),
)


def test_render_is_valid_and_comes_back() -> None:
    text = ovf_write.render(WEB)
    assert ovf_schema.complaints(text) == ""
    assert ovf_read.parse(text, source="web.ovf") == WEB


@pytest.mark.parametrize(
    ("bus", "model", "firmware"),
    [(Bus.SATA, "vmware.sata.ahci", Firmware.BIOS), (Bus.IDE, "", Firmware.EFI), (Bus.SCSI, "lsilogic", Firmware.BIOS)],
)
def test_render_each_controller_is_valid_and_comes_back(bus: Bus, model: str, firmware: Firmware) -> None:
    (system,) = WEB.systems
    changed = replace(
        WEB,
        networks=(),
        systems=(
            replace(
                system,
                firmware=firmware,
                controllers=(Controller("3", bus, model=model, address=1),),
                nics=(),
                properties=(),
                eulas=(),
                annotation="",
            ),
        ),
    )
    text = ovf_write.render(changed)
    assert ovf_schema.complaints(text) == ""
    assert ovf_read.parse(text, source="web.ovf") == changed


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("<Info>The virtual disks</Info>", ""),
        ("vmx-11", "virtualbox-2.2"),
        ("ovf:/disk/vmdisk1", "disk/vmdisk1"),
        ('ovf:fileRef="file1"', 'ovf:fileRef="file2"'),
        ("<rasd:Parent>3</rasd:Parent>", "<rasd:Parent>9</rasd:Parent>"),
        ("#streamOptimized", "#sparse"),
        ("Item>", "StorageItem>"),
        ("envelope/1", "envelope/2"),
    ],
)
def test_schema_refuses_what_consumers_refuse(was: str, becomes: str) -> None:
    text = ovf_write.render(WEB).decode()
    assert was in text
    assert ovf_schema.complaints(text.replace(was, becomes).encode()) != ""


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def printable(text: str) -> str:
    """Return text as it can stand in XML, without the space around it that readers take away."""
    return ovf_write.UNPRINTABLE.sub("\ufffd", text).strip()


@settings(deadline=None)
@given(WORDS, WORDS, WORDS, st.integers(0, 1 << 50), st.integers(1, 64))
def test_render_of_any_text_comes_back(name: str, value: str, eula: str, capacity: int, cpus: int) -> None:
    (system,) = WEB.systems
    changed = replace(
        WEB,
        disks=(replace(WEB.disks[0], capacity=capacity),),
        systems=(
            replace(
                system,
                name=name,
                cpus=cpus,
                eulas=(eula,),
                properties=(Property("title", value=value, label=name, configurable=True),),
            ),
        ),
    )
    again = ovf_read.parse(ovf_write.render(changed), source="web.ovf")
    one = again.systems[0]
    assert (one.name, one.cpus, again.disks[0].capacity) == (printable(name) or "web", cpus, capacity)
    assert (one.properties[0].value, one.eulas) == (ovf_write.UNPRINTABLE.sub("\ufffd", value), (printable(eula),))
