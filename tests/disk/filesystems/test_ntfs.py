"""NTFS as ntfs-3g writes it, and as nobody should."""

import contextlib
import random
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ntfs_volume
from jeos.core.errors import InputError
from jeos.disk import blocks, lznt1
from jeos.disk.filesystems import base, ntfs, ntfs_records
from jeos.model.tree import Kind

FILL = r"""
import random
deep = top
for n in range(30):
    deep = deep / f"level {n}"
deep.mkdir(parents=True)
(deep / "bottom.txt").write_bytes(b"the bottom\n")
many = top / "Many"
many.mkdir()
for n in range(3000):
    (many / f"File number {n}.dat").write_bytes(b"x" * (n % 900))
(top / "empty").write_bytes(b"")
(top / "Größe 漢字 \U0001f600.txt").write_bytes(b"names\n")
noise = random.Random(4)
(top / "random.bin").write_bytes(noise.randbytes(3_000_001))
with (top / "sparse.bin").open("wb") as file:
    file.seek(10 << 20)
    file.write(b"in the middle")
    file.truncate(40 << 20)
os.link(top / "random.bin", top / "second name.bin")
packed = top / "Packed"
packed.mkdir()
os.setxattr(packed, "system.ntfs_attrib", (0x810).to_bytes(4, "little"))
(packed / "zeros.bin").write_bytes(bytes(1 << 20))
(packed / "text.txt").write_bytes(b"".join(b"line %d of many lines\r\n" % n for n in range(40_000)))
(packed / "mixed.bin").write_bytes(b"".join(noise.randbytes(50_000) + bytes(70_000) + b"abc" * 9_000 for _ in range(9)))
(packed / "noise.bin").write_bytes(noise.randbytes(300_000))
# Files of which every second is deleted, so that what follows is in many pieces: more runs than one record holds.
for n in range(4000):
    (top / f"filler {n}").write_bytes(b"f" * 4096)
for n in range(0, 4000, 2):
    (top / f"filler {n}").unlink()
fd = os.open(top / "pieces.bin", os.O_CREAT | os.O_WRONLY)
for n in range(1500):
    os.pwrite(fd, n.to_bytes(4, "little") * 512, n * 12288)
os.close(fd)
"""
LINKS = r"""
(top / "Users" / "Public").mkdir(parents=True)
(top / "Users" / "Public" / "note.txt").write_bytes(b"public\n")
def reparse(path, tag, data):
    value = tag.to_bytes(4, "little") + len(data).to_bytes(2, "little") + bytes(2) + data
    os.setxattr(path, "system.ntfs_reparse_data", value)
def names(real, shown, head=b""):
    real, shown = real.encode("utf-16-le"), shown.encode("utf-16-le")
    places = (0, len(real), len(real) + 2, len(shown))
    return b"".join(place.to_bytes(2, "little") for place in places) + head + real + bytes(2) + shown + bytes(2)
(top / "Documents and Settings").mkdir()
reparse(top / "Documents and Settings", 0xA0000003, names("\\??\\C:\\Users", "C:\\Users"))
(top / "Other").mkdir()
reparse(top / "Other", 0xA0000003, names("\\??\\D:\\Data", "D:\\Data"))
note = "Users\\Public\\note.txt"
(top / "relative.txt").write_bytes(b"")
reparse(top / "relative.txt", 0xA000000C, names(note, note, head=(1).to_bytes(4, "little")))
(top / "compact.exe").write_bytes(b"")
reparse(top / "compact.exe", 0x80000017, bytes(16))
"""


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = ntfs_volume.make(tmp_path_factory.mktemp("ntfs") / "volume.img", size=160 << 20, label="Größe")
    ntfs_volume.fill(image, FILL, options="compression")
    return image


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    image = ntfs_volume.make(tmp_path_factory.mktemp("ntfs") / "small.img", size=2 << 20, options=("-c", "512"))
    program = (
        LINKS
        + r"""
for n in range(120):
    (top / f"A name that is long enough to fill an index block {n}").write_bytes(b"y" * n * 20)
"""
    )
    ntfs_volume.fill(image, program)
    return image.read_bytes()


def tree(filesystem: ntfs.Ntfs) -> dict[str, base.Node]:
    found: dict[str, base.Node] = {}
    left = [("", filesystem.root())]
    while left:
        path, folder = left.pop()
        for name, node in filesystem.children(folder):
            found[f"{path}/{name}".lstrip("/")] = node
            if node.kind is Kind.DIRECTORY:
                left.append((f"{path}/{name}", node))
    return found


