"""The kernel of an appliance: its image, and those of its modules that virtual hardware and server software want.

Debian packs each module with xz; here they are unpacked, since one that did not change must have the same bytes in
every release, and since the whole image is compressed anyway when it travels.
"""

import fnmatch
import functools
import lzma
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.core import rooted
from jeos.core.errors import InputError

# What stays, as paths below `kernel/` without the suffix; `*` crosses slashes. Everything that one of these depends
# on stays too. The list is for guests: no driver for hardware that no hypervisor and no cloud shows to one, and no
# module for what a host does for its guests.
VIRTUAL_HARDWARE = (
    "drivers/virtio/*",
    "drivers/block/virtio_blk",
    "drivers/block/loop",
    "drivers/block/nbd",
    "drivers/block/xen-blkfront",
    "drivers/block/zram/*",
    "drivers/char/hw_random/virtio-rng",
    "drivers/char/virtio_console",
    "drivers/char/tpm/*",
    "drivers/net/virtio_net",
    "drivers/net/vmxnet3/*",
    "drivers/net/hyperv/*",
    "drivers/net/xen-netfront",
    "drivers/net/ethernet/amazon/*",
    "drivers/net/ethernet/google/*",
    "drivers/net/ethernet/microsoft/*",
    "drivers/net/ethernet/intel/e1000/*",
    "drivers/net/ethernet/intel/e1000e/*",
    "drivers/net/ethernet/intel/iavf/*",
    "drivers/net/ethernet/intel/ixgbevf/*",
    "drivers/net/net_failover",
    "drivers/scsi/virtio_scsi",
    "drivers/scsi/vmw_pvscsi",
    "drivers/scsi/hv_storvsc",
    "drivers/scsi/xen-scsifront",
    "drivers/scsi/sd_mod",
    "drivers/scsi/sr_mod",
    "drivers/message/fusion/mptspi",
    "drivers/message/fusion/mptsas",
    "drivers/nvme/host/nvme",
    "drivers/nvme/host/nvme-core",
    "drivers/ata/ahci",
    "drivers/ata/ata_piix",
    "drivers/hv/*",
    "drivers/input/serio/hyperv-keyboard",
    "drivers/input/evdev",
    "drivers/misc/vmw_*",
    "drivers/misc/pvpanic/*",
    "drivers/virt/coco/*",
    "drivers/virt/vboxguest/*",
    "drivers/virt/vmgenid",
    "drivers/firmware/qemu_fw_cfg",
    "drivers/firmware/dmi-sysfs",
    "drivers/watchdog/i6300esb",
    "drivers/watchdog/iTCO_wdt",
    "drivers/watchdog/softdog",
    "drivers/xen/xen-privcmd",
    "drivers/xen/xen-gntdev",
    "drivers/xen/xen-evtchn",
    "drivers/ptp/*",
    "drivers/acpi/button",
    "drivers/gpu/drm/tiny/bochs",
    "drivers/gpu/drm/virtio/*",
)
SYSTEM = (
    "drivers/md/dm-mod",
    "drivers/md/dm-bufio",
    "drivers/md/dm-verity",
    "drivers/md/dm-crypt",
    "fs/erofs/*",
    "fs/overlayfs/*",
    "fs/ext4/*",
    "fs/fat/*",
    "fs/nls/nls_ascii",
    "fs/nls/nls_cp437",
    "fs/nls/nls_iso8859-1",
    "fs/nls/nls_utf8",
    "fs/isofs/*",
    "fs/fuse/fuse",
    "fs/fuse/virtiofs",
    "fs/9p/*",
    "net/9p/*",
    "fs/autofs/*",
    "fs/efivarfs/*",
    "fs/binfmt_misc",
)
# What disks, IPsec and TLS are encrypted with today, checksums, and what programs may ask the kernel for.
CRYPTO = (
    *(f"crypto/{name}" for name in ("af_alg", "algif_*", "authenc*", "cryptd", "crypto_simd", "crypto_user")),
    *(f"crypto/{name}" for name in ("aes*", "cbc", "ccm", "chacha*", "cmac", "ctr", "cts", "ecb", "echainiv")),
    *(f"crypto/{name}" for name in ("essiv", "gcm", "geniv", "ghash*", "hmac", "poly1305*", "seqiv", "xts")),
    *(f"crypto/{name}" for name in ("blake2b*", "crc*", "lz4", "lzo*", "md5", "sha*", "xxhash*", "zstd")),
    *(f"arch/x86/crypto/{name}" for name in ("aes*", "chacha*", "crc*", "curve25519*", "ghash*", "poly1305*", "sha*")),
    "lib/crypto/*",
)
# Containers (bridge, veth, overlay networks, what their iptables and ipset ask for), nftables, tunnels, load balancing.
NETWORK = (
    "drivers/net/dummy",
    "drivers/net/ipvlan/ipvlan",
    "drivers/net/macvlan",
    "drivers/net/tap",
    "drivers/net/tun",
    "drivers/net/veth",
    "drivers/net/vxlan/*",
    "drivers/net/wireguard/*",
    "net/8021q/*",
    "net/bridge/bridge",
    "net/bridge/br_netfilter",
    "net/bridge/netfilter/nf*",
    "net/ipv4/*diag",
    "net/ipv4/esp4",
    "net/ipv4/ip_gre",
    "net/ipv4/ip_vti",
    "net/ipv4/ipip",
    "net/ipv4/tcp_bbr",
    "net/ipv4/xfrm4_tunnel",
    "net/ipv4/netfilter/ip_tables",
    "net/ipv4/netfilter/ipt_R*",
    "net/ipv4/netfilter/iptable_*",
    "net/ipv4/netfilter/nft_*",
    "net/ipv6/esp6",
    "net/ipv6/ip6_gre",
    "net/ipv6/ip6_vti",
    "net/ipv6/ip6_tunnel",
    "net/ipv6/sit",
    "net/ipv6/xfrm6_tunnel",
    "net/ipv6/netfilter/ip6_tables",
    "net/ipv6/netfilter/ip6t_R*",
    "net/ipv6/netfilter/ip6table_*",
    "net/ipv6/netfilter/nft_*",
    "net/llc/*",
    "net/netfilter/nf_conncount",
    "net/netfilter/nf_conntrack",
    "net/netfilter/nf_conntrack_ftp",
    "net/netfilter/nf_conntrack_netlink",
    "net/netfilter/nf_conntrack_tftp",
    "net/netfilter/nf_flow_table*",
    "net/netfilter/nf_log_syslog",
    "net/netfilter/nf_nat",
    "net/netfilter/nf_nat_ftp",
    "net/netfilter/nf_nat_tftp",
    "net/netfilter/nf_tables",
    "net/netfilter/nfnetlink",
    "net/netfilter/nfnetlink_log",
    "net/netfilter/nfnetlink_queue",
    *(f"net/netfilter/nft_{name}" for name in ("chain_nat", "compat", "connlimit", "ct", "fib*", "flow_offload")),
    *(f"net/netfilter/nft_{name}" for name in ("hash", "limit", "log", "masq", "nat", "numgen", "queue", "quota")),
    *(f"net/netfilter/nft_{name}" for name in ("redir", "reject*", "socket", "tproxy", "xfrm")),
    *(f"net/netfilter/xt_{name}" for name in ("CT", "LOG", "MASQUERADE", "NFLOG", "NFQUEUE", "REDIRECT", "TCPMSS")),
    *(f"net/netfilter/xt_{name}" for name in ("TPROXY", "addrtype", "bpf", "cgroup", "comment", "connlimit")),
    *(f"net/netfilter/xt_{name}" for name in ("connmark", "conntrack", "hashlimit", "iprange", "ipvs", "limit", "mac")),
    *(f"net/netfilter/xt_{name}" for name in ("mark", "multiport", "nat", "owner", "physdev", "pkttype", "policy")),
    *(f"net/netfilter/xt_{name}" for name in ("recent", "set", "socket", "state", "statistic", "tcpudp")),
    *(f"net/netfilter/ipset/ip_set_{name}" for name in ("bitmap_port", "hash_ip", "hash_ipport", "hash_ipportip")),
    *(f"net/netfilter/ipset/ip_set_{name}" for name in ("hash_ipportnet", "hash_net", "list_set")),
    *(f"net/netfilter/ipvs/ip_vs{name}" for name in ("", "_lc", "_rr", "_sh", "_wlc", "_wrr")),
    "net/packet/*",
    *(f"net/sched/sch_{name}" for name in ("cake", "codel", "fq", "htb", "ingress", "netem", "prio", "sfq", "tbf")),
    *(f"net/sched/cls_{name}" for name in ("basic", "bpf", "fw", "matchall", "u32")),
    *(f"net/sched/act_{name}" for name in ("bpf", "connmark", "gact", "mirred", "police", "skbedit")),
    "net/tls/*",
    "net/unix/*",
    "net/vmw_vsock/*",
)
KEPT = VIRTUAL_HARDWARE + SYSTEM + CRYPTO + NETWORK

