"""Packages that want to write where they must not, and packages that are damaged."""

import bz2
import contextlib
import gzip
import lzma
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.build.archive import members, open_deb
from jeos.build.stream import UNPACKED_BYTES, ArchiveError, Stream
from jeos.build.unpack import unpack
from jeos.core.errors import InputError
from tiny_debs import CONTROL, ar, make_deb, member, raw_deb, tar

FOLDER, LINK, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def refusal(deb: Path) -> str:
    """Return what is said about a package that cannot be unpacked, after its name; nothing may be written beside."""
    into = deb.parent / "into"
    into.mkdir()
    with pytest.raises(ArchiveError) as caught:
        unpack(deb, into=into)
    assert sorted(path.name for path in deb.parent.iterdir()) == sorted([deb.name, "into"])
    return caught.value.message.partition(": ")[2]


def owned(entry: tuple[tarfile.TarInfo, bytes], *, uid: int = 0, mtime: int = 0) -> tuple[tarfile.TarInfo, bytes]:
    entry[0].uid, entry[0].mtime = uid, mtime
    return entry


@pytest.mark.parametrize(
    ("hostile", "message"),
    [
        ([member("../outside", b"x")], "the name '../outside' in it leaves the root or holds a line break"),
        (
            [member("./a/../../outside", b"x")],
            "the name './a/../../outside' in it leaves the root or holds a line break",
        ),
        ([member("/etc/passwd", b"x")], "the name '/etc/passwd' in it is absolute"),
        ([member("./a\nb", b"x")], "the name './a\\nb' in it leaves the root or holds a line break"),
        (
            [member("./a", kind=LINK, target="/tmp"), member("./a/b", b"x")],
            "a/b would be written through a, which is no folder",
        ),
        (
            [member("./a", kind=LINK, target=".."), member("./a/b/c", b"x")],
            "a/b would be written through a, which is no folder",
        ),
        (
            [member("./a", kind=LINK, target="/tmp"), member("./a", kind=FOLDER), member("./a/b", b"x")],
            "a is in it twice",
        ),
        (
            [member("./a", kind=HARD, target="etc/passwd")],
            "a is a hard link to 'etc/passwd', which is no file of the package",
        ),
        (
            [member("./s", kind=LINK, target="/etc/passwd"), member("./a", kind=HARD, target="./s")],
            "a is a hard link to 's', which is no file of the package",
        ),
        ([member("./a", kind=HARD, target="/etc/passwd")], "the name '/etc/passwd' in it is absolute"),
        (
            [member("./null", kind=tarfile.CHRTYPE)],
            "null is a device node or something else that no package may bring (type b'3')",
        ),
        ([member("./a", b"1"), member("./a", b"2")], "a is in it twice"),
        ([member("./" + "n" * 70000, b"x")], "a name in it claims to have 70003 bytes"),
        ([member("a/" * 2100 + "b", b"x")], f"the name {'a/' * 20!r}… in it has more than 4095 bytes"),
        (
            [owned(member("./a", b"x"), uid=1 << 40)],
            "a has the owner 1099511627776:0 and the time 0, which no package can mean",
        ),
        (
            [owned(member("./a", b"x"), mtime=1 << 60)],
            "a has the owner 0:0 and the time 1152921504606846976, which no package can mean",
        ),
    ],
)
def test_package_that_is_hostile(tmp_path: Path, hostile: list[tuple[tarfile.TarInfo, bytes]], message: str) -> None:
    assert refusal(raw_deb(tmp_path / "bad.deb", tar(*hostile))) == message


GOOD = tar(member("./file", b"content" * 5000))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda deb: b"no ar" + deb, "it does not begin as an ar archive"),
        (lambda deb: deb[:200], "its member control.tar is cut off"),
        (lambda deb: deb[:-20000], "its member data.tar is cut off"),
        (lambda deb: deb[:70] + b"?" + deb[71:], "its first member is debian-binary, not debian-binary"),
        (lambda deb: deb.replace(b"2.0\n", b"9.0\n", 1), "it is not in the format 2.0 of Debian packages"),
        (lambda deb: deb.replace(b"./file", b"./fill", 1), "a header of its tar archive is damaged"),
        (lambda deb: deb.replace(b"data.tar ", b"data.rar ", 1), "the package has no data.tar that can be read"),
    ],
)
def test_package_that_is_damaged(tmp_path: Path, spoil: Callable[[bytes], bytes], message: str) -> None:
    sound = ar({"debian-binary": b"2.0\n", "control.tar": CONTROL, "data.tar": GOOD})
    (tmp_path / "bad.deb").write_bytes(spoil(sound))
    if "not debian-binary" in message:
        (tmp_path / "bad.deb").write_bytes(ar({"control.tar": CONTROL, "debian-binary": b"2.0\n"}))
        message = "its first member is control.tar, not debian-binary"
    assert refusal(tmp_path / "bad.deb").partition(", but")[0] == message


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst", ".bz2"])
def test_package_that_is_cut_off(tmp_path: Path, suffix: str, kept: float) -> None:
    packed = COMPRESSORS[suffix](GOOD)
    message = refusal(raw_deb(tmp_path / "bad.deb", packed[: int(len(packed) * kept)], name=f"data.tar{suffix}"))
    assert message == "the package ends too early"


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".xz": lzma.compress,
    ".lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("suffix", list(COMPRESSORS))
