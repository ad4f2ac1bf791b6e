"""What a machine is, as values: its disks, what is on them, and the systems that are installed there.

    survey.systems[0].pretty            "Debian GNU/Linux 12 (bookworm)"
    survey.volume("sda1").uuid          "0b9c…"

Disks are called sda, sdb… in the order in which they were given, partitions sda1…, logical volumes "group/volume".
These names are keys within one survey; the machine itself may use others. Paths are the machine's own, without a slash
at the start. What was not understood is said in `notes`, and never stops the rest from being found.
"""

from dataclasses import dataclass, field

# What a machine needs to reach its disk and network on each kind of host, as modules of the Linux kernel are called.
DRIVERS: dict[str, tuple[str, ...]] = {
    "virtio": ("virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net"),
    "vmware": ("vmw_pvscsi", "vmxnet3", "mptspi", "mptsas"),
    "hyperv": ("hv_vmbus", "hv_storvsc", "hv_netvsc"),
    "virtualbox": ("ahci", "ata_piix", "mptspi", "mptsas", "e1000"),
    "xen": ("xen_blkfront", "xen_netfront"),
    "generic": ("ahci", "ata_piix", "nvme", "sd_mod", "e1000", "e1000e"),
}

# Those of them that are for network cards.
CARDS = frozenset({"virtio_net", "vmxnet3", "hv_netvsc", "xen_netfront", "e1000", "e1000e"})
# Without one driver of each group, no disk of that kind of host is reached.
NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "virtio": (("virtio_pci",), ("virtio_blk", "virtio_scsi")),
    "vmware": (("vmw_pvscsi", "mptspi", "mptsas", "ahci", "ata_piix", "nvme"),),
    "hyperv": (("hv_vmbus",), ("hv_storvsc",)),
    "virtualbox": (("ahci", "ata_piix", "mptspi", "mptsas", "nvme"),),
    "xen": (("xen_blkfront",),),
    "generic": (("ahci", "ata_piix", "nvme"),),
}


def module_name(text: str) -> str:
    """Return a kernel module's name in one form: the path and endings off, "_" for "-"."""
    return text.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk; `table` is "gpt", "dos" or "" (none), `uuid` its identity, `sector` its unit in bytes."""

    name: str
    size: int
    table: str = ""
    uuid: str = ""
    sector: int = 512


@dataclass(frozen=True, slots=True)
class Volume:
    """A partition, a logical volume, or a whole disk without a table, and what is in it.

    `kind` is "partition", "logical" or "disk"; `type`, `label` and `id` are what the partition table or LVM says.
    `content`, `uuid` and `title` are the file system's (kind, UUID and label as blkid prints them); `content` may also
    be "LVM2_member", "crypto_LUKS", "linux_raid_member", "swap" or "". `used` is None where it is not known.
    `clean` is false for a file system whose journal waits to be replayed.
    """

    name: str
    kind: str
    size: int
    disk: str = ""
    number: int = 0
    start: int = 0
    type: str = ""
    label: str = ""
    id: str = ""
    content: str = ""
    uuid: str = ""
    title: str = ""
    used: int | None = None
    clean: bool = True


# Names for what is written on a disk; those by id are of device mapper and software RAID (as Ubuntu's installer takes).
_STABLE = (
    *("/dev/mapper/", "/dev/md", "/dev/disk/by-uuid/", "/dev/disk/by-label/", "/dev/disk/by-part"),
    *(f"/dev/disk/by-id/{kind}-" for kind in ("dm-uuid", "dm-name", "md-uuid", "md-name", "lvm-pv-uuid")),
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of fstab; `volume` is the survey's name of what `spec` means, "" where it could not be found."""

    spec: str
    where: str
    type: str
    options: str
    volume: str = ""
    line: int = 0

    @property
    def by_name(self) -> bool:
        """Tell whether the disk is meant by a name that depends on the hardware: /dev/sda1, /dev/disk/by-path/…."""
        if not self.spec.startswith("/dev/") or self.spec.startswith(_STABLE):
            return False
        return self.spec.startswith("/dev/disk/") or "/" not in self.spec.removeprefix("/dev/")