# Lists that depmod reads beside the modules.
LISTS = ("modules.builtin", "modules.builtin.modinfo", "modules.order")
SUFFIXES = (".ko.xz", ".ko.zst", ".ko")


def release_of(package: Path) -> str:
    """Return the release (such as "6.12.1-cloud-amd64") of an unpacked linux-image package."""
    found = sorted(path.name for path in (package / "usr/lib/modules").glob("*")) or sorted(
        path.name for path in (package / "lib/modules").glob("*")
    )
    if len(found) != 1:
        raise InputError(f"expected one kernel in its package, found {len(found)}", hint="is it a linux-image package?")
    return found[0]


def modules_folder(package: Path) -> Path:
    """Return the folder `lib/modules/RELEASE` of an unpacked linux-image package."""
    release = release_of(package)
    merged = package / "usr/lib/modules" / release
    return merged if merged.is_dir() else package / "lib/modules" / release


def image_of(package: Path) -> Path:
    """Return the kernel image (a bzImage) of an unpacked linux-image package."""
    return rooted.place(package, f"boot/vmlinuz-{release_of(package)}")


def module_name(path: Path) -> str:
    """Return the name that the kernel knows a module by: without suffix, and with underscores."""
    return path.name.partition(".ko")[0].replace("-", "_")


