"""Partitions and logical volumes: as sfdisk, sgdisk and LVM itself make them, and as nobody should."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk.blocks import File, Memory
from jeos.disk.volumes import layout, lvm_area, lvm_text
from jeos.disk.volumes.base import Joined, Piece, Table, disk_name

SIZE = 64 << 20


def sized(image: Path, size: int = SIZE) -> Path:
    with image.open("wb") as file:
        file.truncate(size)
    return image


def sfdisk(image: Path, script: str, *options: str) -> list[dict[str, object]]:
    """Write a table with sfdisk; return what it then reads."""
    subprocess.run(["sfdisk", "-q", *options, str(image)], input=script.encode(), check=True, capture_output=True)
    said = subprocess.run(["sfdisk", "--json", *options, str(image)], check=True, capture_output=True)
    found: list[dict[str, object]] = json.loads(said.stdout)["partitiontable"]["partitions"]
    return found


def places(image: Path) -> list[tuple[str, tuple[Piece, ...]]]:
    with File(image) as disk:
        return [(volume.name, volume.pieces) for volume in layout.read([disk]).volumes]


GPT = """label: gpt
size=1M, type=21686148-6449-6E6F-744E-656564454649, name=bios
size=10M, type=U
size=20M, name=wörld
"""
DOS = """label: dos
label-id: 0x1234abcd
size=10M, type=83, bootable
size=30M, type=5
size=8M, type=82
size=4M
size=6M
size=7M
"""


@pytest.mark.parametrize("script", [GPT, DOS])
def test_partitions_are_those_that_sfdisk_reads(script: str, tmp_path: Path) -> None:
    image = sized(tmp_path / "disk")
    said = sfdisk(image, script)
    expected = []
    for partition in said:
        number = str(partition["node"]).removeprefix(str(image))
        start, size = int(str(partition["start"])) * 512, int(str(partition["size"])) * 512
        if partition["type"] != "5":
            expected.append((f"sda{number}", (Piece(0, start, size),)))
    assert len(expected) >= 3 and places(image) == expected


def test_gpt_says_names_types_and_identities(tmp_path: Path) -> None:
    image = sized(tmp_path / "disk")
    said = sfdisk(image, GPT)
    with File(image) as disk:
        found = layout.read([disk])
    assert found.tables[0].kind == "gpt" and found.notes == ()
    assert [(volume.id, volume.type, volume.label, volume.number) for volume in found.volumes] == [
        (str(item["uuid"]).lower(), str(item["type"]).lower(), item.get("name", ""), number)
        for number, item in enumerate(said, start=1)
    ]


def test_mbr_says_types_and_identities(tmp_path: Path) -> None:
    image = sized(tmp_path / "disk")
    sfdisk(image, DOS)
    with File(image) as disk:
        found = layout.read([disk])
    assert found.tables == (Table("sda", SIZE, kind="dos", uuid="1234abcd"),)
    assert [(volume.name, volume.type, volume.id) for volume in found.volumes] == [
        ("sda1", "83", "1234abcd-01"),
        ("sda3", "82", "1234abcd-03"),
        ("sda4", "83", "1234abcd-04"),
        ("sda5", "83", "1234abcd-05"),
        ("sda6", "83", "1234abcd-06"),
    ]


@pytest.mark.root
def test_gpt_in_sectors_of_4096_bytes(tmp_path: Path) -> None:
    image = sized(tmp_path / "disk")
    with loops([image], "--sector-size", "4096") as devices:
        script = b"label: gpt\nstart=256, size=2560\n"
        subprocess.run(["sfdisk", "-q", "--no-tell-kernel", *devices], input=script, check=True, capture_output=True)
    with File(image) as disk:
        found = layout.read([disk])
    assert found.tables[0].sector == 4096
    assert [volume.pieces for volume in found.volumes] == [(Piece(0, 256 * 4096, 2560 * 4096),)]


def test_gpt_survives_the_loss_of_its_first_copy(tmp_path: Path) -> None:
    image = sized(tmp_path / "disk")
    sfdisk(image, GPT)
    before = places(image)
    with image.open("r+b") as file:
        file.seek(512)
        file.write(bytes(512))
    assert places(image) == before
    with image.open("r+b") as file:
        file.seek(SIZE - 512)
        file.write(bytes(512))
    with File(image) as disk:
        assert layout.read([disk]).notes[0] == "sda: its GPT partition table is damaged, in both copies"


def test_disk_that_is_cut_off_shows_what_is_left(tmp_path: Path) -> None:
    image = sized(tmp_path / "disk")
    sfdisk(image, DOS)
    with image.open("r+b") as file:
        file.truncate(12 << 20)
    with File(image) as disk:
        found = layout.read([disk])
    assert [(volume.name, volume.blocks.size) for volume in found.volumes] == [("sda1", 10 << 20)]
    assert any("the chain of logical partitions" in note or "puts it at byte" in note for note in found.notes)


def test_whole_disk_without_a_table_is_one_volume(tmp_path: Path) -> None:
    for make in (["mkfs.vfat"], ["mke2fs", "-q"]):
        image = sized(tmp_path / "disk")
        subprocess.run([*make, str(image)], check=True, capture_output=True)
        with File(image) as disk:
            found = layout.read([disk])
        assert [(volume.name, volume.kind) for volume in found.volumes] == [("sda", "disk")]
        assert found.tables == (Table("sda", SIZE),)


def test_chain_of_logical_partitions_that_turns_in_a_loop_ends(tmp_path: Path) -> None:
    image = sized(tmp_path / "disk")
    sfdisk(image, DOS)
    with image.open("r+b") as file:
        file.seek(446 + 16 + 8)
        extended = int.from_bytes(file.read(4), "little")
        file.seek(extended * 512 + 446 + 16 + 8)  # the link to the second logical partition now leads to the first
        file.write(bytes(4))
    with File(image) as disk:
        found = layout.read([disk])
    assert [volume.name for volume in found.volumes] == ["sda1", "sda3", "sda4", "sda5"]
    assert "does not end" in found.notes[0]


def test_disks_have_the_names_that_linux_gives() -> None:
    assert [disk_name(index) for index in (0, 1, 25, 26, 701, 702)] == ["sda", "sdb", "sdz", "sdaa", "sdzz", "sdaaa"]


def test_joined_parts_read_as_one() -> None:
    one, two = Memory(bytes(range(100))), Memory(bytes(range(100, 200)))
    joined = Joined([(one, 10, 20), (two, 0, 50), (one, 90, 10)])
    whole = bytes([*range(10, 30), *range(100, 150), *range(90, 100)])
    for start in range(0, 80, 7):
        for end in range(start, 81, 9):
            assert joined.read(start, end - start) == whole[start:end]
    assert list(joined.data(15, 75)) == [(15, 20), (20, 70), (70, 75)]
    with pytest.raises(InputError):
        joined.read(70, 11)
    with pytest.raises(InputError):
        Joined([(one, 90, 11)])


@contextmanager
def loops(images: Sequence[Path], *options: str) -> Iterator[list[str]]:
    devices: list[str] = []
    try:
        for image in images:
            done = subprocess.run(
                ["losetup", *options, "-f", "--show", image], check=True, capture_output=True, text=True
            )
            devices.append(done.stdout.strip())
        yield devices
    finally:
        for device in devices:
            subprocess.run(["losetup", "-d", device], check=True)


def with_lvm(images: Sequence[Path], *commands: Sequence[str]) -> None:
    """Run LVM's own commands on images, without its kernel driver; {0}, {1}… stand for the devices."""
    with loops(images) as devices:
        rules = "".join(f'"a|^{device}$|",' for device in devices) + '"r|.*|"'
        folder = images[0].parent
        config = (
            f'devices{{use_devicesfile=0 filter=[{rules}]}} global{{locking_dir="{folder}"}} '
            "backup{backup=0 archive=0} activation{udev_sync=0 udev_rules=0}"
        )
        for program, *arguments in commands:
            words = [word.format(*devices) for word in arguments]
            subprocess.run([program, "--config", config, *words], check=True, capture_output=True)


