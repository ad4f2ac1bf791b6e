"""Exporting as a whole: what is checked before, and what is left when it fails."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

import export_disks
from jeos.core.errors import HostError, InputError, JeosError, UsageError
from jeos.disk import room
from jeos.disk.blocks import File, Memory
from jeos.export import export, target
from jeos.export.source import Source
from jeos.export.target import Options
from jeos.export.targets import raw


def test_export_writes_compares_and_names(tmp_path: Path) -> None:
    content = export_disks.write(tmp_path / "disk.img")
    with File(tmp_path / "disk.img") as disk:
        done = export.export(Source(disk=disk, name="web"), tmp_path / "new/web.raw", target="raw", options=Options())
    assert (tmp_path / "new/web.raw").read_bytes() == content
    assert done == export.Exported(
        path=tmp_path / "new/web.raw", target="raw", size=export_disks.SIZE, disk_size=export_disks.SIZE
    )
    assert os.listdir(tmp_path / "new") == ["web.raw"]


def test_export_over_a_file_wants_force(tmp_path: Path) -> None:
    path = tmp_path / "web.raw"
    path.write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there already"):
        export.export(export_disks.small(), path, target="raw", options=Options())
    assert path.read_bytes() == b"mine"
    export.export(export_disks.small(), path, target="raw", options=Options(), force=True)
    assert path.read_bytes()[:5] == b"disk\0"


def test_export_over_its_own_disk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "web.raw"
    export_disks.write(path)
    (tmp_path / "link.raw").symlink_to(path)
    for name in ("web.raw", "link.raw"):
        with File(path) as disk, pytest.raises(UsageError, match="is what the new file is made of"):
            source = Source(disk=disk, name="web")
            export.export(source, tmp_path / name, target="raw", options=Options(), force=True, origin=path)
    assert path.stat().st_size == export_disks.SIZE


def test_export_over_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no file"):
        export.export(export_disks.small(), tmp_path, target="raw", options=Options(), force=True)


def test_export_without_room_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    with pytest.raises(HostError, match=r"needs about 2 MiB, and .* has room for 0"):
        export.export(export_disks.small(), tmp_path / "a/b/web.raw", target="raw", options=Options())
    assert list(tmp_path.iterdir()) == []


class Breaking(Memory):
    """A disk that cannot be read to its end."""

    def read(self, offset: int, length: int) -> bytes:
        if offset + length == self.size:
            raise InputError("it breaks here", hint="")
        return super().read(offset, length)


def test_export_of_a_broken_disk_leaves_nothing(tmp_path: Path) -> None:
    content = b"x" * (3 << 20)
    with pytest.raises(InputError, match="it breaks here"):
        export.export(Source(disk=Breaking(content), name="web"), tmp_path / "web.raw", target="raw", options=Options())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk with room for 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.root
@pytest.mark.parametrize("name", target.names())
def test_export_to_a_disk_that_is_full_leaves_nothing(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(room, "needed", lambda disk, packed: 0)  # as if the samples had been unlike the rest
    noise = Memory(os.urandom(3 << 20))
    with pytest.raises(HostError, match=r"no room left on the disk that holds .*/small\nhint: .* -o FILE"):
        export.export(Source(disk=noise, name="web"), small_disk / "web", target=name, options=Options())
    assert list(small_disk.iterdir()) == []


def test_export_that_is_written_wrong_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_well = raw.write

    def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
        write_well(source, file, options=options)
        file.seek(2)
        file.write(b"X")
        return ()

    monkeypatch.setattr(target.load("raw"), "write", write)
    with pytest.raises(JeosError, match="not what was read, from byte 2 of the disk"):
        export.export(export_disks.small(), tmp_path / "web.raw", target="raw", options=Options())
    assert list(tmp_path.iterdir()) == []


def test_room_is_told_by_samples() -> None:
    text, noise = b"hello " * 2_000_000, os.urandom(12_000_000)
    assert room.needed(Memory(text), packed=True) < len(text) // 4
    assert len(noise) < room.needed(Memory(noise), packed=True) < len(noise) * 1.3
    assert room.needed(Memory(text), packed=False) > len(text)
    assert room.needed(Memory(b""), packed=True) == room.LEAST
    half = room.needed(Memory(text + noise), packed=True)
    assert len(noise) < half < len(noise) * 1.4


def test_room_counts_data_only(tmp_path: Path) -> None:
    export_disks.write(tmp_path / "disk.raw")
    with File(tmp_path / "disk.raw") as disk:
        assert room.needed(disk, packed=False) < 4 << 20
