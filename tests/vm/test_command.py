from dataclasses import replace
from pathlib import Path

import pytest

from jeos.agent import vsock as agent_vsock
from jeos.core.errors import HostError, UsageError
from jeos.model.machine import Boot, Machine, OtherDisk
from jeos.model.tuning import Engine, Tuning
from jeos.vm.command import (
    AGENT_DOOR,
    Credential,
    VsockDevice,
    Wiring,
    argv,
    escape,
    guest_cmdline,
    mac_addresses,
)
from jeos.vm.firmware import Firmware, find

MACHINE = Machine(
    name="web",
    disk="/images/web_1.0.img",
    boot=Boot.DIRECT,
    kernel="/cache/vmlinux",
    initrd="/cache/initrd",
    cmdline="roothash=00ff quiet",
    memory=384,
    cpus=2,
    uuid="6b7f0c1e-0000-4000-8000-0000000abcde",
)
WIRING = Wiring(
    accelerator="tcg",
    tsc_khz=2596095,
    disk=Path("/state/web/disk.qcow2"),
    other_disks=(),
    agent=Path("/run/web/port.sock"),
    qmp=5,
    console=6,
    network="user,id=net,hostfwd=tcp:127.0.0.1:8080-:80",
    credentials=(Credential("jeos.property.title", Path("/state/web/credentials/title")),),
)
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def lines(words: list[str]) -> list[str]:
    """Return a command line with each option and its value on one line."""
    return [line.strip() for line in " ".join(words).replace(" -", "\n-").splitlines()]


def test_argv_of_a_direct_boot() -> None:
    assert lines(argv(MACHINE, WIRING)) == [
        "qemu-system-x86_64",
        "-name jeos-web",
        "-nodefaults",
        "-no-user-config",
        "-display none",
        f"-sandbox {SANDBOX}",
        "-uuid 6b7f0c1e-0000-4000-8000-0000000abcde",
        "-accel tcg,thread=multi,tb-size=128",
        "-cpu max",
        "-smp 2",
        "-m 384",
        "-machine microvm,acpi=on,pcie=on,rtc=on,graphics=off,dump-guest-core=off",
        "-bios qboot.rom",
        "-kernel /cache/vmlinux",
        "-initrd /cache/initrd",
        "-append roothash=00ff quiet console=ttyS0 tsc_early_khz=2596095 tsc=reliable cryptomgr.notests",
        "-chardev socket,id=qmp,fd=5",
        "-mon chardev=qmp,mode=control",
        "-chardev socket,id=console,fd=6",
        "-serial chardev:console",
        "-blockdev driver=file,node-name=disk-file,discard=unmap,filename=/state/web/disk.qcow2",
        "-blockdev driver=qcow2,node-name=disk,discard=unmap,detect-zeroes=unmap,file=disk-file",
        "-device virtio-blk-pci,drive=disk,serial=system",
        "-netdev user,id=net,hostfwd=tcp:127.0.0.1:8080-:80",
        "-device virtio-net-pci,netdev=net,mac=52:54:00:0a:bc:de,romfile=",
        "-chardev socket,id=agent,path=/run/web/port.sock,server=on,wait=off",
        "-device virtio-serial-pci",
        "-device virtserialport,chardev=agent,name=org.jeos.agent.0",
        "-device virtio-rng-pci",
        "-device virtio-balloon-pci,free-page-reporting=on,deflate-on-oom=on",
        "-fw_cfg name=opt/io.systemd.credentials/jeos.property.title,file=/state/web/credentials/title",
    ]


