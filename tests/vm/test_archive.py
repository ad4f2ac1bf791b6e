"""Taking apart what a guest sends: whole archives, damaged ones, and hostile ones."""

import contextlib
import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import MachineError
from jeos.vm import archive

FILE, FOLDER, LINK, HARD, FIFO = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE


def member(
    name: str, kind: bytes = FILE, *, link: str = "", content: bytes = b"", mode: int = 0o644
) -> tuple[tarfile.TarInfo, bytes]:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size, found.mode, found.mtime = kind, link, len(content), mode, 1_000_000
    return found, content


def packed(members: Sequence[tuple[tarfile.TarInfo, bytes]], *, form: int = tarfile.GNU_FORMAT) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as made:
        for found, content in members:
            made.addfile(found, io.BytesIO(content))
    return io.BytesIO(file.getvalue())


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_extract_makes_files_folders_and_links(work: Path, form: int) -> None:
    long = "n" * 90
    stream = packed(
        [
            member("top", FOLDER, mode=0o2750),
            member("./top/file", content=b"hello", mode=0o4755),
            member("top/link", LINK, link="/etc/passwd"),
            member("top/again", HARD, link="top/file"),
            member(f"top/{long}", FOLDER, mode=0o500),
            member(f"top/{long}/{long}", content=b"deep"),
        ],
        form=form,
    )
    taken = archive.extract(stream, work, top="top")
    assert (taken.files, taken.bytes, taken.notes) == (6, 9, [])
    top = work / "top"
    assert sorted(path.name for path in top.iterdir()) == sorted(["file", "link", "again", long])
    assert (top.stat().st_mode & 0o7777, (top / "file").stat().st_mode & 0o7777) == (0o750, 0o755)
    assert (top / "file").stat().st_mtime == 1_000_000
    assert (top / "file").samefile(top / "again")
    assert os.readlink(top / "link") == "/etc/passwd"
    assert (top / long / long).read_bytes() == b"deep"
    (top / long).chmod(0o700)


def test_extract_leaves_out_what_is_no_file(work: Path) -> None:
    taken = archive.extract(packed([member("top", FOLDER), member("top/pipe", FIFO)]), work, top="top")
    assert (taken.files, taken.notes) == (1, ["top/pipe is no file, folder or link, and is left out"])


@pytest.mark.parametrize(
    "members",
    [
        [member("../escape", content=b"x")],
        [member("/escape", content=b"x")],
        [member("top", FOLDER), member("top/../../escape", content=b"x")],
        [member("escape", content=b"x")],
        [member("top", LINK, link=".."), member("top/escape", content=b"x")],
        [member("top", LINK, link="/"), member("top/tmp/escape", content=b"x")],
        [member("top", FOLDER), member("top/a", LINK, link="../.."), member("top/a/escape", content=b"x")],
        [member("top", FOLDER), member("top/a", LINK, link="../../escape"), member("top/a", content=b"x")],
        [member("top", FOLDER), member("top/a", HARD, link="../secret")],
        [member("top", FOLDER), member("top/l", LINK, link=".."), member("top/a", HARD, link="top/l/../secret")],
        [member("top", FOLDER), member("top/l", LINK, link=".."), member("top/a", HARD, link="top/l/secret")],
        [member("top", FOLDER), member("top/a", HARD, link="top/none")],
        [member("top", content=b"1"), member("top", content=b"2")],
        [member("top", content=b"1"), member("top/below", content=b"2")],
    ],
)
def test_extract_refuses_what_leads_outside_or_comes_twice(
    work: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    secret = work.parent / "secret"
    secret.write_text("mine")
    with pytest.raises(MachineError):
        archive.extract(packed(members), work, top="top")
    assert {path.name for path in work.parent.iterdir()} == {"work", "secret"}
    assert (secret.read_text(), secret.stat().st_nlink) == ("mine", 1)


def test_extract_refuses_headers_that_would_fill_the_memory(work: Path) -> None:
    long = tarfile.TarInfo("././@LongLink")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    fields = tarfile.TarInfo("pax")
    fields.type, fields.size = tarfile.XHDTYPE, 1 << 40
    for header in (long, fields):
        with pytest.raises(MachineError, match="a header of 1099511627776 bytes"):
            archive.extract(io.BytesIO(header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)), work, top="top")
    endless = tarfile.TarInfo("pax")
    endless.type = tarfile.XHDTYPE  # a header for a header for a header …
    with pytest.raises(MachineError):
        archive.extract(io.BytesIO(endless.tobuf() * 20_000), work, top="top")


def test_extract_refuses_an_archive_that_was_cut_off(work: Path) -> None:
    whole = packed([member("top", content=b"x" * 5000)]).getvalue()
    with pytest.raises(MachineError, match="no whole archive"):
        archive.extract(io.BytesIO(whole[:3000]), work, top="top")


@given(st.binary(max_size=2048), st.integers(min_value=0, max_value=1500))
def test_extract_of_noise_raises_nothing_else_and_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    work = folder / "work"
    work.mkdir()
    good = packed([member("top", FOLDER), member("top/file", content=b"hello")]).getvalue()
    for stream in (noise, good[:at] + noise + good[at + len(noise) :]):
        for old in sorted(work.rglob("*"), reverse=True):
            old.rmdir() if old.is_dir() and not old.is_symlink() else old.unlink()
        with contextlib.suppress(MachineError):
            archive.extract(io.BytesIO(stream), work, top="top")
        assert [path.name for path in folder.iterdir()] == ["work"]
