"""What a machine may use of this host's processors, memory and disks, kept by the kernel: a control group of its own.

    group = prepare("web", Limits(cpu=150, memory=1 << 30), disk=places.folder)
    group.join()                # in the new process, or group.attach(process) from outside
    group.lacking(process)      # ("io",): what the kernel does not keep, although it was asked for
    group.remove()

Where systemd runs, it is asked for a scope, as whoever started jeos may: it alone changes control groups there.
Elsewhere (in containers, under other init systems) the group is made by hand, in either version of control groups.
Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/; org.freedesktop.systemd1(5), StartTransientUnit.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import HostError
from jeos.core.run import run
from jeos.model.machine import Limits
from jeos.vm.fence import PROCESSES

SYSTEMD = Path("/run/systemd/system")  # there where it is the init, sd_booted(3)
PERIOD = 100_000  # microseconds over which the share of processors is measured: the kernel's own default
SCOPE_SECONDS, POLL_SECONDS = 5.0, 0.005
PROCS, SUBTREE = "cgroup.procs", "cgroup.subtree_control"
FILES = {"cpu": "cpu.max", "memory": "memory.max", "io": "io.max"}
FIRST_VERSION = {"cpu": "cpu", "memory": "memory", "io": "blkio", "pids": "pids"}


@dataclass(frozen=True, slots=True)
class Group:
    """A control group: `folders` made by hand, or a `unit` of systemd; or the `problem` that there is none."""

    limits: Limits
    disk: Path
    folders: tuple[Path, ...] = ()
    unit: str = ""
    problem: str = ""

    def join(self) -> None:
        """Put this process into the group, if that was made by hand. Raises OSError."""
        for folder in self.folders:
            (folder / PROCS).write_text("0")

    def attach(self, process: int) -> None:
        """Put a process into the group. Raises JeosError, or OSError."""
        for folder in self.folders:
            (folder / PROCS).write_text(str(process))
        if self.unit:
            run(["busctl", "--system" if os.geteuid() == 0 else "--user", "--quiet", *self.order(process)])
            self._wait_until_in(process)

    def _wait_until_in(self, process: int) -> None:
        """Wait until a process is in the scope: systemd answers before it has moved it. Raises HostError."""
        until = time.monotonic() + SCOPE_SECONDS
        while self.unit not in Path(f"/proc/{process}/cgroup").read_text():
            if time.monotonic() > until:
                raise HostError(f"systemd did not make {self.unit} within {SCOPE_SECONDS:g} s")
            time.sleep(POLL_SECONDS)

    def lacking(self, process: int) -> tuple[str, ...]:
        """Return the kinds of limits that were asked for and are not kept for a process."""
        places = _places(process)
        return tuple(kind for kind in self.limits.wanted if not _kept(kind, places))

    def remove(self) -> None:
        """Remove the group once nobody is in it; systemd does that by itself."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def order(self, process: int) -> list[str]:
        """Return the words with which busctl asks systemd for the scope."""
        limits = self.limits
        properties: list[tuple[str, ...]] = [("PIDs", "au", "1", str(process)), ("TasksMax", "t", str(PROCESSES))]
        if limits.cpu:
            properties.append(("CPUQuotaPerSecUSec", "t", str(limits.cpu * 10_000)))
        if limits.memory:
            properties.append(("MemoryMax", "t", str(limits.memory)))
        if limits.io:
            for way in ("Read", "Write"):
                properties.append((f"IO{way}BandwidthMax", "a(st)", "1", str(self.disk), str(limits.io)))
        words = [word for one in properties for word in one]
        manager = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
        call = ("StartTransientUnit", "ssa(sv)a(sa(sv))", self.unit, "fail", str(len(properties)))
        return ["call", *manager, *call, *words, "0"]