def test_argv_of_a_boot_from_firmware() -> None:
    firmware = Firmware(Path("/fw/code.fd"), Path("/fw/vars.fd"))
    wiring = replace(WIRING, accelerator="kvm", firmware=firmware, nvram=Path("/state/web/nvram.fd"), credentials=())
    assert lines(argv(replace(MACHINE, boot=Boot.FIRMWARE, image="/images/web_1.0.json"), wiring)) == [
        "qemu-system-x86_64",
        "-name jeos-web",
        "-nodefaults",
        "-no-user-config",
        "-display none",
        f"-sandbox {SANDBOX}",
        "-uuid 6b7f0c1e-0000-4000-8000-0000000abcde",
        "-accel kvm",
        "-cpu host",
        "-smp 2",
        "-m 384",
        "-machine q35,graphics=off,dump-guest-core=off,smm=off,pflash0=code,pflash1=nvram",
        "-blockdev driver=file,node-name=code,read-only=on,filename=/fw/code.fd",
        "-blockdev driver=file,node-name=nvram,filename=/state/web/nvram.fd",
        "-device pvpanic-pci",
        "-action panic=none",
        "-device vmgenid,guid=auto",
        "-device i6300esb",
        "-action watchdog=reset",
        "-chardev socket,id=qmp,fd=5",
        "-mon chardev=qmp,mode=control",
        "-chardev socket,id=console,fd=6",
        "-serial chardev:console",
        "-blockdev driver=file,node-name=disk-file,discard=unmap,filename=/state/web/disk.qcow2",
        "-blockdev driver=qcow2,node-name=disk,discard=unmap,detect-zeroes=unmap,file=disk-file",
        "-device virtio-blk-pci,drive=disk,serial=system,bootindex=0",
        "-netdev user,id=net,hostfwd=tcp:127.0.0.1:8080-:80",
        "-device virtio-net-pci,netdev=net,mac=52:54:00:0a:bc:de,romfile=",
        "-chardev socket,id=agent,path=/run/web/port.sock,server=on,wait=off",
        "-device virtio-serial-pci",
        "-device virtserialport,chardev=agent,name=org.jeos.agent.0",
        "-device virtio-rng-pci",
        "-device virtio-balloon-pci,free-page-reporting=on,deflate-on-oom=on",
    ]


def test_argv_of_a_foreign_machine_with_a_bios_a_screen_and_what_it_had() -> None:
    macs = ("00:50:56:9a:00:01", "00:50:56:9a:00:02")
    machine = replace(MACHINE, boot=Boot.BIOS, macs=macs, other_disks=(OtherDisk("/images/data.qcow2", "qcow2"),))
    wiring = replace(WIRING, other_disks=(Path("/state/web/disk-1.qcow2"),), credentials=())
    assert lines(argv(machine, wiring))[11:] == [
        "-machine q35,graphics=on,dump-guest-core=off",
        "-device VGA",
        "-device pvpanic-pci",
        "-action panic=none",
        "-device vmgenid,guid=auto",
        "-device i6300esb",
        "-action watchdog=reset",
        "-chardev socket,id=qmp,fd=5",
        "-mon chardev=qmp,mode=control",
        "-chardev socket,id=console,fd=6",
        "-serial chardev:console",
        "-blockdev driver=file,node-name=disk-file,discard=unmap,filename=/state/web/disk.qcow2",
        "-blockdev driver=qcow2,node-name=disk,discard=unmap,detect-zeroes=unmap,file=disk-file",
        "-device virtio-blk-pci,drive=disk,serial=system,bootindex=0",
        "-blockdev driver=file,node-name=disk1-file,discard=unmap,filename=/state/web/disk-1.qcow2",
        "-blockdev driver=qcow2,node-name=disk1,discard=unmap,detect-zeroes=unmap,file=disk1-file",
        "-device virtio-blk-pci,drive=disk1",
        "-netdev user,id=net,hostfwd=tcp:127.0.0.1:8080-:80",
        "-device virtio-net-pci,netdev=net,mac=00:50:56:9a:00:01,romfile=",
        "-netdev user,id=net1",
        "-device virtio-net-pci,netdev=net1,mac=00:50:56:9a:00:02,romfile=",
        "-chardev socket,id=agent,path=/run/web/port.sock,server=on,wait=off",
        "-device virtio-serial-pci",
        "-device virtserialport,chardev=agent,name=org.jeos.agent.0",
        "-device virtio-rng-pci",
        "-device virtio-balloon-pci,free-page-reporting=on,deflate-on-oom=on",
    ]


def test_guest_cmdline_keeps_a_console_and_needs_no_rate_on_hardware() -> None:
    machine = replace(MACHINE, cmdline="console=hvc0 quiet")
    assert guest_cmdline(machine, accelerator="kvm", tsc_khz=3000000) == "console=hvc0 quiet"
    assert (
        guest_cmdline(replace(MACHINE, cmdline=""), accelerator="tcg", tsc_khz=0) == "console=ttyS0 cryptomgr.notests"
    )


