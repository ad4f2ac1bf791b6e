"""Tar archives that other programs wrote, and those that nobody should write."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ovf_samples
from jeos.core.errors import InputError
from jeos.disk.blocks import File, Memory, Window
from jeos.disk.tar_members import MOST_MEMBERS, is_archive, members

LONG = "folder/" + "n" * 180 + ".vmdk"


def contents(archive: bytes) -> dict[str, bytes]:
    blocks = Memory(archive)
    return {
        one.name: Window(blocks, start=one.start, size=one.size).read(0, one.size)
        for one in members(blocks, source="a.ova")
    }


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_each_form_are_read(form: int) -> None:
    files = {"a.ovf": b"text", "./b.mf": b"", "f/c.vmdk": bytes(range(256)) * 3}
    if form != tarfile.USTAR_FORMAT:
        files |= {LONG: b"long", "caf\u00e9 \u2013 x.vmdk": b"name"}
    assert contents(ovf_samples.archive(files, form=form)) == {
        name.removeprefix("./"): content for name, content in files.items()
    }


@pytest.mark.parametrize("form", ["gnu", "oldgnu", "ustar", "pax", "v7"])
def test_members_of_gnu_tar_are_read(tmp_path: Path, form: str) -> None:
    (tmp_path / "web.ovf").write_bytes(b"descriptor")
    (tmp_path / "web.vmdk").write_bytes(b"disk" * 400)
    command = ["tar", "--format", form, "-C", str(tmp_path), "-cf", str(tmp_path / "web.ova"), "web.vmdk", "web.ovf"]
    subprocess.run(command, check=True)
    assert contents((tmp_path / "web.ova").read_bytes()) == {"web.vmdk": b"disk" * 400, "web.ovf": b"descriptor"}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_beyond_eight_gib_are_read(tmp_path: Path, form: Literal[1, 2]) -> None:
    member = tarfile.TarInfo("large.vmdk")
    member.size = 9 << 30
    path = tmp_path / "large.ova"
    head = member.tobuf(form)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + member.size + 1024)
    with File(path) as blocks:
        (found,) = members(blocks, source="large.ova")
    assert (found.name, found.start, found.size) == ("large.vmdk", len(head), 9 << 30)


def entry(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", size: int = 0) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, size
    return member.tobuf(tarfile.PAX_FORMAT) + bytes(-(-size // 512) * 512)


def sparse() -> bytes:
    member = tarfile.TarInfo("disk.vmdk")
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    return member.tobuf(tarfile.PAX_FORMAT)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (entry("a", tarfile.SYMTYPE, link="/etc/shadow"), "is a link"),
        (entry("a", tarfile.LNKTYPE, link="b"), "is a link"),
        (entry("a", tarfile.CHRTYPE), "is a device"),
        (entry("a", tarfile.FIFOTYPE), "is a pipe"),
        (entry("a", b"Z"), "of an unknown kind"),
        (entry("a", tarfile.GNUTYPE_SPARSE), "is a sparse file"),
        (sparse(), "sparse member"),
        (entry("../a"), "would be outside"),
        (entry("a/../../b"), "would be outside"),
        (entry("/etc/passwd"), "would be outside"),
        (entry("a\\b"), "would be outside"),
        (entry("."), "would be outside"),
        (entry("a") + entry("./a"), "two members"),
        (entry("a", size=4096)[:2048], "cut off"),
        (entry("a", tarfile.XHDTYPE, size=100 << 10), "names and attributes"),
        (entry("a", tarfile.XHDTYPE, size=10)[:512] + b"99 path=x\n" + bytes(502), "cut off"),
        (entry("a", tarfile.XHDTYPE, size=10)[:512] + b"no records" + bytes(502), "cut off"),
        (entry("a") + b"x" * 512, "no tar header at byte 512"),
        (b"".join(entry(f"m{number}") for number in range(MOST_MEMBERS + 1)), f"more than {MOST_MEMBERS} members"),
        (bytes(1024), "empty archive"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
def test_members_hostile_is_refused(archive: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(members(Memory(archive), source="a.ova"))


def test_members_huge_size_is_refused() -> None:
    member = tarfile.TarInfo("a")
    member.size = 1 << 70
    with pytest.raises(InputError, match="cut off in its member 'a'"):
        list(members(Memory(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)), source="a.ova"))


def test_members_end_without_padding_is_taken() -> None:
    assert contents(ovf_samples.archive({"a": b"x" * 700})[:1536]) == {"a": b"x" * 700}


def test_is_archive_tells_by_the_sum() -> None:
    good = ovf_samples.archive({"a": b""})
    assert is_archive(Memory(good))
    assert not is_archive(Memory(b"b" + good[1:]))
    assert not is_archive(Memory(b"short"))


@settings(deadline=None)
@given(st.integers(0, 3000), st.binary(max_size=20))
def test_members_damaged_are_read_or_refused(place: int, damage: bytes) -> None:
    files = {"a.ovf": b"text" * 100, "f/c.vmdk": b"x" * 700, LONG: b"y"}
    good = ovf_samples.archive(files, form=tarfile.PAX_FORMAT)
    bad = good[:place] + damage + good[place + len(damage) :]
    try:
        found = list(members(Memory(bad), source="a.ova"))
    except InputError as error:
        assert "a.ova" in error.message
    else:
        assert all(one.start + one.size <= len(bad) for one in found)


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,90}){0,2}", fullmatch=True), st.binary(max_size=1500)))
def test_members_are_what_tarfile_reads(files: dict[str, bytes]) -> None:
    if not files:
        return
    archive = ovf_samples.archive(files, form=tarfile.GNU_FORMAT)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        theirs = {one.name: file.read() for one in tar if (file := tar.extractfile(one))}
    assert contents(archive) == theirs == files