CREATE = ("lvcreate", "--driverloaded", "n", "-an", "-Zn", "-Wn")


@pytest.mark.root
def test_logical_volumes_that_lvm_made(tmp_path: Path) -> None:
    images = [sized(tmp_path / "a"), sized(tmp_path / "b")]
    with_lvm(
        images,
        ("pvcreate", "{0}", "{1}"),
        ("vgcreate", "group", "{0}", "{1}"),
        (*CREATE, "-L", "20M", "-n", "root", "group"),
        (*CREATE, "-i2", "-L", "16M", "-n", "stripes", "group"),
        (*CREATE, "-L", "72M", "-n", "data", "group"),
        ("lvrename", "--driverloaded", "n", "group/root", "group/root-old"),
        ("vgrename", "group", "big-group"),
    )
    with File(images[0]) as first, File(images[1]) as second:
        found = layout.read([first, second])
        volumes = {volume.name: volume for volume in found.volumes}
        assert sorted(volumes) == ["big-group/data", "big-group/root-old", "sda", "sdb"]
        assert volumes["big-group/root-old"].pieces == (Piece(0, 1 << 20, 20 << 20),)
        data = volumes["big-group/data"].pieces
        assert sum(piece.size for piece in data) == 72 << 20 and {piece.disk for piece in data} == {0, 1}
        assert found.notes == ("big-group/stripes: it is of the kind striped over 2 disks, which jeos does not read",)
        one = layout.read([first])
        assert [volume.name for volume in one.volumes] == ["sda", "big-group/root-old"]
        assert any("on none of the disks" in note for note in one.notes)