def test_open_reads_all_that_ntfs_3g_wrote(volume: Path) -> None:
    with blocks.File(volume) as disk:
        assert ntfs.probe(disk)
        filesystem = ntfs.open_filesystem(disk)
        found = tree(filesystem)
        blkid = subprocess.run(
            ["blkid", "-p", "-o", "export", volume],
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": "/sbin:/usr/sbin:/bin"},
        ).stdout
        assert f"UUID={filesystem.uuid}\n" in blkid
        assert filesystem.label == "Größe"
        assert (filesystem.clean, filesystem.dirty, filesystem.hibernated) == (True, False, False)
        listed = subprocess.run(["ntfsls", "-f", "-R", volume], check=True, capture_output=True).stdout.decode()
        names = sorted(
            line for line in listed.splitlines() if line and not line.startswith("/") and line not in (".", "..")
        )
        assert sorted(path.rpartition("/")[2] for path in found) == names
        deep = "/".join(f"level {n}" for n in range(30))
        assert filesystem.read(found[f"{deep}/bottom.txt"]) == b"the bottom\n"
        assert [found[f"Many/File number {n}.dat"].size for n in range(3000)] == [n % 900 for n in range(3000)]
        for path in (
            "random.bin",
            "sparse.bin",
            "pieces.bin",
            "empty",
            "Packed/zeros.bin",
            "Packed/text.txt",
            "Packed/mixed.bin",
            "Packed/noise.bin",
            "Many/File number 899.dat",
        ):
            assert filesystem.read(found[path]) == ntfs_volume.cat(volume, path), path
        assert found["random.bin"] == found["second name.bin"]
        assert found["random.bin"].links == 2
        assert filesystem.read(found["Größe 漢字 \U0001f600.txt"]) == b"names\n"


@pytest.mark.parametrize("path", ["Packed/mixed.bin", "Packed/text.txt", "sparse.bin", "pieces.bin", "random.bin"])
def test_read_returns_any_part_of_a_file(volume: Path, path: str) -> None:
    chance = random.Random(path)
    with blocks.File(volume) as disk:
        filesystem = ntfs.open_filesystem(disk)
        node = base.find(filesystem, path)
        whole = filesystem.read(node)
        for _ in range(60):
            offset, length = chance.randrange(len(whole) + 9), chance.choice([0, 1, 4096, chance.randrange(200_000)])
            assert filesystem.read(node, offset=offset, length=length) == whole[offset : offset + length]


def test_pieces_are_spread_over_several_records(volume: Path) -> None:
    """The file that tests attribute lists has one, as ntfs-3g's own tool says."""
    said = subprocess.run(
        ["ntfsinfo", "-f", "-F", "pieces.bin", volume], check=True, capture_output=True, text=True
    ).stdout
    assert "ATTRIBUTE_LIST" in said
    said = subprocess.run(
        ["ntfsinfo", "-f", "-F", "Packed/mixed.bin", volume], check=True, capture_output=True, text=True
    ).stdout
    assert "COMPRESSED" in said


def test_lookup_finds_names_whatever_their_case(volume: Path) -> None:
    with blocks.File(volume) as disk:
        filesystem = ntfs.open_filesystem(disk)
        root = filesystem.root()
        assert filesystem.lookup(root, "PACKED") == ("Packed", base.find(filesystem, "Packed"))
        assert filesystem.lookup(root, "größe 漢字 \U0001f600.TXT") is not None
        assert filesystem.lookup(root, "$mft") is None
        assert filesystem.lookup(root, "nothing") is None


def test_usage_counts_what_ntfsinfo_counts(volume: Path) -> None:
    said = subprocess.run(["ntfsinfo", "-f", "-m", volume], check=True, capture_output=True, text=True).stdout
    facts = dict(line.strip().split(": ", 1) for line in said.splitlines() if ": " in line)
    cluster, total = int(facts["Cluster Size"]), int(facts["Volume Size in Clusters"])
    free = int(facts["Free Clusters"].split()[0])
    with blocks.File(volume) as disk:
        assert ntfs.open_filesystem(disk).usage() == base.Usage(
            size=total * cluster, used=(total - free) * cluster, clean=True
        )


