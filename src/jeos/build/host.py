"""What a host must have to build and to run appliances, and what mends it where it has not: decided from facts.

    findings = judge(host_facts.gather())
    ready(findings)         # may be built and run here?

A check is a small function from `Facts` to one `Finding`; CHECKS lists them in the order in which they are shown.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from jeos.core.settings import BUILD_ROOM
from jeos.vm.command import QUICK_FIRMWARE

ARCHITECTURE = "x86_64"  # the only one that images are made for
OLDEST_PYTHON = (3, 11)
LITTLE_MEMORY = 2 << 30  # bytes; a build with its tools wants half of it, a machine the other
LITTLE_ROOM = 1 << 30  # bytes of cache: the packages of one appliance, unpacked and packed
AMPLE_ROOM = 5 << 30  # bytes of cache: some appliances, and an image or two
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"  # it works, but something could be better
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Program:
    """A program that a task calls: the Debian package that brings it, and whether the task cannot do without it."""

    name: str
    package: str
    task: str
    needed: bool = True


PROGRAMS = (
    Program("apt-get", "apt", "build"),
    Program("gpgv", "gpgv", "build"),
    Program("dpkg-deb", "dpkg", "build"),
    Program("qemu-system-x86_64", "qemu-system-x86", "run"),
    Program("qemu-img", "qemu-utils", "run"),
    Program("lz4", "lz4", "run", needed=False),  # starts Debian 12's kernels directly
    Program("debugfs", "e2fsprogs", "convert", needed=False),
    Program("mcopy", "mtools", "convert", needed=False),
    Program("sfdisk", "fdisk", "convert", needed=False),  # for --resize
    Program("ntfs-3g", "ntfs-3g", "convert", needed=False),  # this and the next for Windows alone
    Program("hivexregedit", "libwin-hivex-perl", "convert", needed=False),
    Program("sbsign", "sbsigntool", "sign", needed=False),
    Program("openssl", "openssl", "sign", needed=False),
    Program("fsck.erofs", "erofs-utils", "test", needed=False),
    Program("veritysetup", "cryptsetup-bin", "test", needed=False),
    Program("sgdisk", "gdisk", "test", needed=False),
    Program("systemd-dissect", "systemd-container", "test", needed=False),
)
VHOST_DEVICES = ("vhost-net", "vhost-vsock")  # below /dev
SHADOW_MEND = (
    "machines run, but each change of their page tables costs an exit: load the module with second-level paging "
    "(kvm_amd npt=1, kvm_intel ept=1)"
)
ID_PROGRAMS = ("newuidmap", "newgidmap")  # set the ids of an ordinary user's namespace; both from uidmap


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something does not work, and what to do about it."""

    message: str
    mend: str


@dataclass(frozen=True, slots=True)
class Room:
    """A folder, the kind of file system that it is on, and the bytes that are free there."""

    folder: str
    file_system: str
    free: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of a host.

    `families` are the ids of its distribution and of those that it is like (os-release(5)); `programs` the names that
    were found, of all that are asked for; `mirror` and `keyring` say where they come from, "" for nowhere. A trial or
    check that worked has no problem. `fences` are those that machines must do without. Sizes are in bytes. `paging` is
    "nested", "shadow" or "" where not known, `quick_firmware` tells whether QEMU has the one for direct starts.
    `passable` are the devices that wait for machines, with their groups, `huge_pages` when the kernel gives them
    ("always", "madvise", "never"; "" if it has none), and `vhost` which of VHOST_DEVICES can be opened.
    """

    system: str
    families: tuple[str, ...]
    kernel: str
    architecture: str
    python: tuple[int, int]
    cores: int
    memory: int
    root: bool
    programs: frozenset[str]
    ids: Problem | None
    apparmor: bool
    namespace: Problem | None
    mirror: str
    keyring: str
    cache: Room
    work: Room
    accelerator: str
    acceleration: str
    paging: str
    iommu_groups: int
    passable: tuple[str, ...]
    huge_pages: str
    vhost: frozenset[str]
    firmware: str
    quick_firmware: bool
    passt: str
    router: str
    fences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `needed` tells whether building or running is impossible where it is missing."""

    task: str
    name: str
    state: State
    value: str
    mend: str = ""
    needed: bool = True


def judge(facts: Facts) -> tuple[Finding, ...]:
    """Return one finding for each check."""
    return tuple(check(facts) for check in CHECKS)


def ready(findings: Iterable[Finding]) -> bool:
    """Tell whether appliances can be built and run."""
    return not any(finding.needed and finding.state is State.MISSING for finding in findings)


def _install(facts: Facts, *packages: str) -> str:
    names = " ".join(dict.fromkeys(packages))
    if "debian" in facts.families:
        return f"sudo apt-get install {names}"
    return f"install what Debian calls {names}"


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB"


