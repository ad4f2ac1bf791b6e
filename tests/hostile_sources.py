"""Sources that somebody made to hurt whoever converts them: disks, packages, tables, file systems, archives.

Each is a function that writes files into an empty folder and returns what to give to jeos. `outside` is a file beside
the folder that none of them may make jeos open.
"""

import gzip
import io
import lzma
import os
import struct
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
SECRET = b"root:x:0:0:this must not be read\n"

Make = Callable[[Path, Path], list[Path]]
SOURCES: dict[str, Make] = {}


def source(make: Make) -> Make:
    """Enter a source into the corpus under its name."""
    SOURCES[make.__name__] = make
    return make


def write(path: Path, content: bytes, *, size: int = 0) -> Path:
    """Write a file, sparse from the end of its content to `size`."""
    with path.open("wb") as file:
        file.write(content)
        if size:
            file.truncate(size)
    return path


# Disk formats.


def sparse_header(
    *, capacity: int, grain: int = 128, entries: int = 512, directory: int = 0, flags: int = 3, compress: int = 0
) -> bytes:
    """Return the header of a sparse VMDK; sizes and places in sectors of 512 bytes."""
    head = struct.pack(
        "<4sIIQQQQIQQQB4sH",
        b"KDMV",
        1,
        flags,
        capacity,
        grain,
        1,
        20,
        entries,
        0,
        directory,
        128,
        0,
        b"\n \r\n",
        compress,
    )
    return head.ljust(512, b"\0")


def descriptor(*lines: str, kind: str = "monolithicSparse", parent: str = "ffffffff") -> bytes:
    """Return a descriptor with these lines as its extents."""
    head = f'# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID={parent}\ncreateType="{kind}"\n'
    return (head + "\n".join(lines) + '\n\nddb.adapterType = "lsilogic"\n').encode()


def sparse(*, capacity: int, tables: bytes, **more: int) -> bytes:
    """Return a sparse VMDK whose grain directory and tables, from sector 30 on, are given."""
    text = descriptor(f'RW {capacity} SPARSE "disk.vmdk"')
    head = sparse_header(capacity=capacity, directory=30, **more)
    return (head + text).ljust(30 * 512, b"\0") + tables


@source
def vmdk_tables_in_a_circle(folder: Path, outside: Path) -> list[Path]:
    # Every entry of the directory names the directory itself as the table, and every grain lies in it.
    tables = struct.pack("<I", 30) * 4096
    return [write(folder / "disk.vmdk", sparse(capacity=1 << 27, tables=tables))]


