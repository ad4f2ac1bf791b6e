"""Archives that were damaged or made to harm: exporting from them ends in an error, and leaves nothing."""

import io
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import export_disks
import ovf_samples
from jeos.cli import main
from jeos.core.errors import JeosError
from jeos.disk import formats, ova
from jeos.disk.blocks import Memory
from jeos.disk.tar_members import is_archive
from jeos.export import target
from jeos.export.target import Options


@cache
def written(name: str) -> bytes:
    """Return what a target writes of a small disk."""
    file = io.BytesIO()
    target.load(name).write(export_disks.small(), file, options=Options())
    return file.getvalue()


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damaged_ova_is_read_or_refused(data: st.DataObject) -> None:
    good = bytearray(written("ova"))
    place = data.draw(st.integers(0, len(good) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=40))
    good[place : place + len(damage)] = damage
    end = data.draw(st.sampled_from([len(good), len(good) // 2, 5000]))
    blocks = Memory(bytes(good[:end]))
    if not is_archive(blocks):
        return
    try:
        with ova.open_archive(blocks, source="a.ova") as package:
            for _ in ova.verify(package):
                pass
            ova.signer(package)
            for one in package.envelope.disks:
                kept = package.open_disk(one)
                if kept is not None:
                    disk = formats.open_disk(kept, siblings=package, name="a.vmdk")
                    assert disk.size < 1 << 63
                    for start, stop in disk.data(0, disk.size):
                        disk.read(start, min(stop - start, 1 << 20))
    except JeosError as error:
        assert error.message


@pytest.mark.parametrize(
    "files",
    [
        {"a.ovf": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'},
        {"a.ovf": ovf_samples.with_file("../../secret")},
        {"a.ovf": ovf_samples.with_file("/etc/hostname")},
        {
            "a.ovf": ovf_samples.with_file("b.vmdk"),
            "b.vmdk": b"# Disk DescriptorFile\nversion=1\nCID=1\n"
            b'parentCID=ffffffff\ncreateType="monolithicFlat"\nRW 8 FLAT "/etc/hostname" 0\n',
        },
        {
            "a.ovf": ovf_samples.with_file("b.vmdk"),
            "b.vmdk": b"# Disk DescriptorFile\nversion=1\nCID=1\n"
            b'parentCID=ffffffff\ncreateType="monolithicFlat"\nRW 8 FLAT "../b.vmdk" 0\n',
        },
        {"a.ovf": ovf_samples.with_file("b.qcow2"), "b.qcow2": b"QFI\xfb" + b"\xff" * 200},
        {"a.ovf": ovf_samples.with_file("missing.vmdk")},
        {"a.ovf": ovf_samples.smallest()},
    ],
)
def test_hostile_ova_ends_in_an_error_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, bytes]
) -> None:
    (tmp_path / "a.ova").write_bytes(ovf_samples.archive(files))
    status = main.main(["export", str(tmp_path / "a.ova"), "--to", "raw", "-o", str(tmp_path / "new.raw")])
    said = capsys.readouterr()
    assert status in (2, 3, 6), said.err
    assert "error: " in said.err
    assert "hint: " in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.ova"]