def _system(facts: Facts) -> Finding:
    value = f"{facts.system}, Linux {facts.kernel}, {facts.architecture}"
    if facts.architecture == ARCHITECTURE:
        return Finding("host", "system", State.OK, value)
    return Finding("host", "system", State.MISSING, value, f"use a machine with {ARCHITECTURE}: images are made for it")


def _python(facts: Facts) -> Finding:
    value = ".".join(str(number) for number in facts.python)
    if facts.python >= OLDEST_PYTHON:
        return Finding("host", "python", State.OK, value)
    return Finding("host", "python", State.MISSING, value, "use Python 3.11 or later")


def _power(facts: Facts) -> Finding:
    value = f"{facts.cores} cores, {_size(facts.memory)} of memory"
    if facts.memory >= LITTLE_MEMORY:
        return Finding("host", "power", State.OK, value)
    return Finding("host", "power", State.NOTE, value, f"{_size(LITTLE_MEMORY)} make builds and machines comfortable")


def _cache(facts: Facts) -> Finding:
    value = f"{_size(facts.cache.free)} free for the cache in {facts.cache.folder}"
    mend = "jeos store gc, or set JEOS_CACHE_DIR to a folder on a larger disk"
    if facts.cache.free >= AMPLE_ROOM:
        return Finding("host", "room", State.OK, value)
    return Finding("host", "room", State.NOTE if facts.cache.free >= LITTLE_ROOM else State.MISSING, value, mend)


def _build_programs(facts: Facts) -> Finding:
    return _programs(facts, "build")


def _run_programs(facts: Facts) -> Finding:
    return _programs(facts, "run")


def _sign_programs(facts: Facts) -> Finding:
    return _programs(facts, "sign")


def _convert_programs(facts: Facts) -> Finding:
    return _programs(facts, "convert")


def _test_programs(facts: Facts) -> Finding:
    return _programs(facts, "test")


def _programs(facts: Facts, task: str) -> Finding:
    wanted = [program for program in PROGRAMS if program.task == task]
    lacking = [program for program in wanted if program.name not in facts.programs]
    needed = any(program.needed for program in lacking)
    if not lacking:
        return Finding(task, "programs", State.OK, " ".join(program.name for program in wanted), needed=False)
    value = f"not installed: {' '.join(program.name for program in lacking)}"
    mend = _install(facts, *(program.package for program in lacking))
    return Finding(task, "programs", State.MISSING if needed else State.NOTE, value, mend, needed=needed)


def _ids(facts: Facts) -> Finding:
    if facts.root:
        return Finding("build", "ids", State.OK, "root has all")
    lacking = [name for name in ID_PROGRAMS if name not in facts.programs]
    if lacking:
        value = f"not installed: {' '.join(lacking)}"
        return Finding("build", "ids", State.MISSING, value, _install(facts, "uidmap"))
    if facts.ids:
        return Finding("build", "ids", State.MISSING, facts.ids.message, facts.ids.mend)
    return Finding("build", "ids", State.OK, "ranges in /etc/subuid and /etc/subgid")


def _namespace(facts: Facts) -> Finding:
    if facts.namespace and _ids(facts).state is State.MISSING:
        return Finding("build", "sandbox", State.MISSING, "cannot be tried before there are ids")
    if facts.namespace:
        return Finding("build", "sandbox", State.MISSING, facts.namespace.message, facts.namespace.mend)
    restricted = " (although AppArmor restricts user namespaces)" if facts.apparmor and not facts.root else ""
    return Finding("build", "sandbox", State.OK, f"namespaces and overlayfs work{restricted}")


def _mirror(facts: Facts) -> Finding:
    if facts.mirror:
        return Finding("build", "mirror", State.OK, f"from {facts.mirror}")
    mend = "export JEOS_MIRROR=https://mirror.example/debian, or set `mirror` in each recipe"
    return Finding("build", "mirror", State.MISSING, "no Debian mirror is known", mend)


def _keyring(facts: Facts) -> Finding:
    if facts.keyring:
        return Finding("build", "keys", State.OK, facts.keyring)
    mend = f"{_install(facts, 'debian-archive-keyring')}, or set `keyring` in each recipe"
    return Finding("build", "keys", State.MISSING, "Debian's archive keys are not installed", mend)


def _work(facts: Facts) -> Finding:
    value = f"builds work in {facts.work.folder} ({facts.work.file_system}, {_size(facts.work.free)} free)"
    if facts.work.free < LITTLE_ROOM:
        return Finding("build", "work", State.MISSING, value, "set JEOS_TMPDIR to a folder with more room")
    if facts.work.file_system in MEMORY_FILE_SYSTEMS:
        return Finding("build", "work", State.OK, value)
    mend = f"a tmpfs with {_size(BUILD_ROOM)} free, in /dev/shm or named by JEOS_TMPDIR, halves the cost of a build"
    return Finding("build", "work", State.NOTE, value, mend)