@dataclass(frozen=True, slots=True)
class Initrd:
    """A first file system: `generator` is "initramfs-tools", "dracut", "mkinitcpio" or "", `modules` as `module_name`.

    `compression` is that of the last archive in it ("" for none); `failure` says why it could not be read.
    """

    path: str
    size: int
    generator: str = ""
    compression: str = ""
    modules: tuple[str, ...] = ()
    failure: str = ""

    def drivers(self, host: str) -> tuple[str, ...]:
        """Return which of a kind of host's drivers are in it."""
        return tuple(name for name in DRIVERS[host] if name in self.modules)


@dataclass(frozen=True, slots=True)
class Kernel:
    """An installed kernel; `modules` is the folder of its modules ("" if there is none).

    `available` are the drivers of `DRIVERS` among these modules, `builtin` those that are part of the kernel.
    """

    version: str
    path: str
    modules: str = ""
    available: tuple[str, ...] = ()
    builtin: tuple[str, ...] = ()
    initrd: Initrd | None = None

    def starts_on(self, host: str) -> bool:
        """Tell whether initrd and kernel can reach a disk of that kind of host."""
        there = {*self.builtin, *(self.initrd.modules if self.initrd else ())}
        return all(there.intersection(group) for group in NEEDED[host])


@dataclass(frozen=True, slots=True)
class RootArgument:
    """A `root=` on a kernel's command line, where it stands (path and line, from 1), and the volume that it means."""

    path: str
    line: int
    value: str
    volume: str = ""


@dataclass(frozen=True, slots=True)
class Loader:
    """A boot loader on an EFI system partition; `kind` is "shim", "grub", "systemd-boot", "windows", "uki" or ""."""

    volume: str
    path: str
    kind: str = ""
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class Boot:
    """How the machine starts.

    `bios` is the disk whose boot code was found ("" for none) with its `bios_loader` ("grub", "syslinux", …);
    `loaders` are those of UEFI, and `fallback` tells whether one has the name that firmware without memory looks for.
    `configs` are GRUB's configuration files, `entries` those of the boot loader specification.
    """

    bios: str = ""
    bios_loader: str = ""
    loaders: tuple[Loader, ...] = ()
    fallback: bool = False
    configs: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    roots: tuple[RootArgument, ...] = ()

    @property
    def firmware(self) -> str:
        """Return what the machine can start with: "uefi", "bios", "bios+uefi" or "" where neither was found."""
        return "+".join(
            name for name, found in (("bios", self.bios), ("uefi", any(item.kind for item in self.loaders))) if found
        )


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface as it is configured; `path` is the file that says so, `manager` whose file that is.

    `manager` is "ifupdown", "netplan", "networkmanager", "networkd", "ifcfg-redhat" or "ifcfg-suse"; addresses carry
    their prefix ("192.0.2.7/24"). `mac` is in lower case, "" where no file ties the name to one.
    """

    name: str
    manager: str
    path: str
    mac: str = ""
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    dhcp: bool = False

    @property
    def static(self) -> bool:
        """Tell whether there is an address that would be lost with the name."""
        return bool(self.addresses)


@dataclass(frozen=True, slots=True)
class Pin:
    """A rule that gives the interface with a MAC a name: a .link file, or a line of udev's rules."""

    name: str
    mac: str
    path: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A guest's tool for one hypervisor; `host` is "vmware", "virtualbox", "hyperv", "qemu", "xen" or "cloud".

    `units` are its systemd units that are started at boot.
    """

    name: str
    host: str
    path: str
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """An operating system that is installed; `volume` holds its root, `subvolume` is btrfs's ("" for none).

    `family` is "debian", "redhat", "suse", "arch", "alpine", "windows", "linux" (another one) or "unknown". `initramfs`
    is the tool that makes first file systems: "initramfs-tools", "dracut", "mkinitcpio" or "".
    """

    family: str
    volume: str
    subvolume: str = ""
    id: str = ""
    name: str = ""
    version: str = ""
    pretty: str = ""
    architecture: str = ""
    hostname: str = ""
    packages: str = ""
    initramfs: str = ""
    boot: Boot = field(default_factory=Boot)
    mounts: tuple[Mount, ...] = ()
    kernels: tuple[Kernel, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    pins: tuple[Pin, ...] = ()
    tools: tuple[Tool, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """All that was found on a machine's disks."""

    disks: tuple[Disk, ...]
    volumes: tuple[Volume, ...]
    systems: tuple[System, ...] = ()
    notes: tuple[str, ...] = ()

    def volume(self, name: str) -> Volume | None:
        """Return the volume with that name."""
        return next((volume for volume in self.volumes if volume.name == name), None)
