"""From a machine to QEMU's command line: a pure function, so that a test can compare it whole.

Two kinds of machine are made. `microvm` has nothing but virtio devices and is handed the kernel by QEMU; it is there in
a quarter of the time. `q35` has firmware, UEFI or a BIOS, and boots the disk as real machines do.
Source: QEMU's manual, "Invocation", "microvm machine" and "Firmware"; docs/explanation/machines.md has the reasons.
"""

from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import UsageError
from jeos.model.machine import Boot, Machine, Share
from jeos.model.tuning import USUAL, Engine, Tuning
from jeos.vm.firmware import Firmware

PROGRAM = "qemu-system-x86_64"
AGENT_PORT = "org.jeos.agent.0"
AGENT_DOOR = "jeos.vsock"  # the credential with the port at which the agent calls over vsock
CREDENTIAL = "opt/io.systemd.credentials/"  # where systemd looks in fw_cfg, systemd.system-credentials(7)
LONGEST_FW_CFG_NAME = 55  # bytes; FW_CFG_MAX_FILE_PATH without its end mark, QEMU docs/specs/fw_cfg.rst
QUICK_FIRMWARE = "qboot.rom"  # among QEMU's own files; Debian 12 has it as microvm's usual firmware, too
TRANSLATION_CACHE = 128  # MiB; QEMU's own default of up to 1 GiB is memory that small machines never give back
# Nothing in a machine may start programs, gain rights or change how the host schedules it.
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


DISK_THREAD = "disks"  # of QEMU, that serves the machine's disks where they have one of their own
PACKED = ",packed=on"  # for a device whose queues are packed rings
SUPPLY = "-supply"  # after a disk's name: the node that it reads from until it is complete
RECONNECT_SECONDS = 60  # that a guest's reads wait for a supply that has to be started again


@dataclass(frozen=True, slots=True)
class Credential:
    """A value for the guest's systemd, in a file, so that it never stands on a command line.

    With `smbios` the file is a whole string for SMBIOS, else the bare value for QEMU's fw_cfg.
    """

    name: str
    path: Path
    smbios: bool = False


@dataclass(frozen=True, slots=True)
class VsockDevice:
    """A vsock: the guest's address, the host's port for its agent, and the device, a descriptor that QEMU inherits."""

    cid: int
    port: int
    device: int


