import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from jeos.core.errors import UsageError
from jeos.model.machine import Forward, Machine
from jeos.vm import network
from jeos.vm.command import Credential
from jeos.vm.domains.document import Owner, Wires, accelerator_of, balloon_of, domain_xml, forwards_of, owner_of
from libvirt_domains import MACHINE, WIRES, variants

DIRECT = """\
<domain xmlns:jeos="urn:jeos:machine" type="qemu">
  <name>jeos-web</name>
  <uuid>6b7f0c1e-0000-4000-8000-0000000abcde</uuid>
  <title>hello 1.0</title>
  <metadata>
    <jeos:machine name="web" folder="/state/web" />
  </metadata>
  <memory unit="MiB">384</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch="x86_64" machine="q35">hvm</type>
    <kernel>/cache/vmlinux</kernel>
    <initrd>/cache/initrd</initrd>
    <cmdline>roothash=00ff quiet console=ttyS0 tsc_early_khz=2596095 tsc=reliable cryptomgr.notests</cmdline>
  </os>
  <features>
    <acpi />
    <apic />
    <tcg>
      <tb-cache unit="MiB">128</tb-cache>
    </tcg>
  </features>
  <cpu mode="maximum" />
  <clock offset="utc" />
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>restart</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type="file" device="disk">
      <driver name="qemu" type="qcow2" discard="unmap" detect_zeroes="unmap" />
      <source file="/state/web/disk.qcow2" />
      <backingStore type="file">
        <format type="raw" />
        <source file="/images/web_1.0.img" />
        <backingStore />
      </backingStore>
      <target dev="vda" bus="virtio" />
      <serial>system</serial>
    </disk>
    <controller type="usb" model="none" />
    <interface type="user">
      <mac address="52:54:00:0a:bc:de" />
      <model type="virtio" />
      <rom enabled="no" />
    </interface>
    <serial type="unix">
      <source mode="bind" path="/run/web/in/serial.sock" />
      <target type="isa-serial" port="0" />
    </serial>
    <channel type="unix">
      <source mode="bind" path="/run/web/in/port.sock" />
      <target type="virtio" name="org.jeos.agent.0" />
    </channel>
    <rng model="virtio">
      <backend model="builtin" />
    </rng>
    <memballoon model="virtio" autodeflate="on" freePageReporting="on" />
    <video>
      <model type="none" />
    </video>
  </devices>
</domain>
"""


def parsed(machine: Machine, wires: Wires) -> ET.Element:
    return ET.fromstring(domain_xml(machine, wires))


def words_beside(machine: Machine, wires: Wires) -> list[str | None]:
    space = "{http://libvirt.org/schemas/domain/qemu/1.0}"
    return [one.get("value") for one in parsed(machine, wires).iter(f"{space}arg")]


def test_domain_of_a_direct_boot() -> None:
    assert domain_xml(MACHINE, WIRES) == DIRECT