def test_escape_doubles_commas() -> None:
    assert escape(Path("/a,b/c")) == "/a,,b/c"


def test_argv_refuses_a_credential_that_qemu_cannot_carry() -> None:
    name = "jeos.property." + "x" * 15
    with pytest.raises(UsageError) as caught:
        argv(MACHINE, replace(WIRING, credentials=(Credential(name, Path("/x")),)))
    assert caught.value.message == f"{name} has 29 characters, and a direct boot passes names of 28"


def test_argv_passes_a_long_name_by_smbios() -> None:
    credential = Credential("jeos.property." + "x" * 15, Path("/run/a,b"), smbios=True)
    assert argv(MACHINE, replace(WIRING, credentials=(credential,)))[-2:] == ["-smbios", "type=11,path=/run/a,,b"]


def test_find_firmware_takes_the_first_complete_pair(tmp_path: Path) -> None:
    pairs = [Firmware(tmp_path / f"code{n}", tmp_path / f"vars{n}") for n in range(3)]
    with pytest.raises(HostError, match="no UEFI firmware"):
        find(pairs)
    for path in (pairs[0].code, pairs[1].code, pairs[1].variables, pairs[2].code, pairs[2].variables):
        path.touch()
    assert find(pairs) == pairs[1]


def test_argv_of_a_copy_maps_the_templates_memory_privately_and_has_no_balloon() -> None:
    wiring = replace(WIRING, ram=Path("/t/a,b/ram"), ram_private=True, incoming=True, balloon=False)
    found = lines(argv(MACHINE, wiring))
    plain = lines(argv(MACHINE, WIRING))
    memory = "memory-backend-file,id=microvm.ram,size=384M,share=off,mem-path=/t/a,,b/ram"
    assert [line for line in found if line not in plain] == [
        f"-object {memory}",
        "-machine memory-backend=microvm.ram",
        "-incoming defer",
    ]
    assert [line for line in plain if line not in found] == [
        "-device virtio-balloon-pci,free-page-reporting=on,deflate-on-oom=on"
    ]


def test_argv_of_a_template_that_boots_writes_its_memory_to_the_file() -> None:
    firmware = Firmware(Path("/fw/code.fd"), Path("/fw/vars.fd"))
    wiring = replace(WIRING, ram=Path("/t/ram"), firmware=firmware, nvram=Path("/t/nvram.fd"))
    found = lines(argv(replace(MACHINE, boot=Boot.FIRMWARE), wiring))
    assert "-object memory-backend-file,id=pc.ram,size=384M,share=on,mem-path=/t/ram" in found


def test_argv_of_a_machine_with_a_vsock_tells_the_guest_where_to_call() -> None:
    words = argv(MACHINE, replace(WIRING, vsock=VsockDevice(cid=703710, port=4_000_000, device=9)))
    plain = argv(MACHINE, WIRING)
    assert [word for word in words if word not in plain] == [
        "vhost-vsock-pci,guest-cid=703710,vhostfd=9",
        "name=opt/io.systemd.credentials/jeos.vsock,string=0004000000",
    ]
    assert AGENT_DOOR == agent_vsock.CREDENTIAL


def test_argv_by_a_hosts_profile() -> None:
    tuning = Tuning(engine=Engine.NATIVE, direct=True, iothread=True, huge=True, packed=True)
    words = argv(MACHINE, replace(WIRING, tuning=tuning))
    own = [word for word in words if word not in argv(MACHINE, WIRING)]
    assert own == [
        "-object",
        "memory-backend-memfd,id=microvm.ram,size=384M,share=on,hugetlb=on,hugetlbsize=2M",
        "memory-backend=microvm.ram",
        "-object",
        "iothread,id=disks",
        "driver=file,node-name=disk-file,discard=unmap,aio=native,cache.direct=on,filename=/state/web/disk.qcow2",
        "driver=qcow2,node-name=disk,discard=unmap,detect-zeroes=unmap,cache.direct=on,file=disk-file",
        "virtio-blk-pci,drive=disk,serial=system,iothread=disks,packed=on",
        f"virtio-net-pci,netdev=net,mac={mac_addresses(MACHINE)[0]},romfile=,packed=on",
    ]
