"""What an OVA says of an image: its hardware, what may be set, its licence and its ports."""

import pytest

import export_disks
import ovf_schema
from jeos.disk import ovf_read, ovf_write
from jeos.export import descriptor
from jeos.export.target import Hardware
from jeos.model import ovf
from jeos.model.image import Port
from jeos.model.ovf import Bus, Firmware
from jeos.model.recipe import Property

RULES = (
    Property("title", label="Title", description="What the page says.", default="Hello & <welcome>", required=True),
    Property("password", secret=True, default="not told", required=True),
    Property("port", type="integer", default="80", minimum=1, maximum=65535, description="Where."),
    Property("kind", type="choice", choices=("small", "large"), default="small"),
    Property("debug", type="boolean", default="false"),
    Property("host", pattern="[a-z]+"),
)


def test_envelope_of_an_image_is_valid_and_complete() -> None:
    source = export_disks.small(
        version="1.0",
        vendor="Example",
        memory=256,
        cpus=2,
        debian=True,
        ports=(Port(80, name="web"), Port(53, protocol="udp")),
        properties=RULES,
        eula="Be kind.\n",
        modules={"vmw_pvscsi", "vmxnet3"},
    )
    text = ovf_write.render(descriptor.envelope(source, hardware=Hardware.VMWARE, size=77, populated=99))
    assert ovf_schema.complaints(text) == ""
    envelope = ovf_read.parse(text, source="a.ovf")
    (system,) = envelope.systems
    assert envelope.files == (ovf.File("file1", "small_1.0-disk1.vmdk", size=77),)
    assert (envelope.disks[0].capacity, envelope.disks[0].populated) == (1 << 20, 99)
    assert (system.name, system.cpus, system.memory, system.firmware) == ("small", 2, 256, Firmware.EFI)
    assert system.product == ovf.Product(name="small", vendor="Example", version="1.0")
    assert (system.os, system.hardware, system.secure_boot) == (96, "vmx-11", False)
    assert [(one.bus, one.model) for one in system.controllers] == [(Bus.SCSI, "VirtualSCSI"), (Bus.IDE, "")]
    assert [(one.kind, one.disk, one.controller) for one in system.drives] == [
        ("disk", "vmdisk1", "3"),
        ("cdrom", "", "6"),
    ]
    assert system.transport == ("iso",)
    assert [(one.model, one.network, one.mac) for one in system.nics] == [("VmxNet3", "VM Network", "")]
    assert (system.annotation, system.eulas) == ("Port 80/tcp: web\nPort 53/udp", ("Be kind.",))
    assert system.properties == (
        ovf.Property(
            "title",
            value="Hello & <welcome>",
            label="Title",
            description="What the page says.",
            configurable=True,
            qualifiers="MinLen(1)",
        ),
        ovf.Property("password", label="password", configurable=True, password=True, qualifiers="MinLen(1)"),
        ovf.Property(
            "port",
            type="sint64",
            value="80",
            label="port",
            description="Where. At least 1. At most 65535.",
            configurable=True,
        ),
        ovf.Property("kind", value="small", label="kind", configurable=True, qualifiers='ValueMap{"small","large"}'),
        ovf.Property("debug", type="boolean", value="false", label="debug", configurable=True),
        ovf.Property("host", label="host", description="Form: [a-z]+", configurable=True),
    )


@pytest.mark.parametrize("firmware", list(Firmware))
def test_envelope_of_a_foreign_disk_is_valid_and_plain(firmware: Firmware) -> None:
    source = export_disks.small(firmware=firmware)
    assert descriptor.usual_hardware(source) is Hardware.PLAIN
    text = ovf_write.render(descriptor.envelope(source, hardware=Hardware.PLAIN, size=1, populated=1))
    assert ovf_schema.complaints(text) == ""
    (system,) = ovf_read.parse(text, source="a.ovf").systems
    assert (system.firmware, system.os, system.nics[0].model) == (firmware, 101, "E1000")
    assert (len(system.drives), system.transport) == (1, ())
    assert [(one.bus, one.model) for one in system.controllers] == [(Bus.SATA, "vmware.sata.ahci")]


def test_missing_drivers_are_told() -> None:
    source = export_disks.small(modules={"vmw_pvscsi", "e1000"})
    assert descriptor.missing_drivers(source, hardware=Hardware.VMWARE) == ("vmxnet3",)
    assert descriptor.missing_drivers(source, hardware=Hardware.PLAIN) == ("ahci",)
    assert descriptor.missing_drivers(export_disks.small(), hardware=Hardware.PLAIN) == ()
    assert descriptor.usual_hardware(source) is Hardware.VMWARE
