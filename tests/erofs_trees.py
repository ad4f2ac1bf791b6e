"""Trees for the tests of EROFS: one with everything in it, and random ones."""

import hashlib
import os
import struct
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from jeos.model.tree import Entry, Kind, Tree, order

TIME = 1_700_000_000
UUID = "6d2c1a1e-90a5-4be0-9c0e-3c1f8f5b7a10"

CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)  # cap_net_raw=ep, revision 2


def acl(*entries: tuple[int, int, int]) -> bytes:
    """Return a POSIX ACL as an attribute's value: version 2, then tag, permissions and id of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)


NOBODY = 0xFFFFFFFF
ACCESS = acl((1, 7, NOBODY), (2, 4, 1234), (4, 5, NOBODY), (16, 5, NOBODY), (32, 0, NOBODY))
DEFAULT = acl((1, 7, NOBODY), (4, 5, NOBODY), (32, 0, NOBODY))


@dataclass(frozen=True)
class Sample:
    """A tree, and what its files hold by their digest."""

    tree: Tree
    contents: dict[str, bytes]

    def read(self, entry: Entry) -> bytes:
        return self.contents[entry.digest]


class Maker:
    """Collects entries; every file's digest is computed from its content."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {"": Entry(path="", kind=Kind.DIRECTORY, mtime=TIME)}
        self.contents: dict[str, bytes] = {}

    def add(self, path: str, kind: Kind, **more: object) -> Entry:
        entry = Entry(path=path, kind=kind, **{"mtime": TIME, **more})  # type: ignore[arg-type]
        self.entries[path] = entry
        return entry

    def file(self, path: str, content: bytes, **more: object) -> Entry:
        digest = hashlib.sha256(content).hexdigest()
        self.contents[digest] = content
        return self.add(path, Kind.FILE, size=len(content), digest=digest, **more)

    def link(self, path: str, target: str) -> Entry:
        entry = replace(self.entries[target], path=path, hardlink=target)
        self.entries[path] = entry
        return entry

    def sample(self) -> Sample:
        return Sample(tree=Tree.of(self.entries.values()), contents=self.contents)


