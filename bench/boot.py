"""Measure an appliance and its start, beside a stock Debian: sizes, memory, and CPU seconds until things happen.

    bench/boot.py [--runs 3] [--json FILE] [--no-peer]

The minimal appliance and the web site of examples/web are built and run as a user would. The peer is what Debian
installs without jeos: its cloud kernel with an initrd of initramfs-tools, made by mmdebstrap, started on the same QEMU.
CPU seconds are those of QEMU's process (user and system) until a line appears or the page is answered; wall times mean
something only on a machine that does nothing else. Figures are medians.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import zstandard

from jeos.build import outputs
from jeos.disk import uki
from jeos.model.image import Partition
from jeos.vm import accelerator, session
from jeos.vm.guest import Guest
from jeos.vm.places import places_of
from measure import Cost, machine, median, table
from peers import mirrors

JEOS = Path(sys.executable).parent / "jeos"
WEB = Path(__file__).parent.parent / "examples" / "web"
NAME = "bench-boot"  # of the machine
FIRST_LINE = b"jeos: initrd"
PEER_FIRST_LINE = b"peer: user space"
LEVEL = 19  # of zstd
MEGABYTE, MEBIBYTE = 1e6, float(1 << 20)
SETTLED = 30.0  # seconds after which memory is read: what starts late has started
PATIENCE = 300.0  # seconds that a machine may take for anything
POLL = 0.005  # seconds; a hundredth of the least that is measured
ASKED_APART = 0.15  # seconds between two questions for a page
TICK = os.sysconf("SC_CLK_TCK")
# What the peer's initrd runs first; initramfs-tools(7), "Boot scripts".
PEER_SCRIPT = f"""\
#!/bin/sh
[ "$1" = prereqs ] && exit 0
echo "{PEER_FIRST_LINE.decode()}" >/dev/console
"""
PEER_MEMORY = 256  # MiB; the stock initrd does not unpack in 128


def until(ready: Callable[[], bool], *, what: str) -> None:
    """Poll until something is so; end the benchmark if it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not happen within {PATIENCE:g} s")
        time.sleep(POLL)


