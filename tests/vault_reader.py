"""A reader of vaults that shares no code with jeos: written from docs/reference/vault.md alone.

VaultReader(folder, passphrase="…").disk("web01/2026-…", 0)       # the bytes of a disk
"""

import base64
import hashlib
import json
import struct
from pathlib import Path

import zstandard
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CHUNK, PER_SEGMENT = 64 << 10, 1024
Place = tuple[bytes, int, int]  # pack, offset, stored length with the highest bit for zstd


class VaultReader:
    """A vault in a folder; the chunks are found by the indexes, or by the packs' own directories."""

    def __init__(self, folder: Path, *, passphrase: str = "", recovery: str = "", by_directories: bool = False) -> None:
        self.folder = folder
        header = json.loads((folder / "vault.json").read_text())
        assert header["format"] == "jeos-vault-1"
        self.encrypted = header["encryption"] == "aes-256-gcm"
        self.master = b""
        if self.encrypted:
            self.master = recovered(recovery) if recovery else self.unlocked(passphrase)
            assert self.derived(b"jeos vault fingerprint")[:8].hex() == header["key"]
        self.places = dict(self.from_directories() if by_directories else self.from_indexes())

    def unlocked(self, passphrase: str) -> bytes:
        for name in (self.folder / "keys/names").read_text().split():
            key = json.loads((self.folder / f"keys/{name}.json").read_text())
            terms = key["scrypt"]
            stretched = hashlib.scrypt(
                passphrase.encode(),
                salt=bytes.fromhex(terms["salt"]),
                n=terms["n"],
                r=terms["r"],
                p=terms["p"],
                dklen=32,
                maxmem=1 << 30,
            )
            return AESGCM(stretched).decrypt(bytes(12), bytes.fromhex(key["sealed"]), f"jeos vault key {name}".encode())
        raise AssertionError("no key")

    def derived(self, info: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self.master)

    def document(self, name: str, data: bytes | None = None) -> bytes:
        data = (self.folder / name).read_bytes() if data is None else data
        if self.encrypted:
            assert data[:8] == b"jeosenc1"
            return AESGCM(self.derived(b"jeos vault documents")).decrypt(data[8:20], data[20:], name.encode())
        assert data[:8] == b"jeosdoc1"
        assert blake3(name.encode() + b"\0" + data[8:-32]).digest() == data[-32:]
        return data[8:-32]

    def from_indexes(self) -> list[tuple[bytes, Place]]:
        found = []
        for path in (self.folder / "index").iterdir():
            table = self.document(f"index/{path.name}")
            for chunk_id, pack, offset, length in struct.iter_unpack(">32s12sII", table):
                if (self.folder / pack_name(pack)).exists():
                    found.append((chunk_id, (pack, offset, length)))
        return found

    def from_directories(self) -> list[tuple[bytes, Place]]:
        found = []
        for path in self.folder.glob("packs/*/*"):
            data, pack = path.read_bytes(), bytes.fromhex(path.name)
            length, end = struct.unpack(">I8s", data[-12:])
            assert (data[:8], end) == (b"jeospk1\n", b"jeosend\n")
            directory = self.document(pack_name(pack), data[-12 - length : -12])
            found += [(one[0], (pack, one[1], one[2])) for one in struct.iter_unpack(">32sII", directory)]
        return found

    def chunk(self, chunk_id: bytes) -> bytes:
        pack, offset, length = self.places[chunk_id]
        with (self.folder / pack_name(pack)).open("rb") as file:
            file.seek(offset)
            data = file.read(length & 0x7FFFFFFF)
        if self.encrypted:
            key = self.derived(b"jeos vault pack " + pack)
            data = AESGCM(key).decrypt(offset.to_bytes(12, "big"), data, chunk_id)
        if length >> 31:
            data = zstandard.ZstdDecompressor().decompress(data)
        assert blake3(data).digest() == chunk_id
        return data

    def disk(self, point: str, number: int) -> bytes:
        disk = json.loads(self.document(f"points/{point}"))["disks"][number]
        content = bytearray(disk["size"])
        at = 0
        for run in disk["segments"]:
            if isinstance(run, int):
                at += run * PER_SEGMENT
                continue
            for chunk_number, chunk_id in enumerate(self.segment(bytes.fromhex(run))):
                if any(chunk_id):
                    start = (at + chunk_number) * CHUNK
                    data = self.chunk(chunk_id)
                    content[start : start + len(data)] = data
            at += PER_SEGMENT
        assert len(content) == disk["size"]
        return bytes(content)

    def segment(self, segment_id: bytes) -> list[bytes]:
        data = self.chunk(segment_id)
        if data[:8] == b"jeos-seg":
            return [data[at : at + 32] for at in range(8, len(data), 32)]
        assert data[:8] == b"jeos-dif"
        ids = self.segment(data[8:40])
        for number, chunk_id in struct.iter_unpack(">H32s", data[40:]):
            ids[number] = chunk_id
        return ids


def pack_name(pack: bytes) -> str:
    return f"packs/{pack[:1].hex()}/{pack.hex()}"


def recovered(text: str) -> bytes:
    letters = text.removeprefix("jeos-vault-").replace("-", "").upper()
    data = base64.b32decode(letters + "=" * (-len(letters) % 8))
    assert hashlib.sha256(data[:32]).digest()[:3] == data[32:]
    return data[:32]
