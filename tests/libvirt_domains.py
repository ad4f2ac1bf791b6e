"""Machines and what they are wired to, for tests of their descriptions as domains of libvirt."""

from dataclasses import replace
from pathlib import Path

from jeos.model.machine import Boot, Machine, OtherDisk, Share
from jeos.vm.command import Credential
from jeos.vm.domains.document import Owner, Wires
from jeos.vm.firmware import Firmware

MACHINE = Machine(
    name="web",
    disk="/images/web_1.0.img",
    image="/images/web_1.0.json",
    appliance="hello",
    version="1.0",
    boot=Boot.DIRECT,
    kernel="/cache/vmlinux",
    initrd="/cache/initrd",
    cmdline="roothash=00ff quiet",
    memory=384,
    cpus=2,
    uuid="6b7f0c1e-0000-4000-8000-0000000abcde",
)
WIRES = Wires(
    owner=Owner("web", "/state/web"),
    accelerator="tcg",
    tsc_khz=2596095,
    emulator=Path("/usr/bin/qemu-system-x86_64"),
    disks=(Path("/state/web/disk.qcow2"),),
    agent=Path("/run/web/in/port.sock"),
    console=Path("/run/web/in/serial.sock"),
)
FIRMWARE = Firmware(Path("/ovmf/code.fd"), Path("/ovmf/vars.fd"))
ON_FIRMWARE = replace(WIRES, firmware=FIRMWARE, nvram=Path("/state/web/nvram.fd"))


def variants() -> dict[str, tuple[Machine, Wires]]:
    netdev = "user,id=net,hostfwd=tcp:127.0.0.1:8080-10.0.2.15:80"
    secret = Credential("jeos.property.title", Path("/state/web/credentials/title"))
    long = Credential("jeos.property." + "x" * 40, Path("/run/web/x.smbios"), smbios=True)
    foreign = replace(MACHINE, image="", boot=Boot.BIOS, macs=("00:50:56:9a:00:01", "00:50:56:9a:00:02"))
    two = replace(foreign, other_disks=(OtherDisk("/images/data.qcow2", format="qcow2"),))
    shares = (Share("/srv/a,b", "/mnt/a"), Share("/srv/c", "/mnt/c", read_only=True))
    return {
        "folders": (replace(MACHINE, shares=shares), WIRES),
        "virtiofs": (
            replace(MACHINE, shares=shares),
            replace(WIRES, shares=(Path("/run/0.sock"), Path("/run/1.sock"))),
        ),
        "tap": (replace(MACHINE, tap="tap0"), WIRES),
        "direct": (MACHINE, WIRES),
        "hardware": (MACHINE, replace(WIRES, accelerator="kvm", tsc_khz=0)),
        "ports": (MACHINE, replace(WIRES, netdev=netdev)),
        "properties": (MACHINE, replace(WIRES, credentials=(secret,))),
        "firmware": (replace(MACHINE, boot=Boot.FIRMWARE), replace(ON_FIRMWARE, credentials=(secret, long))),
        "two disks": (two, replace(WIRES, disks=(*WIRES.disks, Path("/state/web/disk-1.qcow2")))),
        "from a backup": (replace(MACHINE, disk=""), WIRES),
        "the system's": (MACHINE, replace(WIRES, user=(1000, 1001))),
    }