def spent(process: int, *, since: float) -> Cost:
    """Return what a process has cost so far (proc(5): fields 14 and 15 of `stat`), and the time since `since`."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return Cost(cpu=(int(fields[11]) + int(fields[12])) / TICK, wall=time.time() - since)


def says(path: Path, line: bytes) -> Callable[[], bool]:
    """Return a question: does the file hold this line by now?"""
    return lambda: path.exists() and line in path.read_bytes()


def answers(port: int) -> Callable[[], bool]:
    """Return a question: does a page come from this port of the host?

    It is asked anew each time, beside what was asked before: who asks while the guest has no network yet is answered
    only when QEMU's own network tries again, which would round what is measured to its seconds.
    """
    came = threading.Event()

    def ask() -> None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as page:
            if page.read():
                came.set()

    def asked() -> bool:
        threading.Thread(target=ask, daemon=True).start()
        return came.wait(ASKED_APART)

    return asked


def boot(recipe: Path, *, mode: str, page: bool = False, idle: bool = False) -> dict[str, Cost | float]:
    """Start a built image once; return costs until its first line, its page or health, and the memory in use."""
    found: dict[str, Cost | float] = {}
    ports = ["--port", "0:80"] if page else []
    subprocess.run([JEOS, "-q", "run", recipe, "--name", NAME, mode, "--detach", *ports], check=True, stdout=sys.stderr)
    try:
        state, places = session.seen(NAME).state, places_of(NAME)
        until(says(places.console_log, FIRST_LINE), what="the first line")
        found["first"] = spent(state.qemu, since=state.started)
        if page:
            until(answers(state.forwards[0].host), what="the page")
            found["page"] = spent(state.qemu, since=state.started)
        if idle:
            with Guest(places.guest) as guest:
                guest.wait("healthy", deadline=PATIENCE)
                found["healthy"] = spent(state.qemu, since=state.started)
                time.sleep(SETTLED)
                found["memory"] = in_use(guest.exec(["cat", "/proc/meminfo"], deadline=PATIENCE).stdout.decode())
    finally:
        session.remove(NAME, force=True)
    return found


def in_use(meminfo: str) -> float:
    """Return the MiB that are in use: all that the kernel gives out, less what it could give to a new program."""
    values = {line.partition(":")[0]: int(line.split()[1]) for line in meminfo.splitlines()}
    return (values["MemTotal"] - values["MemAvailable"]) / 1024


def sizes(built: outputs.Outputs) -> dict[str, int]:
    """Return sizes in bytes: of the parts, and of all that the disk holds, packed with zstd; holes are not counted."""
    image = built.image
    packed = sum(len(pack(part)) for part in contents(built.disk, image.partitions))
    return {
        "slot": image.system_size,
        "verity": image.verity_size,
        "kernel image": image.kernel_size,
        "initrd": len(uki.sections(built.kernel.read_bytes())[".initrd"]),
        "on disk": built.disk.stat().st_blocks * 512,
        f"zstd -{LEVEL}": packed,
    }


def contents(disk: Path, partitions: Sequence[Partition]) -> list[bytes]:
    """Return what each partition holds, without holes."""
    return [b"".join(extents(disk, start=one.start, end=one.start + one.size)) for one in partitions]


def extents(disk: Path, *, start: int, end: int) -> list[bytes]:
    """Return the bytes of a sparse file between two places that are not in holes."""
    found = []
    with disk.open("rb") as file:
        while start < end:
            try:
                begin = os.lseek(file.fileno(), start, os.SEEK_DATA)
            except OSError:  # nothing but a hole until the end
                break
            if begin >= end:
                break
            start = min(end, os.lseek(file.fileno(), begin, os.SEEK_HOLE))
            found.append(os.pread(file.fileno(), start - begin, begin))
    return found


def pack(data: bytes) -> bytes:
    """Return data as zstd packs it at LEVEL."""
    return zstandard.ZstdCompressor(level=LEVEL, threads=-1).compress(data)


def make_peer(work: Path) -> tuple[Path, Path, int] | None:
    """Return kernel, initrd and root's size of a Debian that mmdebstrap made, or None without mmdebstrap."""
    if shutil.which("mmdebstrap") is None:
        return None
    script = work / "first-line"
    script.write_text(PEER_SCRIPT)
    script.chmod(0o755)
    place = '"$1"/etc/initramfs-tools/scripts/init-top/first-line'
    subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=minbase"),
            "--include=linux-image-cloud-amd64,initramfs-tools,zstd,systemd-sysv,udev,dbus,python3-minimal",
            f'--customize-hook=cp {script} {place} && chroot "$1" update-initramfs -u',
            f'--customize-hook=cp "$1"/boot/vmlinuz-* {work}/vmlinuz && cp "$1"/boot/initrd.img-* {work}/initrd',
            *("trixie", str(work / "peer.tar"), *mirrors()),
        ],
        check=True,
        stdout=sys.stderr,
        env={**os.environ, "TMPDIR": str(work)},
    )
    return work / "vmlinuz", work / "initrd", len(pack((work / "peer.tar").read_bytes()))


def start_peer(kernel: Path, initrd: Path, *, log: Path) -> Cost:
    """Start the peer once, its kernel given to QEMU's q35 directly, and return its cost until its first line."""
    accelerated = ["-accel", "tcg", "-cpu", "max"] if accelerator.choose("auto").kind == "tcg" else ["-enable-kvm"]
    log.unlink(missing_ok=True)
    started = time.time()
    process = subprocess.Popen(
        [
            *("qemu-system-x86_64", "-M", "q35", *accelerated, "-m", str(PEER_MEMORY)),
            *("-nodefaults", "-no-user-config", "-display", "none", "-serial", f"file:{log}"),
            *("-kernel", str(kernel), "-initrd", str(initrd), "-append", "console=ttyS0 quiet"),
        ]
    )
    try:
        until(says(log, PEER_FIRST_LINE), what="the peer's first line")
        return spent(process.pid, since=started)
    finally:
        process.kill()
        process.wait()