def test_read_refuses_a_size_that_takes_all_memory(tmp_path: Path) -> None:
    image = ntfs_volume.make(tmp_path / "volume.img", size=4 << 20)
    ntfs_volume.fill(image, 'with (top / "huge").open("wb") as file: file.truncate(1 << 42)')
    with blocks.File(image) as disk:
        filesystem = ntfs.open_filesystem(disk)
        node = base.find(filesystem, "huge")
        assert node.size == 1 << 42
        assert filesystem.read(node, offset=1 << 41, length=9) == bytes(9)
        with pytest.raises(InputError, match="too large"):
            filesystem.read(node)


def test_links_lead_where_windows_would_go(small: bytes) -> None:
    filesystem = ntfs.open_filesystem(blocks.Memory(small))
    assert base.find(filesystem, "Documents and Settings", follow=False).target == "/Users"
    assert base.read_file(filesystem, "Documents and Settings/Public/note.txt") == b"public\n"
    assert base.read_file(filesystem, "relative.txt") == b"public\n"
    assert base.find(filesystem, "Other", follow=False).target == "/D:/Data"
    assert not base.exists(filesystem, "Other")


def test_read_says_that_a_compact_file_cannot_be_read(small: bytes) -> None:
    filesystem = ntfs.open_filesystem(blocks.Memory(small))
    with pytest.raises(InputError, match="CompactOS"):
        base.read_file(filesystem, "compact.exe")


def test_dirty_flag_is_seen(small: bytes) -> None:
    at = small.index(struct.pack("<IIBB", 0x70, 0x28, 0, 0)) + 0x18 + 10
    changed = bytearray(small)
    changed[at] |= 1
    filesystem = ntfs.open_filesystem(blocks.Memory(changed))
    assert (filesystem.dirty, filesystem.clean) == (True, False)


@pytest.mark.parametrize(("start", "sleeps"), [(b"HIBR", True), (b"hibr", True), (b"WAKE", True), (bytes(4), False)])
def test_hibernation_is_seen(tmp_path: Path, start: bytes, sleeps: bool) -> None:
    image = ntfs_volume.make(tmp_path / "volume.img", size=2 << 20)
    content = tmp_path / "hiberfil"
    content.write_bytes(start + bytes(8192))
    subprocess.run(
        ["ntfscp", "-q", "-f", image, content, "hiberfil.sys"], check=True, env={"PATH": "/sbin:/usr/sbin:/bin"}
    )
    with blocks.File(image) as disk:
        assert ntfs.open_filesystem(disk).hibernated is sleeps


def test_probe_refuses_other_content() -> None:
    assert not ntfs.probe(blocks.Memory(bytes(100)))
    assert not ntfs.probe(blocks.Memory(bytes(8192)))
    assert not ntfs.probe(blocks.Memory(b"\xeb\x52\x90-FVE-FS-".ljust(510, b"\0") + b"\x55\xaa"))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_volumes_end_in_an_error(small: bytes, data: st.DataObject) -> None:
    """Bytes are changed where the file system's own structures are; reading everything ends, in bounded memory."""
    table = ntfs_records.parse_boot(small[:512])
    start = table.mft * table.cluster
    places = st.one_of(
        st.integers(0, 511), st.integers(start, start + 200 * table.record - 1), st.integers(0, len(small) - 1)
    )
    changed = bytearray(small)
    for place in data.draw(st.lists(places, min_size=1, max_size=12)):
        changed[place] = data.draw(st.integers(0, 255))
    try:
        filesystem = ntfs.open_filesystem(blocks.Memory(changed))
        assert isinstance(filesystem.clean, bool)
        assert isinstance(filesystem.hibernated, bool)
        seen = 0
        left = [(0, filesystem.root())]
        while left and seen < 2000:
            depth, folder = left.pop()
            for _, node in filesystem.children(folder):
                seen += 1
                if node.kind is Kind.DIRECTORY and depth < 20:
                    left.append((depth + 1, node))
                elif node.kind is Kind.FILE:
                    filesystem.read(node, length=1 << 20)
    except InputError:
        pass


@given(st.binary(max_size=6000))
def test_lznt1_ends_with_any_bytes(packed: bytes) -> None:
    with contextlib.suppress(InputError):
        assert len(lznt1.decompress(packed, size=65536)) == 65536


def test_lznt1_unfolds_an_example_by_hand() -> None:
    # [MS-XCA] section 3.3's kind of stream: literals, then references with their distance and length.
    packed = bytes.fromhex("0bb0") + b"\x00abcdefgh" + b"\x01" + struct.pack("<H", (7 << 12) | 5)
    packed = struct.pack("<H", 0xB000 | (len(packed) - 3)) + packed[2:]
    assert lznt1.decompress(packed, size=20) == b"abcdefghabcdefgh" + bytes(4)