def test_compression_of_each_kind(tmp_path: Path, suffix: str) -> None:
    packed = COMPRESSORS[suffix](GOOD)
    (tmp_path / "into").mkdir()
    unpack(raw_deb(tmp_path / "good.deb", packed, name=f"data.tar{suffix}"), into=tmp_path / "into")
    assert (tmp_path / "into/data/file").read_bytes() == b"content" * 5000


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst", ".bz2"])
def test_small_file_that_holds_a_large_one_takes_little_memory(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "bomb").write_bytes(COMPRESSORS[suffix](bytes(100 << 20)))
    with (tmp_path / "bomb").open("rb") as file:
        stream = Stream(file, size=(tmp_path / "bomb").stat().st_size, suffix=suffix)
        largest = max(len(piece) for piece in stream.pieces(100 << 20))
        stream.drain()
    assert largest <= 32 * UNPACKED_BYTES


@pytest.mark.parametrize("suffix", list(COMPRESSORS))
def test_streams_that_follow_one_another(tmp_path: Path, suffix: str) -> None:
    whole = bytes(range(256)) * 9000
    (tmp_path / "two").write_bytes(COMPRESSORS[suffix](whole[:1_500_001]) + COMPRESSORS[suffix](whole[1_500_001:]))
    with (tmp_path / "two").open("rb") as file:
        stream = Stream(file, size=(tmp_path / "two").stat().st_size, suffix=suffix)
        assert stream.read(len(whole)) == whole
        stream.drain()


def test_pax_header_with_a_size_that_is_no_number(tmp_path: Path) -> None:
    record = b"size=" + b"9" * 5000 + b"\n"
    length = len(record) + 5
    data = tar(member("./a", b"%d " % length + record, kind=tarfile.XHDTYPE), member("./a", b"x"))
    (tmp_path / "into").mkdir()
    unpacked = unpack(raw_deb(tmp_path / "a.deb", data), into=tmp_path / "into")
    assert (unpacked.data / "a").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"control": "Package: ../../x\nVersion: 1\nArchitecture: all\n"},
            "its control file has the Package '../../x'",
        ),
        ({"control": "Package: x\nArchitecture: all\n"}, "its control file has the Version ''"),
        ({"control": "Package: x\nVersion: 1\nArchitecture: a; b\n"}, "its control file has the Architecture 'a; b'"),
        ({"triggers": "interest ../../../../etc/x\n"}, "its file triggers has the line 'interest ../../../../etc/x'"),
        ({"triggers": "interest a/b\n"}, "its file triggers has the line 'interest a/b'"),
        ({"md5sums": ""}, "its control archive has no file control"),
    ],
)
def test_control_archive_with_names_that_lead_elsewhere(tmp_path: Path, files: dict[str, str], message: str) -> None:
    given = files if "md5sums" in files else {"control": "Package: x\nVersion: 1\nArchitecture: all\n", **files}
    control = tar(*(member(f"./{name}", text.encode()) for name, text in given.items()))
    assert refusal(raw_deb(tmp_path / "bad.deb", GOOD, control=control)) == message


def test_control_archive_with_a_folder_in_it(tmp_path: Path) -> None:
    control = tar(member("./control", b"Package: x\n"), member("./sub", kind=FOLDER))
    assert refusal(raw_deb(tmp_path / "bad.deb", GOOD, control=control)) == "sub has no place in a control archive"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_are_read_as_python_writes_them(tmp_path: Path, form: int) -> None:
    names = ["short", "folder/" * 20 + "end", "ü" * 30] + (["l" * 200] if form != tarfile.USTAR_FORMAT else [])
    data = tar(*(member(name, name.encode()) for name in names), form=form)
    with open_deb(raw_deb(tmp_path / "a.deb", data)) as deb:
        stream = deb.data()
        found = {entry.path: stream.read(entry.size).decode() for entry in members(stream)}
    assert found == {name: name for name in names}


@given(place=st.integers(0, 5000), byte=st.integers(0, 255), cut=st.integers(0, 3000))
@settings(max_examples=60, deadline=None)
def test_random_damage_never_does_worse_than_an_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    deb = make_sound(folder)
    data = bytearray(deb.read_bytes())
    data[place % len(data)] = byte
    deb.write_bytes(bytes(data[: len(data) - cut % 400 if cut % 3 else len(data)]))
    (folder / "into").mkdir()
    with contextlib.suppress(InputError):
        unpack(deb, into=folder / "into")
    assert {path.name for path in folder.iterdir()} == {"sound.deb", "into"}


def make_sound(folder: Path) -> Path:
    """Return a package as dpkg-deb makes them; it is made once."""
    if not _SOUND:
        deb = make_deb(folder, "sound", files={"usr/bin/x": "x" * 3000, "etc/y": "y"}, links={"z": "etc/y"})
        _SOUND.append(deb.read_bytes())
        shutil.rmtree(folder / "sound.tree")
    (folder / "sound.deb").write_bytes(_SOUND[0])
    return folder / "sound.deb"


_SOUND: list[bytes] = []