def everything() -> Sample:
    """Return a tree with every kind of entry and each edge of the format that a kernel can show."""
    make = Maker()
    for path in ("dev", "empty", "usr", "usr/bin", "usr/share", "usr/share/many", "usr/share/some"):
        make.add(path, Kind.DIRECTORY)
    make.add("tmp", Kind.DIRECTORY, mode=0o1777)
    make.add("shared", Kind.DIRECTORY, mode=0o2775, gid=50, xattrs=(("system.posix_acl_default", DEFAULT),))
    make.file("usr/bin/ping", b"\x7fELF" + bytes(9000), mode=0o755, xattrs=(("security.capability", CAPABILITY),))
    make.file("usr/bin/su", b"suid" * 900, mode=0o4755)
    make.file("shared/acl", b"", mode=0o750, xattrs=(("system.posix_acl_access", ACCESS),))
    make.add("dev/null", Kind.CHARACTER, mode=0o666, device=(1, 3))
    make.add("dev/disk", Kind.BLOCK, mode=0o660, gid=6, device=(259, 0xFABCD))
    make.add("dev/pipe", Kind.FIFO, mode=0o600)
    make.add("dev/socket", Kind.SOCKET, mode=0o755)
    make.add("link", Kind.SYMLINK, mode=0o777, target="./usr//bin/../bin/su")
    make.add("long-link", Kind.SYMLINK, mode=0o777, target="x" * 4095)
    pattern = bytes(index * 7 % 251 for index in range(997))
    for size in (0, 1, 2047, 2048, 2049, 4064, 4095, 4096, 4097, 8192, (1 << 20) - 1, (1 << 20) + 4097):
        make.file(f"usr/share/size-{size}", (pattern * (size // len(pattern) + 1))[:size])
    make.file("usr/share/copy", make.contents[make.entries["usr/share/size-8192"].digest], uid=1)
    make.file("usr/share/owned", b"o", uid=70000, gid=100_000)
    make.file("usr/share/dated", b"d", mtime=TIME - 86400)
    make.file("usr/share/ancient", b"1969", mtime=-1)
    make.file("usr/share/xattrs", b"x", xattrs=tuple((f"user.{n:03}", bytes([n]) * n * 17) for n in range(40)))
    for number in range(3):
        make.file(f"usr/share/note-{number}", b"n", xattrs=(("trusted.t", b"same"), ("user.note", b"same " * 200)))
    make.link("usr/share/z-link", "usr/share/size-4097")
    make.link("empty/null", "dev/null")
    for number in range(3000):
        make.file(f"usr/share/many/{number:x}{'-long' * (number % 40)}", b"", mode=0o600)
    for number in range(100):
        make.file(f"usr/share/some/{number}", b"%d" % number * number)
    make.file("usr/share/" + "n" * 255, b"longest name")
    make.file(os.fsdecode(b"usr/share/\xff\xfe bytes\n\t\x7f"), b"odd name")
    make.file("usr/share/...", b"three dots")
    make.file("usr/share/!before-dot", b"sorts before .")
    return make.sample()


NAMES = (
    st.binary(min_size=1, max_size=12)
    .map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"-"))
    .filter(lambda raw: raw not in (b".", b".."))
    .map(os.fsdecode)
)
LONG_NAMES = st.integers(200, 255).map(lambda length: "l" * length)
SIZES = st.sampled_from((0, 0, 1, 7, 100, 2048, 2049, 4032, 4064, 4095, 4096, 4097, 8191, 8192, 20_000))
IDS = st.sampled_from((0, 0, 0, 1000, 65535, 65536, 1 << 31))
TIMES = st.sampled_from((TIME, TIME, TIME, 0, TIME - 1, 1 << 33))
XATTRS = st.dictionaries(
    st.sampled_from(("user.a", "user.b", "trusted.c", "security.d", "system.posix_acl_access", "user." + "n" * 200)),
    st.sampled_from((b"", b"v", b"value", bytes(100), b"long" * 700)) | st.binary(max_size=20),
    max_size=4,
).map(lambda found: tuple(sorted(found.items())))


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Draw a tree of up to sixty entries of every kind, hard links among them, and contents for its files."""
    make = Maker()
    folders = [""]
    nodes: list[str] = []
    for _ in range(draw(st.integers(0, 60))):
        parent = draw(st.sampled_from(folders))
        name = draw(NAMES | LONG_NAMES)
        path = f"{parent}/{name}" if parent else name
        if path in make.entries:
            continue
        kind = draw(st.sampled_from((*Kind, Kind.FILE, Kind.FILE, Kind.DIRECTORY, None)))
        first = min(nodes, default="")
        if kind is None:
            # A hard link's own entry is the first of its names in tree order, as the reader tells it.
            if nodes and order(make.entries[first]) < order(Entry(path=path, kind=Kind.FILE)):
                make.link(path, first)
            continue
        owner = {"mode": draw(st.integers(0, 0o7777)), "uid": draw(IDS), "gid": draw(IDS), "mtime": draw(TIMES)}
        more = {**owner, "xattrs": draw(XATTRS)}
        if kind is Kind.FILE:
            make.file(path, draw(st.sampled_from((b"a", b"b", b"c"))) * draw(SIZES), **more)
        elif kind is Kind.SYMLINK:
            make.add(path, kind, target=draw(NAMES | st.just("t" * 4095)), **more)
        elif kind in (Kind.CHARACTER, Kind.BLOCK):
            make.add(path, kind, device=(draw(st.integers(0, 4095)), draw(st.integers(0, (1 << 20) - 1))), **more)
        else:
            make.add(path, kind, **more)
        if kind is Kind.DIRECTORY:
            folders.append(path)
        else:
            nodes.append(path)
    return make.sample()