@pytest.mark.parametrize("name", variants())
def test_libvirts_own_schema_takes_every_domain(name: str, tmp_path: Path) -> None:
    text = tmp_path / "domain.xml"
    text.write_text(domain_xml(*variants()[name]))
    done = subprocess.run(["virt-xml-validate", str(text), "domain"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_hardware_runs_the_hosts_own_processor() -> None:
    domain = parsed(*variants()["hardware"])
    assert domain.get("type") == "kvm"
    assert domain.find("cpu[@mode='host-passthrough']") is not None
    assert domain.find("features/tcg") is None


def test_firmware_has_its_variables_a_watchdog_and_the_disk_first() -> None:
    domain = parsed(*variants()["firmware"])
    assert domain.findtext("os/loader") == "/ovmf/code.fd"
    assert domain.findtext("os/nvram") == "/state/web/nvram.fd"
    assert domain.find("os/kernel") is None
    assert [one.get("model") for one in domain.iterfind("devices/watchdog")] == ["i6300esb"]
    assert [one.get("order") for one in domain.iterfind("devices/disk/boot")] == ["1"]


def test_forwarded_ports_are_qemus_own_network_on_a_slot_that_libvirt_does_not_use() -> None:
    machine, wires = variants()["ports"]
    assert words_beside(machine, wires) == [
        "-netdev",
        "user,id=net,hostfwd=tcp:127.0.0.1:8080-10.0.2.15:80",
        "-device",
        "virtio-net-pci,netdev=net,mac=52:54:00:0a:bc:de,romfile=,bus=pcie.0,addr=0x18",
    ]
    assert parsed(machine, wires).findall("devices/interface") == []


def test_properties_are_handed_over_by_their_files() -> None:
    machine, wires = variants()["firmware"]
    entries = [(one.get("name"), one.get("file")) for one in parsed(machine, wires).iterfind("sysinfo/entry")]
    assert entries == [("opt/io.systemd.credentials/jeos.property.title", "/state/web/credentials/title")]
    assert words_beside(machine, wires) == ["-smbios", "type=11,path=/run/web/x.smbios"]


def test_a_property_whose_name_no_direct_boot_takes_is_refused() -> None:
    long = Credential("jeos.property." + "x" * 40, Path("/state/web/credentials/x"))
    with pytest.raises(UsageError, match="54 characters"):
        domain_xml(MACHINE, replace(WIRES, credentials=(long,)))


def test_a_foreign_machine_has_a_screen_all_its_cards_and_all_its_disks() -> None:
    domain = parsed(*variants()["two disks"])
    assert [one.get("type") for one in domain.iterfind("devices/video/model")] == ["vga"]
    assert [one.get("address") for one in domain.iterfind("devices/interface/mac")] == [
        "00:50:56:9a:00:01",
        "00:50:56:9a:00:02",
    ]
    below = [one.get("file") for one in domain.iterfind("devices/disk/backingStore/source")]
    assert below == ["/images/web_1.0.img", "/images/data.qcow2"]


def test_folders_of_a_virtiofsd_share_the_memory_with_it() -> None:
    domain = parsed(*variants()["virtiofs"])
    assert [one.get("socket") for one in domain.iterfind("devices/filesystem/source")] == ["/run/0.sock", "/run/1.sock"]
    assert [one.attrib for one in domain.iterfind("memoryBacking/*")] == [{"type": "memfd"}, {"mode": "shared"}]
    assert parsed(MACHINE, WIRES).find("memoryBacking") is None


def test_a_tap_device_is_used_as_it_is() -> None:
    (card,) = parsed(*variants()["tap"]).iterfind("devices/interface")
    (target,) = card.iterfind("target")
    assert (card.get("type"), target.attrib) == ("ethernet", {"dev": "tap0", "managed": "no"})


def test_folders_of_the_host_are_served_by_qemu_itself_with_its_rights() -> None:
    found = [
        (one.attrib["accessmode"], [(part.tag, part.get("dir")) for part in one])
        for one in parsed(*variants()["folders"]).iterfind("devices/filesystem")
    ]
    assert found == [
        ("squash", [("source", "/srv/a,b"), ("target", "jeos-share-0")]),
        ("squash", [("source", "/srv/c"), ("target", "jeos-share-1"), ("readonly", None)]),
    ]


def test_the_systems_libvirt_runs_qemu_as_the_user_whose_files_they_are() -> None:
    label = parsed(*variants()["the system's"]).find("seclabel")
    assert label is not None
    assert (label.get("model"), label.findtext("label")) == ("dac", "+1000:+1001")
    assert parsed(MACHINE, WIRES).find("seclabel") is None


@pytest.mark.parametrize("text", ["", "<other/>", "<machine/>", "<machine name='web'/>", "<", "<x xmlns='y'/>"])
def test_what_is_not_jeoss_has_no_owner(text: str) -> None:
    assert owner_of(text) is None


def test_owner_is_read_as_it_was_written() -> None:
    metadata = parsed(MACHINE, replace(WIRES, owner=Owner("web", "/state/a & <b>"))).find("metadata")
    assert metadata is not None
    assert owner_of(ET.tostring(metadata[0], encoding="unicode")) == Owner("web", "/state/a & <b>")


def test_what_a_domain_was_given_is_read_back_from_its_description() -> None:
    forwards = (Forward(8080, 80), Forward(5353, 53, protocol="udp", address="0.0.0.0"))
    wires = replace(WIRES, netdev=network.slirp(forwards, why_not_passt="").netdev, balloon=196608)
    xml = domain_xml(MACHINE, wires)
    assert (forwards_of(xml), accelerator_of(xml), balloon_of(xml)) == (forwards, "tcg", 196608)
    plain = domain_xml(*variants()["hardware"])
    assert (forwards_of(plain), accelerator_of(plain), balloon_of(plain)) == ((), "kvm", 0)