def costs(runs: Sequence[Mapping[str, Cost | float]], name: str) -> Cost:
    """Return the median of one cost of several starts."""
    return median([one for run in runs if isinstance(one := run[name], Cost)])


def shown(cost: Cost) -> list[str]:
    """Return a cost as two cells."""
    return [f"{cost.cpu:.2f}", f"{cost.wall:.1f}"]


def build_appliances(work: Path) -> tuple[Path, Path]:
    """Build the minimal appliance and the web site, and return their recipes' folders."""
    minimal, web = work / "minimal", work / "web"
    subprocess.run(
        [JEOS, "-q", "new", "minimal", "--template", "minimal", "--folder", minimal], check=True, stdout=sys.stderr
    )
    shutil.copytree(WEB, web, ignore=shutil.ignore_patterns("build"))
    for recipe in (minimal, web):
        subprocess.run([JEOS, "-q", "build", recipe], check=True, stdout=sys.stderr)
    return minimal, web


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--no-peer", action="store_true", help="leave out the stock Debian, which takes minutes to make"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jeos-bench-") as name:
        work = Path(name)
        os.environ["JEOS_STATE_DIR"] = str(work / "state")
        os.environ["JEOS_RUNTIME_DIR"] = str(work / "run")
        (work / "run").mkdir(mode=0o700)
        minimal, web = build_appliances(work)
        measured = sizes(outputs.find(minimal))
        small = [boot(minimal, mode="--direct", idle=True) for _ in range(args.runs)]
        direct = [boot(web, mode="--direct", page=True) for _ in range(args.runs)]
        firm = [boot(web, mode="--firmware", page=True) for _ in range(args.runs)]
        peer = None if args.no_peer else make_peer(work)
        peer_first = median([start_peer(*peer[:2], log=work / "peer.log") for _ in range(args.runs)]) if peer else None
        peer_sizes = (
            {"initrd": peer[1].stat().st_size, "kernel": peer[0].stat().st_size, "tar": peer[2]} if peer else {}
        )
    memory = statistics.median(one for run in small if isinstance(one := run["memory"], float))
    size_rows = [[key, f"{value / MEGABYTE:.1f}", f"{value / MEBIBYTE:.1f}"] for key, value in measured.items()]
    size_rows += [[f"Debian's {key}", f"{n / MEGABYTE:.1f}", f"{n / MEBIBYTE:.1f}"] for key, n in peer_sizes.items()]
    starts = {
        "minimal, kernel directly: first line": costs(small, "first"),
        "minimal, kernel directly: healthy": costs(small, "healthy"),
        "web site, kernel directly: first line": costs(direct, "first"),
        "web site, kernel directly: page": costs(direct, "page"),
        "web site, firmware: first line": costs(firm, "first"),
        "web site, firmware: page": costs(firm, "page"),
    }
    if peer_first:
        starts["Debian's kernel and initrd, directly (q35): first line"] = peer_first
    out = sys.stdout.write
    out(f"## Image and start\n\nMeasured on: {machine()}; {accelerator.choose('auto').kind}\n\n")
    out(table(size_rows, header=("the minimal appliance", "MB", "MiB")) + "\n\n")
    out(table([[key, *shown(one)] for key, one in starts.items()], header=("until", "CPU s", "wall s")) + "\n\n")
    out(f"In use {SETTLED:g} s after the minimal appliance was healthy: {memory:.1f} MiB.\n")
    if args.json:
        data = {
            "sizes": measured,
            "peer_sizes": peer_sizes,
            "memory_mib": memory,
            "starts": {key: [one.cpu, one.wall] for key, one in starts.items()},
        }
        args.json.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