@pytest.mark.root
def test_metadata_that_wraps_around_its_ring(tmp_path: Path) -> None:
    image = sized(tmp_path / "a")
    tags = [("vgchange", "--addtag", f"tag{number}-{'x' * 900}", "group") for number in range(12)]
    untags = [("vgchange", "--deltag", f"tag{number}-{'x' * 900}", "group") for number in range(6)]
    with_lvm(
        [image],
        ("pvcreate", "--metadatasize", "60k", "--dataalignment", "64k", "{0}"),
        ("vgcreate", "-s", "1M", "group", "{0}"),
        (*CREATE, "-L", "20M", "-n", "root", "group"),
    )
    wrapped = False
    for change in [*tags, *untags, *tags[:6]]:
        with_lvm([image], change)
        with File(image) as disk:
            found = layout.read([disk])
            header = disk.read(4096, 512)
            offset, length = int.from_bytes(header[40:48], "little"), int.from_bytes(header[48:56], "little")
            wrapped |= offset + length > int.from_bytes(header[32:40], "little")
        assert [volume.name for volume in found.volumes] == ["sda", "group/root"]
    assert wrapped


TEXT = """# made by hand
group {
    id = "abc-1"  # comment
    seqno = 3
    ratio = 1.5
    status = ["READ", "WRITE"]
    empty = []
    quoted = "a \\"word\\""
    inner { number = -4 }
}
"""


def test_text_of_metadata() -> None:
    assert lvm_text.parse(TEXT) == {
        "group": {
            "id": "abc-1",
            "seqno": 3,
            "ratio": 1.5,
            "status": ["READ", "WRITE"],
            "empty": [],
            "quoted": 'a "word"',
            "inner": {"number": -4},
        }
    }


@pytest.mark.parametrize(
    "text", ["a {", "a = ", "a b", "}", "a = [1", "a = }", "a = 123456789012345678901234", "a {" * 9]
)
def test_text_that_is_no_metadata_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="LVM's metadata is damaged"):
        lvm_text.parse(text)