@dataclass(frozen=True, slots=True)
class PassedDevice:
    """A PCI device of the host: its address, what QEMU reads to find it, and the files of the device itself."""

    address: str
    about: tuple[Path, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a machine is connected to in this run.

    `qmp` and `console` are descriptors of sockets that QEMU inherits; `agent` is the path of one that it makes.
    `network` is the value of QEMU's `-netdev`, whose id is "net". `tsc_khz` is the rate of the host's time stamp
    counter, 0 if unknown; `nvram` is the machine's copy of the firmware's variables. `supply` is the socket of what
    exports the disks' contents, where they are not complete yet.

    `ram` is a file that is the machine's memory; if it is `ram_private`, what the machine changes does not go there.
    One that waits for what its devices are to hold is `incoming`. `shares` are the sockets on which the folders of the
    host are served that the machine sees; those that QEMU serves itself are `folders`. `tuning` is what this host can
    give.
    """

    accelerator: str
    tsc_khz: int
    disk: Path
    other_disks: tuple[Path, ...]
    agent: Path
    qmp: int
    console: int
    network: str
    credentials: tuple[Credential, ...] = ()
    firmware: Firmware | None = None
    nvram: Path | None = None
    supply: Path | None = None
    ram: Path | None = None
    ram_private: bool = False
    incoming: bool = False
    balloon: bool = True
    shares: tuple[Path, ...] = ()
    folders: tuple[Share, ...] = ()
    vsock: VsockDevice | None = None
    tuning: Tuning = USUAL
    devices: tuple[PassedDevice, ...] = ()


def argv(machine: Machine, wiring: Wiring) -> list[str]:
    """Return QEMU's command line for a machine; raises UsageError for what this kind of machine cannot have."""
    return [
        PROGRAM,
        *("-name", f"jeos-{machine.name}"),
        *("-nodefaults", "-no-user-config"),
        *("-display", "none"),
        *("-sandbox", SANDBOX),
        *_processor(machine, wiring),
        *_start(machine, wiring),
        *("-chardev", f"socket,id=qmp,fd={wiring.qmp}", "-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"socket,id=console,fd={wiring.console}", "-serial", "chardev:console"),
        *_devices(machine, wiring),
        *_credentials(machine, wiring),
        *(("-incoming", "defer") if wiring.incoming else ()),
    ]


def escape(value: str | Path) -> str:
    """Return a value for QEMU's key=value lists, where a comma stands for itself only when doubled."""
    return str(value).replace(",", ",,")


def mac_addresses(machine: Machine) -> tuple[str, ...]:
    """Return the addresses of the machine's network cards.

    One that was not given any has QEMU's own prefix and three bytes that stay the machine's.
    """
    if machine.macs:
        return machine.macs
    digits = machine.uuid.replace("-", "")[-6:]
    return (f"52:54:00:{digits[0:2]}:{digits[2:4]}:{digits[4:6]}",)


def guest_cmdline(machine: Machine, *, accelerator: str, tsc_khz: int) -> str:
    """Return the kernel's command line for a direct boot: the image's own, and what this machine type needs.

    Nothing on microvm lets a kernel measure the time stamp counter under TCG, so it would wait for ever: tell it.
    Nor let it hold the counter against ticks, many of which come late there: it would count by them from then on, 250
    interrupts a second, and its clock would run slow. The counter is the host's own, and as good as that.
    And an emulated processor takes a second or two to try each of its ciphers, which hardware does in no time.
    Source: Linux, Documentation/admin-guide/kernel-parameters.txt, `tsc_early_khz`, `tsc`; crypto/algboss.c, `notests`.
    """
    words = [machine.cmdline] if machine.cmdline else []
    if "console=" not in machine.cmdline:
        words.append("console=ttyS0")
    if accelerator == "tcg" and tsc_khz:
        words += [f"tsc_early_khz={tsc_khz}", "tsc=reliable"]
    if accelerator == "tcg":
        words.append("cryptomgr.notests")
    return " ".join(words)


def _processor(machine: Machine, wiring: Wiring) -> list[str]:
    emulated = wiring.accelerator == "tcg"
    accelerator = f"tcg,thread=multi,tb-size={TRANSLATION_CACHE}" if emulated else "kvm"
    return [
        *("-uuid", machine.uuid),
        *("-accel", accelerator),
        *("-cpu", "max" if emulated else "host"),
        *("-smp", str(machine.cpus)),
        *("-m", str(machine.memory)),
        *_memory(machine, wiring),
    ]


def _memory(machine: Machine, wiring: Wiring) -> list[str]:
    """Return what makes a file the memory, under the name that it has without: what was saved says that name."""
    huge = wiring.tuning.huge
    if wiring.ram is None and not wiring.shares and not huge:
        return []
    name = "microvm.ram" if machine.boot is Boot.DIRECT else "pc.ram"
    if wiring.ram is None:  # who serves a folder by virtiofs reads and writes the guest's memory itself
        pages = ",hugetlb=on,hugetlbsize=2M" if huge else ""
        shared = f"memory-backend-memfd,id={name},size={machine.memory}M,share=on{pages}"
        return ["-object", shared, "-machine", f"memory-backend={name}"]
    share = "off" if wiring.ram_private else "on"
    words = f"memory-backend-file,id={name},size={machine.memory}M,share={share},mem-path={escape(wiring.ram)}"
    return ["-object", words, "-machine", f"memory-backend={name}"]


def _start(machine: Machine, wiring: Wiring) -> list[str]:
    if machine.boot is Boot.DIRECT:
        return _direct(machine, wiring)
    # A foreign system may talk to a screen alone, so it has one; nobody looks at that of an appliance.
    screen = ["-device", "VGA"] if machine.foreign else []
    graphics = "on" if machine.foreign else "off"
    return [*(_bios if machine.boot is Boot.BIOS else _uefi)(wiring, graphics), *screen, *_WATCHED]


def _direct(machine: Machine, wiring: Wiring) -> list[str]:
    return [
        # A clock, because kernels without one poll for it; ACPI, because the bus is only announced there; PCI, because
        # on virtio's own bus each queue has 1,024 places that the guest fills with buffers: 12 MiB of its memory.
        *("-machine", "microvm,acpi=on,pcie=on,rtc=on,graphics=off,dump-guest-core=off"),
        # SeaBIOS, which QEMU would take, keeps the ACPI tables at the end of memory, just where QEMU puts the initrd.
        *("-bios", QUICK_FIRMWARE),
        *("-kernel", machine.kernel),
        *("-initrd", machine.initrd),
        *("-append", guest_cmdline(machine, accelerator=wiring.accelerator, tsc_khz=wiring.tsc_khz)),
    ]


def _bios(wiring: Wiring, graphics: str) -> list[str]:
    return ["-machine", f"q35,graphics={graphics},dump-guest-core=off"]


def _uefi(wiring: Wiring, graphics: str) -> list[str]:
    if wiring.firmware is None or wiring.nvram is None:
        raise AssertionError("a machine that boots from firmware is wired to one")
    code, nvram = escape(wiring.firmware.code), escape(wiring.nvram)
    return [
        *("-machine", f"q35,graphics={graphics},dump-guest-core=off,smm=off,pflash0=code,pflash1=nvram"),
        *("-blockdev", f"driver=file,node-name=code,read-only=on,filename={code}"),
        *("-blockdev", f"driver=file,node-name=nvram,filename={nvram}"),
    ]


_WATCHED = (
    # A panic is told to the supervisor and otherwise left to the guest, which reboots and so falls back.
    *("-device", "pvpanic-pci", "-action", "panic=none"),
    # Tells a guest that it was brought back or copied, so that its random numbers begin anew.
    *("-device", "vmgenid,guid=auto"),
    # Silent until a guest opens it; then a guest that hangs is reset, so that the boot loader counts the start.
    *("-device", "i6300esb", "-action", "watchdog=reset"),
)


def _devices(machine: Machine, wiring: Wiring) -> list[str]:
    first = "" if machine.boot is Boot.DIRECT else ",bootindex=0"  # or the firmware tries the network before the disk
    macs = mac_addresses(machine)
    packed = PACKED if wiring.tuning.packed else ""
    return [
        *(("-object", f"iothread,id={DISK_THREAD}") if wiring.tuning.iothread else ()),
        *_disk("disk", wiring.disk, wiring=wiring, device=f",serial=system{first}"),
        *(
            word
            for n, path in enumerate(wiring.other_disks, 1)
            for word in _disk(f"disk{n}", path, wiring=wiring, device="")
        ),
        *("-netdev", wiring.network),
        *("-device", f"virtio-net-pci,netdev=net,mac={macs[0]},romfile={packed}"),
        *(word for n, mac in enumerate(macs[1:], 1) for word in _more_network(n, mac=mac, isolated=machine.isolated)),
        *("-chardev", f"socket,id=agent,path={escape(wiring.agent)},server=on,wait=off"),
        *("-device", "virtio-serial-pci", "-device", f"virtserialport,chardev=agent,name={AGENT_PORT}"),
        *_vsock(wiring.vsock),
        *(word for device in wiring.devices for word in ("-device", f"vfio-pci,host={device.address}")),
        *("-device", "virtio-rng-pci"),
        *(word for number in range(len(machine.shares)) for word in _share(number, wiring)),
        # Where memory is a file that others see, what a guest gives back would be gone for them, too.
        *(("-device", "virtio-balloon-pci,free-page-reporting=on,deflate-on-oom=on") if wiring.balloon else ()),
    ]


def _vsock(vsock: VsockDevice | None) -> list[str]:
    if vsock is None:
        return []
    # The number is as long whatever it is: a machine that is brought back must be shown files of the same size.
    told = f"name={CREDENTIAL}{AGENT_DOOR},string={vsock.port:010}"
    return ["-device", f"vhost-vsock-pci,guest-cid={vsock.cid},vhostfd={vsock.device}", "-fw_cfg", told]


def _disk(node: str, path: Path, *, wiring: Wiring, device: str) -> list[str]:
    supply = _supply(node, wiring.supply) if wiring.supply else []
    below = f"{node}-file,backing={node}{SUPPLY}" if supply else f"{node}-file"
    tuning = wiring.tuning
    engine = f",aio={tuning.engine}" if tuning.engine is not Engine.THREADS else ""
    around = ",cache.direct=on" if tuning.direct else ""
    thread = f",iothread={DISK_THREAD}" if tuning.iothread else ""
    packed = PACKED if tuning.packed else ""
    return [
        *supply,
        *("-blockdev", f"driver=file,node-name={node}-file,discard=unmap{engine}{around},filename={escape(path)}"),
        *("-blockdev", f"driver=qcow2,node-name={node},discard=unmap,detect-zeroes=unmap{around},file={below}"),
        *("-device", f"virtio-blk-pci,drive={node}{device}{thread}{packed}"),
    ]


def share_tag(number: int) -> str:
    """Return the name by which a guest mounts the folder of that number, from 0."""
    return f"jeos-share-{number}"


def _share(number: int, wiring: Wiring) -> list[str]:
    tag = share_tag(number)
    if wiring.shares:
        device = f"vhost-user-fs-pci,chardev=share{number},tag={tag}"
        return ["-chardev", f"socket,id=share{number},path={escape(wiring.shares[number])}", "-device", device]
    folder = wiring.folders[number]
    only = ",readonly=on" if folder.read_only else ""
    words = f"local,id=share{number},path={escape(folder.path)},security_model=none,multidevs=remap{only}"
    return ["-fsdev", words, "-device", f"virtio-9p-pci,fsdev=share{number},mount_tag={tag}"]


def _supply(node: str, socket: Path) -> list[str]:
    """Return the node that a disk reads from what it does not have yet; requests wait for a supply that starts anew."""
    server = f"server.type=unix,server.path={escape(socket)},export={node},reconnect-delay={RECONNECT_SECONDS}"
    return ["-blockdev", f"driver=nbd,node-name={node}{SUPPLY},read-only=on,{server}"]


def _more_network(number: int, *, mac: str, isolated: bool) -> list[str]:
    restrict = ",restrict=on" if isolated else ""
    return [
        *("-netdev", f"user,id=net{number}{restrict}"),  # like the first card's, but nothing is forwarded there
        *("-device", f"virtio-net-pci,netdev=net{number},mac={mac},romfile="),
    ]


def fits_fw_cfg(name: str) -> bool:
    """Tell whether a credential's name is short enough for fw_cfg."""
    return len(CREDENTIAL + name) <= LONGEST_FW_CFG_NAME


def _credentials(machine: Machine, wiring: Wiring) -> list[str]:
    words = []
    for credential in wiring.credentials:
        if credential.smbios:
            words += ["-smbios", f"type=11,path={escape(credential.path)}"]
        elif fits_fw_cfg(credential.name):
            words += ["-fw_cfg", f"name={CREDENTIAL}{credential.name},file={escape(credential.path)}"]
        else:
            limit = LONGEST_FW_CFG_NAME - len(CREDENTIAL)
            raise UsageError(
                f"{credential.name} has {len(credential.name)} characters, and a direct boot passes names of {limit}",
                hint="start the machine with --firmware, or give the property a shorter name",
            )
    return words
