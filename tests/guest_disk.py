"""A guest's disk as a file of the host, for tests: two slots, an ESP as a folder, and what a boot loader chooses."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jeos.build import image
from jeos.disk import gpt, uki
from jeos.model import version
from jeos.model.recipe import Disk as Sizes
from jeos.update import kernels, slots
from jeos.update.kernels import Entry
from pe_files import stub

MEBIBYTE = 1 << 20
OLD, NEW, NEWER = "11" * 32, "a2" * 32, "b3" * 32  # root hashes of the releases 1.0, 1.1 and 1.2
VERSIONS = {OLD: "1.0", NEW: "1.1", NEWER: "1.2"}


def kernel_image(root_hash: str, *, size: int = 1000) -> bytes:
    """Return a unified kernel image that starts the system with this root hash."""
    out = io.BytesIO()
    sections = {".cmdline": f"roothash={root_hash} quiet".encode(), ".linux": bytes(size), ".osrel": b"ID=hello\n"}
    uki.write(out, stub=stub(), sections=sections)
    return out.getvalue()


@dataclass
class GuestDisk:
    """A disk in `folder`; `starts` are the root hashes that the boot loader chose, one for each start."""

    folder: Path
    starts: list[str] = field(default_factory=list)

    @property
    def image(self) -> Path:
        return self.folder / "dev/vda"

    @property
    def esp(self) -> Path:
        return self.folder / "esp"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def make(self) -> "GuestDisk":
        """Write the disk as a build does, with 1.0 in its first slot."""
        planned = image.plan(
            name="hello", version="1.0", root_hash=OLD, sizes=Sizes(slot=MEBIBYTE, data=MEBIBYTE), system=MEBIBYTE
        )
        for name in (
            "dev",
            "esp/EFI/Linux",
            "state",
            "sys/devices/vda",
            "sys/class/block",
            "root",
            "hooks",
            "etc/upper",
        ):
            (self.folder / name).mkdir(parents=True)
        with self.image.open("w+b") as disk:
            gpt.write(disk, planned.partitions, size=planned.size, disk_uuid=image.derived_uuid("disk"))
        (self.folder / "sys/class/block/vda").symlink_to("../../devices/vda")
        for partition in planned.partitions:
            name = f"vda{partition.number}"
            (self.folder / f"sys/devices/vda/{name}").mkdir()
            (self.folder / f"sys/devices/vda/{name}/partition").write_text(f"{partition.number}\n")
            (self.folder / f"sys/class/block/{name}").symlink_to(f"../../devices/vda/{name}")
            (self.folder / f"dev/{name}").write_bytes(b"")
        (self.esp / "EFI/Linux/hello_1.0.efi").write_bytes(kernel_image(OLD))
        return self

    def find(self, root_hash: str = OLD) -> slots.Disk:
        """Return the disk as the system with this root hash sees it."""
        with self.image.open("rb") as disk:
            table = gpt.read(disk).partitions
        system = next(one for one in table if one.uuid.replace("-", "") == root_hash[:32])
        return slots.find(
            root_hash,
            system_device=f"vda{system.number}",
            sys=str(self.folder / "sys"),
            dev=str(self.folder / "dev"),
        )

    def names(self) -> list[str]:
        """Return the kernel images on the ESP."""
        return sorted(path.name for path in (self.esp / "EFI/Linux").iterdir())

    @contextmanager
    def mounted(self, read_only: bool) -> Iterator[str]:
        """Yield the ESP, as a mount does."""
        yield str(self.esp)

    @contextmanager
    def system(self) -> Iterator[str]:
        """Yield the running system."""
        yield str(self.folder / "root")

    def start(self) -> str:
        """Choose what to start as systemd-boot does, count it, and return its root hash (UAPI.1, "Boot counting")."""
        found = [one for one in kernels.entries(str(self.esp)) if one.root_hash]

        def rank(entry: Entry) -> tuple[bool, object]:
            return not entry.bad, version.sort_key(entry.stem.partition("_")[2])

        chosen = max(found, key=rank)
        if chosen.left:
            after = f"{chosen.stem}+{chosen.left - 1}-{chosen.done + 1}.efi"
            (self.esp / "EFI/Linux" / chosen.name).rename(self.esp / "EFI/Linux" / after)
        self.starts.append(chosen.root_hash)
        return chosen.root_hash