@given(st.text(alphabet='ab1{}[]=," \n#.-\\', max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        lvm_text.parse(text)
    except InputError as error:
        assert "damaged" in error.message


def physical_volume(*, text: bytes, flips: Sequence[tuple[int, int]] = ()) -> bytearray:
    """Return a physical volume of 4 MiB as lvm2 lays it out, with sums that hold also where the content does not."""
    disk = bytearray(4 << 20)
    label = b"A" * 32 + (4 << 20).to_bytes(8, "little")
    for start, size in ((1 << 20, 0), (0, 0), (4096, (1 << 20) - 4096), (0, 0)):
        label += start.to_bytes(8, "little") + size.to_bytes(8, "little")
    sector = bytearray(b"LABELONE" + (1).to_bytes(8, "little") + bytes(4) + (32).to_bytes(4, "little") + b"LVM2 001")
    sector += label
    sector += bytes(512 - len(sector))
    header = bytearray(4) + b" LVM2 x[5A%r0N*>" + (1).to_bytes(4, "little") + (4096).to_bytes(8, "little")
    header += ((1 << 20) - 4096).to_bytes(8, "little")
    header += (512).to_bytes(8, "little") + len(text).to_bytes(8, "little")
    header += lvm_area.checksum_of(text).to_bytes(4, "little") + bytes(4)
    header += bytes(512 - len(header))
    for at, value in flips:
        target = sector if at < 512 else header
        target[at % 512] ^= value
    sector[16:20] = lvm_area.checksum_of(bytes(sector[20:])).to_bytes(4, "little")
    header[0:4] = lvm_area.checksum_of(bytes(header[4:])).to_bytes(4, "little")
    disk[512:1024], disk[4096:4608] = sector, header
    disk[4608 : 4608 + len(text)] = text
    return disk


METADATA = """group {{ seqno = 1 extent_size = 2048
physical_volumes {{ pv0 {{ id = "{id}" pe_start = 2048 pe_count = 3 }} }}
logical_volumes {{ root {{ id = "x" status = ["VISIBLE"] segment_count = 2
segment1 {{ start_extent = 0 extent_count = 1 type = "{kind}" stripes = ["pv0", 1] }}
segment2 {{ start_extent = 1 extent_count = {count} type = "striped" stripes = ["pv0", 0] }} }} }} }}"""


def described(**values: object) -> bytes:
    return METADATA.format(**{"id": "A" * 32, "kind": "striped", "count": 1, **values}).encode()


def test_volume_of_two_segments() -> None:
    found = layout.read([Memory(physical_volume(text=described()))])
    assert [(volume.name, volume.pieces) for volume in found.volumes[1:]] == [
        ("group/root", (Piece(0, 2 << 20, 1 << 20), Piece(0, 1 << 20, 1 << 20)))
    ]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (described(kind="thin"), "group/root: it is of the kind thin, which jeos does not read"),
        (described(kind="raid1"), "group/root: it is of the kind raid1, which jeos does not read"),
        (described(count=9), "has 4194304 bytes, and does not reach"),
        (described(count=-1), "extent_count of segment2 is -1"),
        (described(id="B" * 32), "on the physical volume pv0, which is on none of the disks"),
        (b"group { physical_volumes = 1 }", "is damaged"),
        (b"\xff\xfe\0", "LVM's metadata is damaged"),
    ],
)
def test_volumes_that_cannot_be_read_are_said(text: bytes, note: str) -> None:
    found = layout.read([Memory(physical_volume(text=text))])
    assert [volume.name for volume in found.volumes] == ["sda"]
    assert len(found.notes) == 1 and note in found.notes[0]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 1023), st.integers(1, 255)), min_size=1, max_size=6))
def test_hostile_labels_and_headers_end_in_a_note(flips: list[tuple[int, int]]) -> None:
    found = layout.read([Memory(physical_volume(text=described(), flips=flips))])
    assert {volume.name for volume in found.volumes} <= {"sda", "group/root"}


@settings(max_examples=100)
@given(st.binary(min_size=446, max_size=2048))
def test_any_bytes_are_a_disk(content: bytes) -> None:
    disk = bytearray(64 << 10)
    disk[: len(content)] = content
    disk[510:512] = b"\x55\xaa"
    found = layout.read([Memory(disk)])
    for volume in found.volumes:
        volume.blocks.read(0, min(512, volume.blocks.size))