def read_module(path: Path) -> bytes:
    """Return a module's ELF bytes, unpacked if need be."""
    data = path.read_bytes()
    if path.name.endswith(".xz"):
        return lzma.decompress(data)
    if path.name.endswith(".zst"):
        import zstandard

        return zstandard.ZstdDecompressor().decompress(data, max_output_size=1 << 28)
    return data


@dataclass(frozen=True, slots=True)
class Selected:
    """Which modules of a kernel stay: the kernel's release, and paths in the package by module name.

    `read` returns a module's bytes; those that were read to choose are not unpacked again.
    """

    release: str
    modules: Mapping[str, Path]
    left_out: Mapping[str, int]  # path below `kernel/` → bytes in the package
    read: Callable[[Path], bytes] = read_module


def module_info(data: bytes) -> dict[str, list[str]]:
    """Return the strings of a module's `.modinfo` section, such as {"depends": ["dm-mod,dm-bufio"]}.

    The section is a run of NUL-terminated "key=value" strings; the offsets are those of ELF64's headers
    (System V ABI, "ELF header" and "Section header").
    """
    section_offset = int.from_bytes(data[0x28:0x30], "little")
    entry_size, count, names = (int.from_bytes(data[at : at + 2], "little") for at in (0x3A, 0x3C, 0x3E))

    def header(index: int) -> tuple[int, int, int]:
        at = section_offset + index * entry_size
        name = int.from_bytes(data[at : at + 4], "little")
        return (
            name,
            int.from_bytes(data[at + 0x18 : at + 0x20], "little"),
            int.from_bytes(data[at + 0x20 : at + 0x28], "little"),
        )

    _, strings, _ = header(names)
    found: dict[str, list[str]] = {}
    for index in range(count):
        name, offset, size = header(index)
        if data.startswith(b".modinfo\0", strings + name):
            for item in data[offset : offset + size].split(b"\0"):
                key, equals, value = item.decode("utf-8", "replace").partition("=")
                if equals:
                    found.setdefault(key, []).append(value)
    return found


