"""What updates cost a machine that has nothing to update: the agent's share of the image, and one check.

    .venv/bin/python bench/agent.py [--json FILE]

The agent is everything that an image with [update] has for it: its modules, units and command, Python, and libraries
that no other program in such an image names. A check is what a machine sends and gets when the channel has
nothing new: five releases, one of which it runs, counted on the connection, both ways.
"""

import argparse
import contextlib
import fnmatch
import io
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from jeos.build.outputs import find
from jeos.channel.serve import serving
from jeos.disk import elf
from jeos.disk import zstd_library as zstd
from jeos.disk.erofs_reader import Filesystem
from jeos.model.image import TYPE_ROOT
from jeos.model.tree import Kind
from jeos.trust.client import Client
from jeos.trust.keys import Keys
from jeos.trust.passphrase import Passphrases
from jeos.trust.repository import Folder, Repository
from jeos.update import fetch
from measure import publish

JEOS = Path(sys.executable).parent / "jeos"
RECIPE = """\
name = "bench"
version = "1.0"
suite = "trixie"
[update]
channel = "https://updates.example/bench"
root = "keys/root.json"
"""
AGENT = (
    "usr/lib/jeos/*",
    "usr/bin/jeos-agent",
    "usr/lib/systemd/system/jeos-*",
    "usr/bin/python3*",
    "usr/lib/python3*",
)
RELEASES = 5
PIECE = 64 << 10
PASSPHRASE = "of the benchmark's keys"


def agent_size(work: Path) -> tuple[int, int]:
    """Build an appliance of nothing but the agent; return its files' bytes, and those of a tar as zstd -19."""
    (work / "appliance.toml").write_text(RECIPE)
    Keys.create(work / "keys", now=time.time(), passphrases=Passphrases(given=(PASSPHRASE,)))
    for verb in ("lock", "build"):
        subprocess.run([JEOS, "-q", verb, work], check=True)
    outputs = find(work)
    packed = io.BytesIO()
    start = next(one.start for one in outputs.image.partitions if one.type == TYPE_ROOT)
    with (
        outputs.disk.open("rb") as disk,
        tempfile.TemporaryFile() as slot,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        disk.seek(start)
        slot.write(disk.read(outputs.image.system_size))
        filesystem = Filesystem(slot)
        found = {one.path: filesystem.read(one.path) for one in filesystem.tree() if one.kind is Kind.FILE}
        own = agent_files(found)
        for path, data in own.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return sum(map(len, own.values())), len(zstd.compress(packed.getvalue(), level=19))


def agent_files(found: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that are there for the agent alone, with their contents."""

    def libraries(paths: Iterable[str]) -> set[str]:
        programs = (found[path] for path in paths if elf.is_elf(found[path]) and not path.endswith(".ko"))
        return {name for data in programs for name in elf.needed(data)}

    own = {path for path in found if any(fnmatch.fnmatch(path, pattern) for pattern in AGENT)}
    # Python opens libcrypto and libzstd by name, so they are in no program's list.
    alone = (libraries(own) | {"libcrypto.so.3", "libzstd.so.1"}) - libraries(found.keys() - own)
    own |= {path for path, data in found.items() if elf.is_elf(data) and elf.soname(data) in alone}
    return {path: found[path] for path in sorted(own)}


@contextlib.contextmanager
def counted(address: str) -> Iterator[tuple[str, list[int]]]:
    """Give an address that leads to another one, and the lengths of all that goes through."""
    host, _, port = address.removeprefix("http://").rstrip("/").rpartition(":")
    lengths: list[int] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(PIECE):
            lengths.append(len(data))
            target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while True:
            try:
                here, _ = listening.accept()
            except OSError:
                return
            there = socket.create_connection((host, int(port)))
            for pair in ((here, there), (there, here)):
                threading.Thread(target=pass_on, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", lengths
    finally:
        listening.close()


def check_size(work: Path) -> int:
    """Return the bytes of a check that finds what the one before it found."""
    keys = Keys.create(work / "keys", now=time.time(), passphrases=Passphrases(given=(PASSPHRASE,)))
    channel, kept = work / "channel", work / "kept"
    channel.mkdir()
    kept.mkdir()
    repository = Repository.open(Folder(channel), roots=keys.roots())
    for number in range(RELEASES):
        version = f"1.{number}"
        custom = {"version": version, "ring": "stable", "percent": 100, "critical": False, "date": int(time.time())}
        repository.add_target(f"releases/bench_{version}.json", os.urandom(2000), custom=custom)
    repository.commit(keys.signers, now=time.time())
    with serving(channel) as address, counted(address) as (through, lengths):
        for _ in range(2):
            lengths.clear()
            opened = fetch.open_channel(through, memory=str(work / "answer"))
            client = Client(str(kept), root=keys.roots()[0], fetch=opened.get, now=time.time)
            client.refresh()
            if len(client.targets()) != RELEASES:
                raise SystemExit("the channel does not have its releases")
            opened.close()
    return sum(lengths)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jeos-bench-") as folder:
        places = [Path(folder) / name for name in ("image", "check")]
        for place in places:
            place.mkdir()
        unpacked, agent = agent_size(places[0])
        check = check_size(places[1])
    publish(
        "Update, at rest",
        [
            ["the agent with Python, zstd -19", f"{agent / 1e6:.2f} MB ({unpacked / 1e6:.1f} MB unpacked)"],
            ["a check that finds nothing, both ways", f"{check} bytes"],
        ],
        header=("what", "size"),
        path=args.json,
        data={"agent": agent, "unpacked": unpacked, "check": check},
    )


if __name__ == "__main__":
    main()
