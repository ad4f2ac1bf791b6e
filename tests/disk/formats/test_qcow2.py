"""qcow2 disks: as qemu-img makes them, in chains, and damaged."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreign_disks import (
    MIB,
    as_raw,
    assert_reads,
    assert_survives,
    content,
    convert,
    data_ranges,
    flipped,
    read_hostile,
    write_raw,
)
from jeos.core.errors import InputError
from jeos.core.run import run
from jeos.disk.blocks import Memory
from jeos.disk.formats import open_disk

SAMPLE = content()
VARIANTS = {
    "plain": (),
    "version 2": ("-o", "compat=0.10"),
    "small clusters": ("-o", "cluster_size=512"),
    "large clusters": ("-o", "cluster_size=2M"),
    "compressed": ("-c",),
    "compressed, version 2": ("-c", "-o", "compat=0.10"),
    "compressed, zstd": ("-c", "-o", "compression_type=zstd"),
    "compressed, large clusters": ("-c", "-o", "cluster_size=2M,compression_type=zstd"),
    "subclusters": ("-o", "extended_l2=on,cluster_size=128k"),
    "subclusters, compressed": ("-c", "-o", "extended_l2=on"),
    "all allocated": ("-S", "0"),
    "metadata allocated": ("-o", "preallocation=metadata"),
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_qcow2_is_read_as_qemu_img_does(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = convert(write_raw(tmp_path / "raw", SAMPLE), tmp_path / "disk", *options, format="qcow2")
    with open_disk(path) as disk:
        assert disk.format == "qcow2"
        assert_reads(disk, SAMPLE)
        assert list(disk.data(0, disk.size)) == data_ranges(path, format="qcow2")


def test_qcow2_of_odd_size_is_read(tmp_path: Path) -> None:
    odd = content(5 * MIB + 512 * 3)
    path = convert(write_raw(tmp_path / "raw", odd), tmp_path / "disk", format="qcow2")
    with open_disk(path) as disk:
        assert_reads(disk, odd)


def chain(folder: Path, *options: str) -> Path:
    """Make three disks over one another: a raw one, a larger one with zeros in it, and one of which little is there."""
    write_raw(folder / "base.raw", SAMPLE)
    size = str(len(SAMPLE) + 4 * MIB)
    run(
        [
            "qemu-img",
            "create",
            "-q",
            "-f",
            "qcow2",
            *options,
            "-F",
            "raw",
            "-b",
            "base.raw",
            folder / "middle.qcow2",
            size,
        ]
    )
    run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 100k", "-c", "write -z 2M 3M", folder / "middle.qcow2"])
    run(
        ["qemu-img", "create", "-q", "-f", "qcow2", *options, "-F", "qcow2", "-b", "middle.qcow2", folder / "top.qcow2"]
    )
    run(["qemu-io", "-f", "qcow2", "-c", "write -P 9 25M 10k", "-c", "write -P 8 3M 4k", folder / "top.qcow2"])
    return folder / "top.qcow2"


@pytest.mark.parametrize("options", [(), ("-o", "extended_l2=on,cluster_size=128k")], ids=["plain", "subclusters"])
def test_chain_is_read_through(tmp_path: Path, options: tuple[str, ...]) -> None:
    top = chain(tmp_path, *options)
    expected = as_raw(top, format="qcow2")
    with open_disk(top) as disk:
        assert_reads(disk, expected)
        assert list(disk.data(0, disk.size)) == data_ranges(top, format="qcow2")


def test_chain_in_a_circle_is_refused(tmp_path: Path) -> None:
    top = chain(tmp_path)
    run(["qemu-img", "rebase", "-u", "-F", "qcow2", "-b", "top.qcow2", tmp_path / "middle.qcow2"])
    with pytest.raises(InputError) as caught:
        open_disk(top)
    assert caught.value.message == "middle.qcow2 lies over top.qcow2, which lies over it"


def test_backing_file_outside_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write_raw(tmp_path / "secret", SAMPLE)
    for name in ("../secret", str(tmp_path / "secret")):
        disk = inside / "disk.qcow2"
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", name, disk, "1M"])
        with pytest.raises(InputError):
            open_disk(disk)
        with open_disk(disk, anywhere=True) as opened:
            assert opened.read(0, MIB) == SAMPLE[:MIB]
    (inside / "secret").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError):
        open_disk(disk)


def test_backing_file_of_another_host_is_found_beside_the_disk(tmp_path: Path) -> None:
    write_raw(tmp_path / "base", SAMPLE)
    disk = tmp_path / "disk.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "/vms/of/old-host/base", disk, "24M"])
    with open_disk(disk) as opened:
        assert_reads(opened, SAMPLE)


def test_data_file_is_read(tmp_path: Path) -> None:
    for raw in ("on", "off"):
        target = tmp_path / f"disk-{raw}.qcow2"
        options = f"data_file=data-{raw},data_file_raw={raw}"
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, target, "24M"], cwd=tmp_path)
        run(["qemu-img", "convert", "-n", "-O", "qcow2", write_raw(tmp_path / "raw", SAMPLE), target], cwd=tmp_path)
        with open_disk(target) as disk:
            assert_reads(disk, SAMPLE)


def test_encrypted_disk_is_refused(tmp_path: Path) -> None:
    secret = ("--object", "secret,id=key,data=secret")
    options = "encrypt.format=aes,encrypt.key-secret=key"  # LUKS would measure how fast this machine is
    run(["qemu-img", "create", "-q", "-f", "qcow2", *secret, "-o", options, tmp_path / "disk", "1M"])
    with pytest.raises(InputError) as caught:
        open_disk(tmp_path / "disk")
    assert caught.value.message == "disk is encrypted"


def test_disk_over_a_network_is_refused(tmp_path: Path) -> None:
    name = "nbd://192.0.2.1/disk"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", name, tmp_path / "disk.qcow2", "1M"])
    with pytest.raises(InputError) as caught:
        open_disk(tmp_path / "disk.qcow2", anywhere=True)
    assert caught.value.message == "disk.qcow2 lies over 'nbd://192.0.2.1/disk', which is not a file"


def test_raw_disk_that_its_guest_made_begin_as_another_opens_no_files(tmp_path: Path) -> None:
    write_raw(tmp_path / "other.raw", SAMPLE)
    disk = tmp_path / "guest.raw"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "other.raw", disk])
    with pytest.raises(InputError) as caught:
        open_disk(disk)
    assert caught.value.message == (
        "guest.raw needs the file 'other.raw'; but who writes to a raw disk can make it begin so"
    )
    with open_disk(disk, format="qcow2") as opened:
        assert opened.read(0, MIB) == SAMPLE[:MIB]
    with open_disk(disk, format="raw") as opened:
        assert opened.read(0, 4) == b"QFI\xfb"


def test_backing_file_of_no_format_that_begins_as_one_is_refused(tmp_path: Path) -> None:
    convert(write_raw(tmp_path / "raw", SAMPLE), tmp_path / "base.img", format="qcow2")
    disk = tmp_path / "disk.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "base.img", disk, "24M"], check=False)
    assert not disk.exists()  # QEMU itself wants to be told
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.img", disk])
    disk.write_bytes(disk.read_bytes().replace(struct.pack(">II", 0xE2792ACA, 5), struct.pack(">II", 0x6803F857, 5)))
    with pytest.raises(InputError) as caught:
        open_disk(disk)
    assert caught.value.message == (
        "base.img begins as a qcow2 disk; but who writes to a raw disk can make it begin so"
    )


def first_table(disk: bytes) -> tuple[int, int]:
    """Return where the first table is, and how many entries it has."""
    entries, offset = struct.unpack_from(">IQ", disk, 36)
    return offset, entries


def test_table_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    path = convert(write_raw(tmp_path / "raw", SAMPLE), tmp_path / "disk", "-o", "cluster_size=512", format="qcow2")
    disk = path.read_bytes()
    offset, entries = first_table(disk)
    looped = flipped(disk, [(offset, disk[offset : offset + 8] * entries)])
    with pytest.raises(InputError) as caught:
        open_disk(Memory(looped))
    assert caught.value.message == "the disk: its first table names one second table twice"


def test_cluster_that_is_used_everywhere_ends_in_an_error(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE[:MIB] + bytes(100 * MIB))
    disk = convert(raw, tmp_path / "disk", format="qcow2").read_bytes()
    (second,) = struct.unpack_from(">Q", disk, first_table(disk)[0])
    second &= 0x00FFFFFFFFFFFE00
    looped = flipped(disk, [(second, disk[second : second + 8] * (65536 // 8))])
    with open_disk(Memory(looped)) as opened, pytest.raises(InputError) as caught:
        list(opened.data(0, opened.size))
    assert caught.value.message == "the disk: its tables use the same bytes more than once"


HOSTILE = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 112), st.integers(0, 5 * 65536)),
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7])),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def small_disks(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("small")
    raw = write_raw(folder / "raw", content(3 * MIB))
    return [
        convert(raw, folder / str(number), *options, format="qcow2").read_bytes()
        for number, options in enumerate(VARIANTS.values())
    ]


@settings(max_examples=150, deadline=None)
@given(st.data(), HOSTILE)
def test_damaged_qcow2_ends_in_an_error(
    small_disks: list[bytes], data: st.DataObject, changes: list[tuple[int, bytes]]
) -> None:
    disk = data.draw(st.sampled_from(small_disks))
    cut = data.draw(st.one_of(st.just(len(disk)), st.integers(1, len(disk))))
    damaged = flipped(disk, changes)[:cut]
    assert_survives(lambda: read_hostile(damaged, format="qcow2"))