def _accelerator(facts: Facts) -> Finding:
    if facts.accelerator == "kvm" and facts.paging == "shadow":
        return Finding("run", "speed", State.NOTE, f"kvm: {facts.acceleration}", SHADOW_MEND)
    if facts.accelerator == "kvm":
        return Finding("run", "speed", State.OK, f"kvm: {facts.acceleration}")
    mend = "machines run, but are emulated, several times slower; a host with hardware virtualization mends it"
    return Finding("run", "speed", State.NOTE, f"{facts.accelerator}: {facts.acceleration}", mend)


def _iommu(facts: Facts) -> Finding:
    if facts.iommu_groups:
        groups = f"{facts.iommu_groups} group{'' if facts.iommu_groups == 1 else 's'}"
        passable = f"; for machines: {', '.join(facts.passable)}" if facts.passable else ""
        return Finding("run", "iommu", State.OK, f"{groups} of devices{passable}")
    mend = (
        "only to pass devices on: VT-d or AMD-Vi in the firmware's setup, intel_iommu=on on Intel's kernel command line"
    )
    return Finding("run", "iommu", State.NOTE, "none, so no device can be passed to a machine", mend)


def _huge_pages(facts: Facts) -> Finding:
    if facts.huge_pages in ("always", "madvise"):
        return Finding("run", "pages", State.OK, f"huge pages for machines' memory ({facts.huge_pages})")
    value = "no huge pages for machines' memory"
    mend = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"
    if not facts.huge_pages:
        value, mend = f"{value}: this kernel has none", "a kernel with CONFIG_TRANSPARENT_HUGEPAGE, as Debian's"
    return Finding("run", "pages", State.NOTE, value, mend)


def _vhost(facts: Facts) -> Finding:
    lacking = [name for name in VHOST_DEVICES if name not in facts.vhost]
    if not lacking:
        return Finding("run", "vhost", State.OK, f"{' '.join(VHOST_DEVICES)}: the channel to guests is a vsock")
    value = f"cannot be opened in /dev: {' '.join(lacking)}"
    if "vhost-vsock" in lacking:
        value += ", so the channel to guests is a virtio-serial port"
    modules = " ".join(name.replace("-", "_") for name in lacking)
    mend = f"sudo modprobe -a {modules}, and a user in the group kvm"
    return Finding("run", "vhost", State.NOTE, value, mend)


def _firmware(facts: Facts) -> Finding:
    if facts.firmware:
        return Finding("run", "firmware", State.OK, facts.firmware)
    mend = f"{_install(facts, 'ovmf')}; without it machines only start directly"
    return Finding("run", "firmware", State.NOTE, "no UEFI firmware for machines", mend)


def _quick_firmware(facts: Facts) -> Finding:
    if facts.quick_firmware:
        return Finding("run", "start", State.OK, f"{QUICK_FIRMWARE}, which starts kernels directly")
    mend = f"{_install(facts, 'qemu-system-data')}; until then machines start with --firmware"
    return Finding("run", "start", State.NOTE, f"QEMU has no {QUICK_FIRMWARE}, so no machine starts directly", mend)


def _router(facts: Facts) -> Finding:
    if not facts.router:
        return Finding("build", "network", State.OK, "commands with a network have one of their own")
    value = f"commands with `network = true` get all of this host's, because {facts.router}"
    mend = _install(facts, "slirp4netns") if "installed" in facts.router else "sudo chmod 0666 /dev/net/tun"
    return Finding("build", "network", State.NOTE, value, mend)


def _network(facts: Facts) -> Finding:
    if not facts.passt:
        return Finding("run", "network", State.OK, "passt")
    mend = f"{_install(facts, 'passt')} (a version that works) keeps them out, and brings IPv6 and speed"
    value = f"QEMU's own, in which guests reach this host's loopback services, because {facts.passt}"
    return Finding("run", "network", State.NOTE, value, mend)


def _fences(facts: Facts) -> Finding:
    if not facts.fences:
        return Finding("run", "fences", State.OK, "namespaces and Landlock keep machines in")
    mend = "machines run all the same; docs/explanation/confinement.md tells what each fence is for and what it needs"
    return Finding("run", "fences", State.NOTE, f"machines do without {'; '.join(facts.fences)}", mend)


CHECKS: tuple[Callable[[Facts], Finding], ...] = (
    _system,
    _python,
    _power,
    _cache,
    _build_programs,
    _ids,
    _namespace,
    _mirror,
    _keyring,
    _work,
    _router,
    _run_programs,
    _accelerator,
    _huge_pages,
    _iommu,
    _vhost,
    _firmware,
    _quick_firmware,
    _network,
    _fences,
    _convert_programs,
    _sign_programs,
    _test_programs,
)