@source
def vmdk_with_a_size_beyond_everything(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.vmdk", sparse(capacity=(1 << 63) - 1, tables=bytes(4096)))]


@source
def vmdk_with_grains_of_a_terabyte(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.vmdk", sparse(capacity=1 << 40, grain=1 << 31, tables=bytes(4096)))]


@source
def vmdk_with_tables_of_four_billion_entries(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.vmdk", sparse(capacity=1 << 40, entries=0xFFFFFFFF, tables=bytes(4096)))]


@source
def vmdk_that_ends_in_its_header(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.vmdk", sparse(capacity=1 << 20, tables=b"")[:300])]


@source
def vmdk_with_grains_that_unfold_without_end(folder: Path, outside: Path) -> list[Path]:
    # 128 tables of 512 grains, all of them one grain: 4 KiB that unfold to 64 MiB instead of 64 KiB.
    bomb = zlib.compress(bytes(64 * MIB), 9)[: 60 << 10]
    grain = struct.pack("<QI", 0, len(bomb)) + bomb
    directory = struct.pack("<I", 31) * 128
    table = struct.pack("<I", 40) * 512
    tables = directory.ljust(512, b"\0") + table.ljust(9 * 512, b"\0") + grain
    body = sparse(capacity=128 * 512 * 128, tables=tables, flags=0x30001, compress=1)
    return [write(folder / "disk.vmdk", body.ljust(256 << 10, b"\0"))]


def _extents(folder: Path, *lines: str) -> list[Path]:
    return [write(folder / "disk.vmdk", descriptor(*lines, kind="twoGbMaxExtentFlat"))]


@source
def vmdk_whose_extent_is_somebody_elses(folder: Path, outside: Path) -> list[Path]:
    return _extents(folder, f'RW 8 FLAT "{outside}" 0')


@source
def vmdk_whose_extent_is_above_the_folder(folder: Path, outside: Path) -> list[Path]:
    return _extents(folder, f'RW 8 FLAT "../{outside.name}" 0')


@source
def vmdk_whose_extent_is_a_link_out(folder: Path, outside: Path) -> list[Path]:
    (folder / "flat.vmdk").symlink_to(outside)
    return _extents(folder, 'RW 8 FLAT "flat.vmdk" 0')


@source
def vmdk_whose_extent_never_ends(folder: Path, outside: Path) -> list[Path]:
    os.mkfifo(folder / "flat.vmdk")
    return _extents(folder, 'RW 8 FLAT "flat.vmdk" 0')


@source
def vmdk_that_is_its_own_extent(folder: Path, outside: Path) -> list[Path]:
    return _extents(folder, 'RW 8 SPARSE "disk.vmdk"')


@source
def vmdk_of_many_extents(folder: Path, outside: Path) -> list[Path]:
    write(folder / "flat.vmdk", bytes(512))
    return _extents(folder, *['RW 1 FLAT "flat.vmdk" 0'] * 200_000)


@source
def vmdk_snapshots_in_a_circle(folder: Path, outside: Path) -> list[Path]:
    for name, below in (("a", "b"), ("b", "a")):
        head = descriptor("RW 8 ZERO", parent="12345678")
        write(folder / f"{name}.vmdk", head + f'parentFileNameHint="{below}.vmdk"\n'.encode())
    return [folder / "a.vmdk"]


def qcow2(*, size: int, bits: int = 16, l1: int = 1, backing: bytes = b"", tables: bytes = b"") -> bytes:
    """Return a qcow2 file whose first table stands at 64 KiB, followed by `tables`."""
    place = 512 if backing else 0
    head = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, place, len(backing), bits, size, 0, l1, 65536, 65536 * 4, 1, 0, 0
    )
    return (head.ljust(512, b"\0") + backing).ljust(65536, b"\0") + tables


@source
def qcow2_tables_in_a_circle(folder: Path, outside: Path) -> list[Path]:
    entry = struct.pack(">Q", (1 << 63) | 65536)
    return [write(folder / "disk.qcow2", qcow2(size=1 << 42, l1=8192, tables=entry * 8192))]


@source
def qcow2_with_a_size_beyond_everything(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.qcow2", qcow2(size=(1 << 64) - 512, l1=0x7FFFFFFF, tables=bytes(65536)))]


@source
def qcow2_over_itself(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.qcow2", qcow2(size=MIB, backing=b"disk.qcow2", tables=bytes(65536 * 5)))]


@source
def qcow2_over_each_other(folder: Path, outside: Path) -> list[Path]:
    for name, below in ((b"a", b"b"), (b"b", b"a")):
        path = folder / f"{name.decode()}.qcow2"
        write(path, qcow2(size=MIB, backing=below + b".qcow2", tables=bytes(65536 * 5)))
    return [folder / "a.qcow2"]


@source
def qcow2_over_somebody_elses_file(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.qcow2", qcow2(size=MIB, backing=os.fsencode(outside), tables=bytes(65536 * 5)))]


@source
def qcow2_over_a_description_of_somebody_elses_file(folder: Path, outside: Path) -> list[Path]:
    backing = b'json:{"driver":"raw","file":{"driver":"file","filename":"%s"}}' % os.fsencode(outside)
    return [write(folder / "disk.qcow2", qcow2(size=MIB, backing=backing, tables=bytes(65536 * 5)))]


@source
def qcow2_in_a_long_chain(folder: Path, outside: Path) -> list[Path]:
    for number in range(3000):
        backing = b"%d.qcow2" % (number + 1)
        write(folder / f"{number}.qcow2", qcow2(size=MIB, backing=backing, tables=bytes(16)), size=65536 * 5)
    write(folder / "3000.qcow2", qcow2(size=MIB, tables=bytes(65536 * 5)))
    return [folder / "0.qcow2"]


@source
def qcow2_of_clusters_that_unfold_without_end(folder: Path, outside: Path) -> list[Path]:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -12)
    packed = bomb.compress(bytes(64 * MIB)) + bomb.flush()
    first = struct.pack(">Q", (1 << 63) | 65536 * 2)
    # Compressed: the place in the low 54 bits, the number of sectors above them.
    second = struct.pack(">Q", (1 << 62) | (127 << 54) | 65536 * 3) * 8192
    tables = first.ljust(65536, b"\0") + second + packed[: 60 << 10].ljust(65536, b"\0")
    return [write(folder / "disk.qcow2", qcow2(size=8192 * 65536, tables=tables))]


@source
def vdi_with_a_map_beyond_everything(folder: Path, outside: Path) -> list[Path]:
    head = b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0")
    head += struct.pack("<IIIII", 0xBEDA107F, 0x10001, 400, 1, 0) + bytes(256)
    head += struct.pack("<IIIIIIIQIIII", 512, 4096, 0, 0, 0, 512, 0, 1 << 62, MIB, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    return [write(folder / "disk.vdi", head.ljust(8192, b"\0"))]


@source
def vhd_with_a_map_beyond_everything(folder: Path, outside: Path) -> list[Path]:
    footer = bytearray(
        struct.pack(">8sIIQI4sI4sQQ", b"conectix", 2, 0x10000, 512, 0, b"jeos", 1, b"Wi2k", 1 << 50, 1 << 50)
    )
    footer += struct.pack(">HBBII", 65535, 16, 255, 3, 0) + bytes(16)
    footer = footer.ljust(512, b"\0")
    struct.pack_into(">I", footer, 64, ~sum(footer) & 0xFFFFFFFF)
    header = bytearray(struct.pack(">8sQQIII", b"cxsparse", 0xFFFFFFFFFFFFFFFF, 1536, 0x10000, 0xFFFFFFFF, 512))
    header = header.ljust(1024, b"\0")
    struct.pack_into(">I", header, 36, ~sum(header) & 0xFFFFFFFF)
    return [write(folder / "disk.vhd", bytes(footer + header + bytes(4096) + footer))]


@source
def vhdx_of_noise(folder: Path, outside: Path) -> list[Path]:
    head = b"vhdxfile" + "jeos".encode("utf-16-le")
    return [write(folder / "disk.vhdx", head.ljust(65536, b"\0") + b"head" * 30_000 + b"regi" * 40_000, size=4 * MIB)]


# Packages.

OVF = """<?xml version="1.0"?>{doctype}
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
<References><File ovf:id="file1" ovf:href="{href}" ovf:size="{size}"{packed}/></References>
<DiskSection><Info>disks</Info><Disk ovf:diskId="d1" ovf:fileRef="file1" ovf:capacity="{capacity}"
 ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/></DiskSection>
<VirtualSystem ovf:id="vm"><Info>a machine</Info><Name>{name}</Name><VirtualHardwareSection><Info>hardware</Info>
<Item><rasd:ElementName>SCSI</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceType>6</rasd:ResourceType></Item>
<Item><rasd:ElementName>disk</rasd:ElementName><rasd:HostResource>ovf:/disk/d1</rasd:HostResource>
<rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
</VirtualHardwareSection></VirtualSystem></Envelope>
"""


def ovf(
    *,
    href: str = "disk.vmdk",
    size: int = 512,
    capacity: str = "1048576",
    name: str = "vm",
    doctype: str = "",
    packed: str = "",
) -> bytes:
    """Return a descriptor of a machine with one disk."""
    return OVF.format(href=href, size=size, capacity=capacity, name=name, doctype=doctype, packed=packed).encode()


def archive(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> list[Path]:
    """Write a tar of members as they are given."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return [path]


def member(
    name: str, content: bytes = b"", *, type: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of a tar."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type, target
    return info, content


@source
def ova_whose_disk_is_a_link_out(folder: Path, outside: Path) -> list[Path]:
    link = member("disk.vmdk", type=tarfile.SYMTYPE, target=str(outside))
    return archive(folder / "vm.ova", [member("vm.ovf", ovf()), link])


@source
def ova_whose_disk_is_a_hard_link_to_a_file_outside(folder: Path, outside: Path) -> list[Path]:
    link = member("disk.vmdk", type=tarfile.LNKTYPE, target=f"../{outside.name}")
    return archive(folder / "vm.ova", [member("vm.ovf", ovf()), link])


@source
def ova_with_names_that_lead_out(folder: Path, outside: Path) -> list[Path]:
    return archive(
        folder / "vm.ova",
        [
            member("vm.ovf", ovf(href=f"../{outside.name}")),
            member(f"../{outside.name}", b"x" * 512),
            member("/etc/x", b"x"),
        ],
    )


@source
def ova_whose_file_reference_is_absolute(folder: Path, outside: Path) -> list[Path]:
    return archive(folder / "vm.ova", [member("vm.ovf", ovf(href=str(outside)))])


@source
def ova_whose_file_reference_is_an_address(folder: Path, outside: Path) -> list[Path]:
    return archive(folder / "vm.ova", [member("vm.ovf", ovf(href=f"file://{outside}"))])


@source
def ova_with_a_member_that_claims_more_than_there_is(folder: Path, outside: Path) -> list[Path]:
    path = archive(folder / "vm.ova", [member("vm.ovf", ovf()), member("disk.vmdk", b"x" * 512)])[0]
    content = bytearray(path.read_bytes())
    at = content.index(b"disk.vmdk\0", 512)
    content[at + 124 : at + 136] = b"\x80" + (1 << 62).to_bytes(11, "big")
    _checksum(content, at)
    return [write(path, bytes(content))]


@source
def ova_with_a_member_of_negative_size(folder: Path, outside: Path) -> list[Path]:
    path = archive(folder / "vm.ova", [member("vm.ovf", ovf()), member("disk.vmdk", b"x" * 512)])[0]
    content = bytearray(path.read_bytes())
    at = content.index(b"disk.vmdk\0", 512)
    content[at + 124 : at + 136] = b"\xff" * 12
    _checksum(content, at)
    return [write(path, bytes(content))]


def _checksum(content: bytearray, at: int) -> None:
    content[at + 148 : at + 156] = b" " * 8
    content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])


@source
def ova_of_many_small_members(folder: Path, outside: Path) -> list[Path]:
    head = tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)
    path = archive(folder / "vm.ova", [member("vm.ovf", ovf())])[0]
    return [write(path, path.read_bytes()[:4096].rstrip(b"\0").ljust(4096, b"\0") + head * 300_000)]


@source
def ova_with_a_header_of_a_gigabyte(folder: Path, outside: Path) -> list[Path]:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    return [write(folder / "vm.ova", info.tobuf(tarfile.USTAR_FORMAT), size=(1 << 30) + 4096)]


@source
def ova_with_a_billion_laughs(folder: Path, outside: Path) -> list[Path]:
    entities = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    text = ovf(name="&l9;", doctype=f"<!DOCTYPE Envelope [{entities}]>")
    return archive(folder / "vm.ova", [member("vm.ovf", text), member("disk.vmdk", b"x" * 512)])


@source
def ova_with_an_entity_from_outside(folder: Path, outside: Path) -> list[Path]:
    text = ovf(name="&x;", doctype=f'<!DOCTYPE Envelope [<!ENTITY x SYSTEM "file://{outside}">]>')
    return archive(folder / "vm.ova", [member("vm.ovf", text), member("disk.vmdk", b"x" * 512)])


@source
def ova_with_a_descriptor_that_is_nested_without_end(folder: Path, outside: Path) -> list[Path]:
    text = b"<a>" * 2_000_000
    return archive(folder / "vm.ova", [member("vm.ovf", text)])


@source
def ova_with_a_descriptor_of_many_attributes(folder: Path, outside: Path) -> list[Path]:
    text = b"<Envelope " + b" ".join(b'a%d="%s"' % (n, b"x" * 50) for n in range(150_000)) + b"/>"
    return archive(folder / "vm.ova", [member("vm.ovf", text)])


@source
def ova_whose_disk_unfolds_without_end(folder: Path, outside: Path) -> list[Path]:
    bomb = gzip.compress(bytes(MIB), 9) * 20_000  # a file of many members: 20 GiB of zeros in 20 MiB
    text = ovf(size=len(bomb), packed=' ovf:compression="gzip"')
    return archive(folder / "vm.ova", [member("vm.ovf", text), member("disk.vmdk", bomb)])


@source
def ovf_with_a_capacity_beyond_everything(folder: Path, outside: Path) -> list[Path]:
    text = ovf(capacity=str(1 << 70))
    write(folder / "disk.vmdk", b"x" * 512)
    return [write(folder / "vm.ovf", text)]


# Partition tables and LVM.


def mbr(*partitions: tuple[int, int, int]) -> bytes:
    """Return a sector with these partitions: type, first sector, number of sectors."""
    entries = b"".join(struct.pack("<B3sB3sII", 0, b"", kind, b"", start, count) for kind, start, count in partitions)
    return bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa"


@source
def extended_partitions_in_a_circle(folder: Path, outside: Path) -> list[Path]:
    disk = bytearray(8 * MIB)
    disk[:512] = mbr((5, 64, 8000))
    disk[64 * 512 : 65 * 512] = mbr((0x83, 1, 8), (5, 10, 100))
    disk[74 * 512 : 75 * 512] = mbr((0x83, 1, 8), (5, 0, 100))
    return [write(folder / "disk.raw", bytes(disk))]


@source
def extended_partitions_of_every_sector(folder: Path, outside: Path) -> list[Path]:
    disk = bytearray(64 * MIB)
    disk[:512] = mbr((5, 1, 131000))
    for sector in range(1, 130_000):
        disk[sector * 512 : sector * 512 + 512] = mbr((0x83, 1, 1), (5, sector, 100))
    return [write(folder / "disk.raw", bytes(disk))]


@source
def partitions_over_each_other(folder: Path, outside: Path) -> list[Path]:
    return [
        write(
            folder / "disk.raw", mbr((0x83, 0, 0xFFFFFFFF), (0x83, 1, 9), (5, 0, 0xFFFFFFFF), (5, 0, 9)), size=8 * MIB
        )
    ]


def gpt(*, count: int, size: int, first: int = 2) -> bytes:
    """Return the first sectors of a disk with a header that claims a table of partitions."""
    head = bytearray(
        struct.pack(
            "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, 1, 16383, 34, 16350, b"u" * 16, first, count, size, 0
        )
    )
    struct.pack_into("<I", head, 16, zlib.crc32(head))
    return mbr((0xEE, 1, 16383)) + bytes(head.ljust(512, b"\0"))


@source
def gpt_of_four_billion_partitions(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.raw", gpt(count=0xFFFFFFFF, size=0x80000000), size=8 * MIB)]


@source
def gpt_of_partitions_without_size(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.raw", gpt(count=0xFFFFFFFF, size=0), size=8 * MIB)]


LVM_TEXT = """contents = "Text Format Volume Group"
version = 1
{name} {{
id = "AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAAA"
seqno = 1
status = ["RESIZEABLE", "READ", "WRITE"]
extent_size = 8192
physical_volumes {{ pv0 {{ id = "{pv}" device = "/dev/sda" status = ["ALLOCATABLE"] pe_start = 2048 pe_count = 1 }} }}
logical_volumes {{ {volumes} }}
}}
"""


def lvm(volumes: str, *, name: str = "group", wrap: bool = False) -> bytes:
    """Return the start of a physical volume with metadata that has these logical volumes."""
    uuid = b"A" * 32
    dashed = "-".join("A" * length for length in (6, 4, 4, 4, 4, 4, 6))
    text = LVM_TEXT.format(name=name, pv=dashed, volumes=volumes).encode() + b"\0"
    area = MIB - 4096
    label = bytearray(b"LABELONE" + struct.pack("<QII8s", 1, 0, 32, b"LVM2 001"))
    label += (
        uuid + struct.pack("<Q", 64 * MIB) + struct.pack("<QQQQ", MIB, 0, 0, 0) + struct.pack("<QQQQ", 4096, area, 0, 0)
    )
    label = label.ljust(512, b"\0")
    struct.pack_into("<I", label, 16, _lvm_sum(bytes(label[20:])))
    place = area - 100 if wrap else 512
    head = bytearray(b"\0" * 4 + b" LVM2 x[5A%r0N*>" + struct.pack("<IQQ", 1, 4096, area))
    head += struct.pack("<QQII", place, len(text), _lvm_sum(text), 0)
    head = head.ljust(512, b"\0")
    struct.pack_into("<I", head, 0, _lvm_sum(bytes(head[4:])))
    disk = bytearray(MIB + 4096)
    disk[512:1024] = label
    disk[4096:4608] = head
    first = text if not wrap else text[:100]
    disk[4096 + place : 4096 + place + len(first)] = first
    if wrap:
        disk[4608 : 4608 + len(text) - 100] = text[100:]
    return bytes(disk)


def _lvm_sum(data: bytes) -> int:
    return zlib.crc32(data, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def segment(number: int, *, start: int = 0, count: int = 1, kind: str = "striped", of: str = "pv0") -> str:
    """Return a segment of a logical volume."""
    return (
        f'segment{number} {{ start_extent = {start} extent_count = {count} type = "{kind}" stripe_count = 1 '
        f'stripes = ["{of}", 0] }}'
    )


@source
def lvm_whose_volumes_lie_in_each_other(folder: Path, outside: Path) -> list[Path]:
    volumes = "".join(
        f'{name} {{ id = "{name}" status = ["READ", "VISIBLE"] segment_count = 1 {segment(1, of=below)} }}\n'
        for name, below in (("a", "b"), ("b", "a"), ("c", "c"))
    )
    return [write(folder / "disk.raw", lvm(volumes), size=64 * MIB)]


@source
def lvm_of_volumes_beyond_everything(folder: Path, outside: Path) -> list[Path]:
    volumes = f'a {{ id = "a" status = ["VISIBLE"] segment_count = 1 {segment(1, count=1 << 62)} }}'
    return [write(folder / "disk.raw", lvm(volumes), size=64 * MIB)]


@source
def lvm_of_many_segments(folder: Path, outside: Path) -> list[Path]:
    segments = " ".join(segment(number + 1, start=number) for number in range(6000))
    return [
        write(folder / "disk.raw", lvm(f'a {{ status = ["VISIBLE"] segment_count = 6000 {segments} }}'), size=64 * MIB)
    ]


@source
def lvm_of_text_that_is_nested_without_end(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.raw", lvm("a { " * 150_000), size=64 * MIB)]


@source
def lvm_with_a_name_that_leads_out(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.raw", lvm("", name="../../../etc"), size=64 * MIB)]


@source
def lvm_that_wraps_around_its_ring(folder: Path, outside: Path) -> list[Path]:
    volumes = f'a {{ id = "a" status = ["VISIBLE"] segment_count = 1 {segment(1)} }}'
    return [write(folder / "disk.raw", lvm(volumes, wrap=True), size=64 * MIB)]


# File systems, and what is in them.


def linux(folder: Path, extra: dict[str, bytes], *, links: dict[str, str] | None = None, size: int = 96 * MIB) -> Path:
    """Make a disk with one partition of ext4, in which something like a Linux system is installed."""
    tree = folder.with_name(folder.name + ".tree")
    files = {
        "etc/os-release": b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
        "etc/fstab": b"/dev/sda1 / ext4 defaults 0 1\n",
        "etc/hostname": b"victim\n",
        "usr/bin/true": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0",
        "boot/vmlinuz-6.1.0-1-amd64": b"kernel",
        "lib/modules/6.1.0-1-amd64/modules.dep": b"",
        "boot/grub/grub.cfg": b"menuentry 'x' {\n linux /boot/vmlinuz-6.1.0-1-amd64 root=/dev/sda1\n}\n",
        **extra,
    }
    for path, content in files.items():
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    for path, target in (links or {}).items():
        (tree / path).unlink(missing_ok=True)
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)
    disk = write(folder / "disk.raw", mbr((0x83, 2048, size // 512 - 2048)), size=size)
    subprocess.run(
        ["mkfs.ext4", "-q", "-F", "-d", tree, "-E", f"offset={MIB}", disk, f"{(size - MIB) // 1024}k"],
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"},
    )
    subprocess.run(["rm", "-rf", tree], check=True)
    return disk


INITRD = "boot/initrd.img-6.1.0-1-amd64"


@source
def initrd_of_gzip_that_unfolds_without_end(folder: Path, outside: Path) -> list[Path]:
    return [linux(folder, {INITRD: gzip.compress(bytes(MIB), 9) * 4_000})]


@source
def initrd_of_xz_that_unfolds_without_end(folder: Path, outside: Path) -> list[Path]:
    packer = lzma.LZMACompressor(format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, preset=0)
    packed = b"".join(packer.compress(bytes(16 * MIB)) for _ in range(16)) + packer.flush()
    return [linux(folder, {INITRD: packed})]


@source
def initrd_of_zstd_that_unfolds_without_end(folder: Path, outside: Path) -> list[Path]:
    import zstandard

    packer = zstandard.ZstdCompressor(level=1).compressobj()
    packed = b"".join(packer.compress(bytes(16 * MIB)) for _ in range(16)) + packer.flush()
    return [linux(folder, {INITRD: packed})]


@source
def initrd_of_archives_in_a_row_without_end(folder: Path, outside: Path) -> list[Path]:
    trailer = b"070701" + b"00000000" * 11 + b"0000000B" + b"00000000" + b"TRAILER!!!\0"
    return [linux(folder, {INITRD: trailer.ljust(124, b"\0") * 400_000})]


@source
def initrd_with_names_of_gigabytes(folder: Path, outside: Path) -> list[Path]:
    head = (
        b"070701" + b"00000001" + b"000081a4" + b"00000000" * 4 + b"FFFFFFFF" + b"00000000" * 4 + b"FFFFFFFF" + b"0" * 8
    )
    return [linux(folder, {INITRD: head + b"x" * 1000})]


@source
def links_that_lead_out_or_nowhere(folder: Path, outside: Path) -> list[Path]:
    links = {
        "etc/fstab": "/" + "../" * 20 + str(outside),
        "etc/hostname": str(outside),
        "boot/grub/grub.cfg": "grub.cfg",
        "etc/netplan": "../../../../etc",
        "etc/network": "network/network/network",
        INITRD: str(outside),
    }
    return [linux(folder, {}, links=links)]


@source
def fstab_of_many_lines(folder: Path, outside: Path) -> list[Path]:
    return [
        linux(
            folder, {"etc/fstab": b"".join(b"/dev/sda%d /mnt/%d ext4 defaults 0 0\n" % (n, n) for n in range(50_000))}
        )
    ]


@source
def grub_of_one_endless_line(folder: Path, outside: Path) -> list[Path]:
    return [linux(folder, {"boot/grub/grub.cfg": b" linux /vmlinuz " + b"root=/dev/sda1 " * 300_000})]


@source
def netplan_of_a_billion_laughs(folder: Path, outside: Path) -> list[Path]:
    lines = ["a0: &a0 [ha, ha]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    text = "\n".join([*lines, "network: {version: 2, ethernets: {ens192: {addresses: *a11}}}"])
    return [linux(folder, {"etc/netplan/01.yaml": text.encode()})]


@source
def netplan_that_is_nested_without_end(folder: Path, outside: Path) -> list[Path]:
    return [linux(folder, {"etc/netplan/01.yaml": b"[" * 200_000})]


@source
def interfaces_that_include_themselves(folder: Path, outside: Path) -> list[Path]:
    return [
        linux(folder, {"etc/network/interfaces": b"source /etc/network/interfaces\nsource /etc/*/*\nauto ens192\n"})
    ]


@source
def folder_that_holds_itself(folder: Path, outside: Path) -> list[Path]:
    disk = linux(folder, {"etc/network/interfaces.d/x": b"auto ens192\n"})
    commands = "link /etc /etc/netplan\nlink /boot /boot/loader\nlink / /lib/modules/6.1.0-1-amd64/kernel\n"
    subprocess.run(
        ["debugfs", "-w", "-f", "-", f"{disk}?offset={MIB}"],
        input=commands.encode(),
        check=True,
        capture_output=True,
        env={"PATH": "/sbin:/usr/sbin"},
    )
    return [disk]


@source
def file_of_a_size_beyond_everything(folder: Path, outside: Path) -> list[Path]:
    disk = linux(folder, {})
    commands = "sif /etc/fstab size 0x7fffffffffff\nsif /boot/grub/grub.cfg size 0x7fffffffffff\n"
    subprocess.run(
        ["debugfs", "-w", "-f", "-", f"{disk}?offset={MIB}"],
        input=commands.encode(),
        check=True,
        capture_output=True,
        env={"PATH": "/sbin:/usr/sbin"},
    )
    return [disk]


@source
def disk_of_a_size_beyond_everything(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.raw", mbr((0x83, 2048, 0xFFFFF000)), size=1 << 42)]


@source
def file_of_nothing(folder: Path, outside: Path) -> list[Path]:
    return [write(folder / "disk.raw", b"")]


@source
def file_that_never_ends(folder: Path, outside: Path) -> list[Path]:
    os.mkfifo(folder / "disk.raw")
    return [folder / "disk.raw"]