def prepare(name: str, limits: Limits, *, disk: Path) -> Group:
    """Make a control group for the machine of that name, whose disks are below `disk`, as far as this host lets us."""
    try:
        if SYSTEMD.is_dir():
            return Group(limits, disk, unit=f"jeos-{name}-{os.getpid()}.scope")
        return Group(limits, disk, folders=tuple(_by_hand(f"jeos-{name}", limits, disk=disk)))
    except OSError as error:
        return Group(limits, disk, problem=f"no control group can be made: {error.filename}: {error.strerror}")


def _by_hand(name: str, limits: Limits, *, disk: Path) -> Iterator[Path]:
    """Make the group in each hierarchy that keeps one of the limits. Raises OSError."""
    places = _places(os.getpid())
    own = places.get("")
    if own is not None and "memory" in (own / "cgroup.controllers").read_text().split():
        yield _second_version(own / name if not (own / "cgroup.type").exists() else own.parent / name, limits, disk)
        return
    for kind in ("pids", *limits.wanted):
        place = places.get(FIRST_VERSION[kind])
        if place is None:
            continue  # told as lacking
        (place / name).mkdir(exist_ok=True)
        for file, value in _first_version(kind, limits, disk).items():
            (place / name / file).write_text(value)
        yield place / name


def _second_version(folder: Path, limits: Limits, disk: Path) -> Path:
    for kind in ("pids", *limits.wanted):
        with contextlib.suppress(OSError):  # told as lacking
            (folder.parent / SUBTREE).write_text(f"+{kind}")
    folder.mkdir(exist_ok=True)
    device = _device(disk)
    values = {"pids.max": str(PROCESSES)}
    values |= {"cpu.max": f"{limits.cpu * PERIOD // 100} {PERIOD}"} if limits.cpu else {}
    values |= {"memory.max": str(limits.memory)} if limits.memory else {}
    values |= {"io.max": f"{device} rbps={limits.io} wbps={limits.io}"} if limits.io else {}
    for file, value in values.items():
        with contextlib.suppress(OSError):  # told as lacking
            (folder / file).write_text(value)
    return folder


def _first_version(kind: str, limits: Limits, disk: Path) -> Mapping[str, str]:
    if kind == "cpu":
        return {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(limits.cpu * PERIOD // 100)}
    if kind == "memory":
        return {"memory.limit_in_bytes": str(limits.memory)}
    if kind == "io":
        value = f"{_device(disk)} {limits.io}"
        return {"blkio.throttle.read_bps_device": value, "blkio.throttle.write_bps_device": value}
    return {"pids.max": str(PROCESSES)}


def _device(path: Path) -> str:
    """Return the numbers of the whole disk that a file is on: partitions have no limits of their own."""
    found = path.stat().st_dev
    about = Path(f"/sys/dev/block/{os.major(found)}:{os.minor(found)}")
    if (about / "partition").exists():
        return (about.resolve().parent / "dev").read_text().strip()
    return f"{os.major(found)}:{os.minor(found)}"


def _places(process: int) -> dict[str, Path]:
    """Return the folders of a process's groups by the name of their controller, "" for the second version."""
    mounts: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2":
            mounts.setdefault("", Path(before.split()[4]))
        elif kind == "cgroup":
            mounts |= {word: Path(before.split()[4]) for word in options.split(",")}
    found = {}
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _, names, place = line.split(":", 2)
        for name in names.split(","):
            if name in mounts:
                found[name] = mounts[name] / place.lstrip("/")
    return found


def _kept(kind: str, places: Mapping[str, Path]) -> bool:
    """Tell whether a limit stands in one of a process's groups."""
    second, first = places.get(""), places.get(FIRST_VERSION[kind])
    try:
        if first is not None:
            sign = {
                "cpu": "cpu.cfs_quota_us",
                "memory": "memory.limit_in_bytes",
                "io": "blkio.throttle.read_bps_device",
            }
            return (first / sign[kind]).read_text().strip() not in ("", "-1", str((1 << 63) - 4096))
        return second is not None and (second / FILES[kind]).read_text().split()[:1] not in ([], ["max"])
    except OSError:
        return False