def depends(info: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of the modules that one depends on, the soft ones that load before it included."""
    hard = [name for value in info.get("depends", ()) for name in value.split(",") if name]
    soft: list[str] = []
    for value in info.get("softdep", ()):
        words = value.replace("post:", "\0").split("\0")[0].split()
        soft += [word for word in words if word != "pre:"]
    return [name.replace("-", "_") for name in (*hard, *soft)]


def select(package: Path, *, extra: Iterable[str] = (), everything: bool = False) -> Selected:
    """Choose the modules of an unpacked kernel package that stay.

    `extra` are names that the recipe asks for. Raises InputError for one that is neither a module nor built in.
    """
    folder = modules_folder(package)
    paths = sorted(path for path in (folder / "kernel").rglob("*") if path.name.endswith(SUFFIXES))
    by_name = {module_name(path): path for path in paths}
    plain = {path: str(path.relative_to(folder / "kernel")).partition(".ko")[0] for path in paths}
    stays = re.compile("|".join(fnmatch.translate(pattern) for pattern in KEPT))
    read = functools.cache(read_module)
    wanted = {module_name(path) for path in paths if everything or stays.match(plain[path])}
    wanted |= _asked_for(extra, by_name, builtin=_builtin(folder))
    kept: dict[str, Path] = {}
    waiting = sorted(wanted)
    while waiting:
        name = waiting.pop()
        if name in kept or name not in by_name:
            continue
        kept[name] = by_name[name]
        if not everything:
            waiting += depends(module_info(read(by_name[name])))
    left_out = {
        str(path.relative_to(folder / "kernel")): path.stat().st_size
        for name, path in by_name.items()
        if name not in kept
    }
    return Selected(release=folder.name, modules=dict(sorted(kept.items())), left_out=left_out, read=read)


def _builtin(folder: Path) -> set[str]:
    listed = folder / "modules.builtin"
    return {module_name(Path(line)) for line in listed.read_text().splitlines()} if listed.exists() else set()


def _asked_for(extra: Iterable[str], by_name: Mapping[str, Path], *, builtin: set[str]) -> set[str]:
    names = {name.replace("-", "_") for name in extra}
    missing = sorted(names - by_name.keys() - builtin)
    if missing:
        raise InputError(
            f"the kernel has no module {', '.join(missing)}",
            hint='check [kernel] modules, or choose flavour = "generic" for real hardware',
        )
    return names - builtin


def install(selected: Selected, *, package: Path, root: Path) -> None:
    """Write the chosen modules, unpacked, and depmod's lists below `root`/usr/lib/modules/RELEASE."""
    source = modules_folder(package)
    target = rooted.place(root, f"usr/lib/modules/{selected.release}")
    for path in selected.modules.values():
        relative = path.relative_to(source)
        unpacked = target / relative.parent / (path.name.partition(".ko")[0] + ".ko")
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        unpacked.write_bytes(selected.read(path))
        unpacked.chmod(0o644)
    for name in LISTS:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def static_nodes(devname: str) -> str:
    """Return the tmpfiles.d(5) lines for the device nodes that load a module when they are opened.

    `devname` is depmod's list, of lines such as "fuse fuse c10:229": module, path below /dev, and kind with major and
    minor number (kmod, tools/depmod.c, `output_devname`). systemd would start `kmod static-nodes` for it at each boot.
    """
    lines = []
    for module in (line.split() for line in devname.splitlines() if not line.startswith("#")):
        _, path, number = module
        folder = path.rpartition("/")[0]
        lines += [f"d /dev/{folder} 0755 - - -\n"] if folder else []
        lines.append(f"{number[0]}! /dev/{path} 0600 - - - {number[1:]}\n")
    return "".join(lines)
