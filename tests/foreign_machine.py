"""Machines as VMware's customers have them, made from Debian's packages: what conversions are tested with.

    tree = base_tree(folder)                                   # once: a Debian 12, installed by mmdebstrap
    with LEGACY.tree(tree) as root: …                          # as one machine has it; `foreign_disk` makes its disk

The first file system of these machines has VMware's drivers and no others (`MODULES=list`), GRUB and fstab call disks
by the names that VMware's have, and the static address is on `ens192`, which no other hypervisor's card is called.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jeos.build import sources
from jeos.model.recipe import Recipe

SUITE = "bookworm"
PACKAGES = (
    *("apt", "systemd-sysv", "udev", "kmod", "iproute2", "linux-image-amd64", "initramfs-tools", "zstd"),
    *("grub2-common", "grub-pc-bin", "grub-efi-amd64-bin", "lvm2", "e2fsprogs", "xfsprogs"),
    *("ifupdown", "netplan.io", "open-vm-tools"),
)
# Of the disks and cards that hypervisors offer, VMware's alone; ahci and e1000 are what its wizards offer beside them.
DRIVERS = ("sd_mod", "vmw_pvscsi", "mptspi", "mptsas", "ahci", "ata_piix", "vmxnet3", "e1000")
MODULES = (*DRIVERS, "dm_mod", "ext4", "xfs", "crc32c_generic", "libcrc32c")
NOT_NEEDED = (  # hardware that no virtual machine has, and what nobody reads: two thirds of the bytes
    *("drivers/gpu", "drivers/media", "drivers/net/wireless", "drivers/infiniband", "drivers/staging", "drivers/iio"),
    *("sound",),
)
ADDRESS = "10.0.2.77"  # QEMU's user network reaches it as well as that of DHCP
GATEWAY = "10.0.2.2"
SAYS = "fixture-address:"  # on the console, once the network is up
SETUP = """\
#!/bin/sh
set -e
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/etc/kernel"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/driver-policy"
printf 'do_symlinks = no\\nlink_in_boot = no\\n' > "$1/etc/kernel-img.conf"
"""
FINISH = """\
#!/bin/sh
set -e
printf '%s\\n' {modules} >> "$1/etc/initramfs-tools/modules"
for name in {unneeded}; do rm -rf "$1"/lib/modules/*/kernel/"$name"; done
rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/var/lib/apt/lists/*
for version in $(ls "$1/lib/modules"); do chroot "$1" depmod "$version"; done
chroot "$1" update-initramfs -u -k all
ln -sf /run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
: > "$1/etc/machine-id"
"""

REPORT_SERVICE = f"""\
[Unit]
Description=Say on the consoles which addresses there are, again and again, for a getty clears its screen
After=network-online.target
Wants=network-online.target
[Service]
ExecStart=/bin/sh -c 'while sleep 3; do for out in /dev/ttyS0 /dev/tty1; do ip -br -4 address | \
sed "s/^/{SAYS} /" > $out; done; done'
[Install]
WantedBy=multi-user.target
"""

INTERFACES = f"""\
auto lo
iface lo inet loopback

allow-hotplug ens192
auto ens192
iface ens192 inet static
    address {ADDRESS}/24
    gateway {GATEWAY}
"""

NETPLAN = f"""\
network:
  version: 2
  renderer: networkd
  ethernets:
    ens192:
      addresses: [{ADDRESS}/24]
      routes:
        - to: default
          via: {GATEWAY}
"""

# Answers grub-mkconfig as the real one does on such a machine: here it would see this host's disks.
PROBE = """\
#!/bin/sh
for word; do case "$word" in --target=*) target=${{word#--target=}} ;; esac; done
while [ $# -gt 0 ]; do [ "$1" = -t ] && target=$2; shift; done
case "$target" in
    device|disk) echo {device} ;;
    fs) echo {grub_fs} ;;
    fs_uuid) echo {uuid} ;;
    partmap) echo {partmap} ;;
    abstraction) echo {abstraction} ;;
    drive) echo "({grub_root})" ;;
    hints_string) echo "--hint='{grub_root}'" ;;
    compatibility_hint) echo {grub_root} ;;
esac
"""

DEFAULT_GRUB = """\
GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="{cmdline}"
GRUB_TERMINAL=console
GRUB_DISABLE_LINUX_UUID=true
GRUB_DISABLE_OS_PROBER=true
"""


@dataclass(frozen=True)
class Foreign:
    """A machine: how it starts, where its root is, what configures its network.

    `uuid` is the root's; `cmdline` is what its owner has put on the kernel's command line. `disk` is what its home
    calls the first disk, `modules` what its initrd has instead of VMware's drivers.
    """

    name: str
    uuid: str
    firmware: str = "bios"
    filesystem: str = "ext4"
    lvm: bool = False
    network: Mapping[str, str] = field(default_factory=lambda: {"etc/network/interfaces": INTERFACES})
    networkd: bool = False
    cmdline: str = ""
    fstab: str = ""
    disk: str = "sda"
    modules: Sequence[str] = ()

    @property
    def device(self) -> str:
        """Return the root's name at home."""
        return "/dev/mapper/vg0-root" if self.lvm else f"/dev/{self.disk}1"

    @property
    def grub_root(self) -> str:
        """Return the root's name in GRUB."""
        return "lvm/vg0-root" if self.lvm else "hd0,msdos1"

    def _files(self) -> dict[str, str]:
        return {
            "etc/hostname": f"{self.name}\n",
            "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n",
            "etc/fstab": self.fstab,
            "etc/default/grub": DEFAULT_GRUB.format(cmdline=self.cmdline),
            "etc/systemd/system/fixture-report.service": REPORT_SERVICE,
            **self.network,
        }

    @contextmanager
    def tree(self, base: Path) -> Iterator[Path]:
        """Yield a folder with the machine's files, which shares its bytes with `base`."""
        root = base.with_name(f"{base.name}-{self.name}")
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-al", base, root], check=True)
        try:
            for path, text in self._files().items():
                put(root / path, text)
            for unit in ("fixture-report.service", *(["systemd-networkd.service"] if self.networkd else [])):
                subprocess.run(["systemctl", "--quiet", f"--root={root}", "enable", unit], check=True)
            self._configure_grub(root)
            if self.modules:
                put(root / "etc/initramfs-tools/modules", "".join(f"{name}\n" for name in self.modules))
                subprocess.run(["chroot", root, "update-initramfs", "-u", "-k", "all"], check=True, capture_output=True)
            yield root
        finally:
            shutil.rmtree(root)

    def _configure_grub(self, root: Path) -> None:
        """Let the machine's own GRUB write its configuration."""
        probe = root / "usr/sbin/grub-probe"
        real = probe.with_name("grub-probe.real")
        probe.rename(real)
        put(
            probe,
            PROBE.format(
                device=self.device,
                uuid=self.uuid,
                grub_root=self.grub_root,
                grub_fs={"ext4": "ext2"}.get(self.filesystem, self.filesystem),
                partmap="gpt" if self.firmware == "uefi" else "msdos",
                abstraction="lvm" if self.lvm else "",
            ),
            mode=0o755,
        )
        platform = "x86_64-efi" if self.firmware == "uefi" else "i386-pc"
        (root / "boot/grub").mkdir()
        shutil.copytree(root / "usr/lib/grub" / platform, root / "boot/grub" / platform)
        done = subprocess.run(
            ["chroot", root, "grub-mkconfig", "-o", "/boot/grub/grub.cfg"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        real.replace(probe)

    def grub_image(self, base: Path, target: str, *modules: str) -> bytes:
        """Return GRUB's core as `grub-install` makes it, by the machine's own program."""
        platform = "x86_64-efi" if self.firmware == "uefi" else "i386-pc"
        made = base / "tmp/core"
        subprocess.run(
            [
                *("chroot", base, "grub-mkimage", "-O", platform, "-o", "/tmp/core", "-p", f"({target})/boot/grub"),
                *modules,
            ],
            check=True,
        )
        content = made.read_bytes()
        made.unlink()
        return content


def put(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file anew, so that what shares its bytes keeps them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)


def mirrors() -> list[str]:
    """Return apt's lines for the suite from the addresses that this machine's apt has."""
    found = sources.repositories(Recipe(name="foreign", version="1", suite=SUITE), folder=Path())
    return [f"deb {one.url} {suite} {' '.join(one.components)}" for one in found for suite in one.suites]


def base_tree(folder: Path) -> Path:
    """Install the Debian that all machines here are made of, with a kernel of its own; 30 to 60 CPU seconds."""
    tree = folder / "tree"
    put(folder / "setup", SETUP, mode=0o755)
    put(folder / "finish", FINISH.format(modules=" ".join(MODULES), unneeded=" ".join(NOT_NEEDED)), mode=0o755)
    options = ["--quiet", "--mode=root", "--variant=essential", "--format=directory", f"--include={','.join(PACKAGES)}"]
    subprocess.run(
        [
            "mmdebstrap",
            *options,
            '--aptopt=APT::Install-Recommends "false"',
            f"--setup-hook={folder / 'setup'}",
            f"--customize-hook={folder / 'finish'}",
            SUITE,
            str(tree),
            *mirrors(),
        ],
        check=True,
        env={**os.environ, "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"},
    )
    return tree


# What the first product of many vendors still is: MBR, BIOS, a screen and no serial console.
LEGACY = Foreign(
    name="legacy",
    uuid="0b9c6a3e-58a8-4f0e-9b0e-0d5d3f0f1a01",
    fstab="/dev/sda1 / ext4 errors=remount-ro 0 1\n/dev/sda2 none swap sw 0 0\n",
)
UEFI = Foreign(
    name="uefi",
    uuid="0b9c6a3e-58a8-4f0e-9b0e-0d5d3f0f1a02",
    firmware="uefi",
    lvm=True,
    network={"etc/netplan/01-static.yaml": NETPLAN, "etc/network/interfaces": "auto lo\niface lo inet loopback\n"},
    networkd=True,
    cmdline="console=tty0 console=ttyS0,115200n8",
    fstab="/dev/mapper/vg0-root / ext4 errors=remount-ro 0 1\n/dev/sda1 /boot/efi vfat umask=0077 0 1\n"
    "/dev/mapper/vg0-swap none swap sw 0 0\n",
)
XFS = Foreign(
    name="xfs",
    uuid="0b9c6a3e-58a8-4f0e-9b0e-0d5d3f0f1a03",
    filesystem="xfs",
    fstab="/dev/sda1 / xfs defaults 0 0\n/dev/sda2 none swap sw 0 0\n",
)
# A machine of QEMU, KVM or Proxmox, whose initrd finds virtio's disks alone.
KVM = Foreign(
    name="kvm",
    uuid="0b9c6a3e-58a8-4f0e-9b0e-0d5d3f0f1a04",
    fstab="/dev/vda1 / ext4 errors=remount-ro 0 1\n/dev/vda2 none swap sw 0 0\n",
    disk="vda",
    modules=("virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "libcrc32c"),
)
