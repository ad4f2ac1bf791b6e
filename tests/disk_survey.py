"""What a machine would find on a disk that was cut off from power, told by programs that are not ours.

    survey(Path("cut.img"), builds={"1": …, "2": …}, work=folder)
    Found(starts="2", problems=())

`sgdisk` reads the partition table, mtools the ESP, `veritysetup` checks the slot that systemd-boot would start,
`e2fsck` and `debugfs` the data.
"""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jeos.build.outputs import Outputs
from jeos.core.run import find_program
from jeos.model.version import sort_key
from jeos.update import state_file

SECTOR = 512
ESP, SYSTEMS, DATA = 1, (2, 4), 6  # numbers of partitions; the hashes of a system are in the next one
KERNELS = "::/EFI/Linux"
KERNEL = re.compile(r"tiny_(?P<version>[0-9.]+)(?:\+(?P<left>\d+)(?:-\d+)?)?\.efi")
UNREPAIRED = 4  # from this exit status on, e2fsck(8) found more than a journal and orphans


@dataclass(frozen=True)
class Found:
    """The version that would start, whether on trial, what the machine remembers, and what is not as it must be."""

    starts: str = ""
    trial: bool = False
    state: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass
class Surveyor:
    """Looks at one disk again and again; `verified` are contents of slots that were found whole."""

    place: Path
    builds: Mapping[str, Outputs]
    work: Path
    verified: set[bytes] = field(default_factory=set)

    def survey(self) -> Found:
        """Tell what the disk is good for."""
        problems: list[str] = []
        kernels = self._kernels(problems)
        if not kernels:
            return Found(problems=("nothing to start", *problems))
        chosen, left = kernels[-1]
        self._check_slot(chosen, problems)
        state = self._state(problems)
        if left is not None:
            if (state.get("trial") or {}).get("version") != chosen:
                problems.append(f"{chosen} is on trial, and the machine does not know")
            if "1" not in dict(kernels):
                problems.append(f"{chosen} is on trial, and has no way back")
            self._check_slot("1", problems)
        return Found(chosen, left is not None, state, tuple(problems))

    def _kernels(self, problems: list[str]) -> list[tuple[str, int | None]]:
        """Return the versions on the ESP and the starts that they have left, None where they are not counted.

        They are in the order in which systemd-boot prefers them, the best one last. Each must be, byte for byte, what
        was built; but Linux, too, makes a new name in two steps, and the boot loader passes over a file without bytes.
        """
        found: list[tuple[str, int | None]] = []
        for path in self._run("mdir", "-b", "-i", self._esp(), KERNELS, problems=problems).decode().split():
            match = KERNEL.fullmatch(path.rpartition("/")[2])
            data = self._run("mcopy", "-n", "-i", self._esp(), path, "-", problems=problems) if match else b""
            if not match or not data:
                continue
            if data != self.builds[match["version"]].kernel.read_bytes():
                problems.append(f"{path} is not what was built")
            found.append((match["version"], None if match["left"] is None else int(match["left"])))
        return sorted(found, key=lambda one: (one[1] != 0, sort_key(one[0]), one[1] is None, one[1] or 0))

    def _check_slot(self, version: str, problems: list[str]) -> None:
        """Complain unless a slot has the identity of a version's system, and is whole."""
        image = self.builds[version].image
        for number in SYSTEMS:
            if self._uuid(number, problems) + self._uuid(number + 1, problems) != image.root_hash:
                continue
            for part, name, size in (
                (number, "system", image.system_size),
                (number + 1, "hashes", image.verity_size),
            ):
                self._extract(image.partitions[part - 1].start, size, self.work / name)
            slot = (self.work / "system", self.work / "hashes")
            content = b"".join(hashlib.sha256(part.read_bytes()).digest() for part in slot)
            if content not in self.verified:
                wrong: list[str] = []
                self._run("veritysetup", "verify", *slot, image.root_hash, problems=wrong)
                problems += wrong
                self.verified |= set() if wrong else {content}
            return
        problems.append(f"no slot has the root hash of {version}")

    def _uuid(self, number: int, problems: list[str]) -> str:
        said = self._run("sgdisk", f"--info={number}", self.place, problems=problems).decode()
        match = re.search(r"Partition unique GUID: ([0-9A-F-]+)", said)
        return match[1].replace("-", "").lower() if match else ""

    def _state(self, problems: list[str]) -> Mapping[str, Any]:
        """Return what the machine remembers, as its agent reads it, after its kernel has put the journal in order."""
        part = self.builds["1"].image.partitions[DATA - 1]
        data = self.work / "data"
        self._extract(part.start, part.size, data)
        done = subprocess.run([find_program("e2fsck"), "-fp", data], capture_output=True, text=True, check=False)
        if done.returncode >= UNREPAIRED:
            problems.append(f"the data: {done.stdout}{done.stderr}")
        folder = self.work / "state"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in (state_file.NAME, f"{state_file.NAME}.old"):
            self._run("debugfs", "-R", f"dump /lib/jeos/update/{name} {folder / name}", data, problems=problems)
        return state_file.read(str(folder))

    def _esp(self) -> str:
        return f"{self.place}@@{self.builds['1'].image.partitions[ESP - 1].start}"

    def _extract(self, start: int, size: int, target: Path) -> None:
        with self.place.open("rb") as disk, target.open("wb") as out:
            disk.seek(start)
            left = size
            while left:
                piece = disk.read(min(left, 1 << 20))
                left -= len(piece)
                if piece.count(0) == len(piece):
                    out.seek(len(piece), 1)
                else:
                    out.write(piece)
            out.truncate(size)

    def _run(self, name: str, *words: str | Path, problems: list[str]) -> bytes:
        """Return what a program printed; that it failed is a problem."""
        done = subprocess.run([find_program(name), *words], capture_output=True, check=False)
        if done.returncode:
            problems.append(
                f"{name} {' '.join(map(str, words))}: {(done.stdout + done.stderr).decode(errors='replace')[-300:]}"
            )
        return done.stdout
