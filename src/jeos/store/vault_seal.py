"""How a vault's files are sealed: checked by BLAKE3, or encrypted and authenticated by AES-256-GCM.

A *document* is a small file (index, point, lease) that is written as one; a *pack* is sealed chunk by chunk, so that
each can be read alone. `PlainSeal` and `KeyedSeal` have the same methods, and neither reads what the other wrote, so
that nobody can pass an unencrypted file off as one of an encrypted vault.

Every pack has a key of its own (HKDF of the vault's key and the pack's random name), and a chunk's nonce is its
offset in the pack: no pair of key and nonce is ever used twice, and nothing needs to be kept for it.
Sources: NIST SP 800-38D (GCM), RFC 5869 (HKDF), the BLAKE3 specification, section 2.
"""

import os
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Bytes = bytes | bytearray | memoryview

PLAIN_MAGIC = b"jeosdoc1"  # what a document that is only checked begins with
KEYED_MAGIC = b"jeosenc1"  # what an encrypted one begins with
SUM_SIZE = 32  # bytes of BLAKE3
NONCE_SIZE = 12  # bytes, of AES-GCM
TAG_SIZE = 16
KEY_SIZE = 32
PACK_CIPHERS = 64  # of packs that were read last


class SealError(ValueError):
    """The bytes are not what was sealed under this name."""


class Seal(Protocol):
    """What closes and opens the files of a vault."""

    encrypts: bool

    def close(self, name: str, data: bytes) -> bytes:
        """Return a document as it lies in the vault under `name`."""
        ...

    def open(self, name: str, data: bytes) -> bytes:
        """Return the document that lies under `name`. Raises SealError if it is none, or was another's."""
        ...

    def close_chunk(self, pack: bytes, offset: int, chunk_id: bytes, data: Bytes) -> Bytes:
        """Return a packed chunk as it lies at this offset of a pack."""
        ...

    def open_chunk(self, pack: bytes, offset: int, chunk_id: bytes, data: Bytes) -> Bytes:
        """Return the packed chunk that lies at this offset. Raises SealError if it is another."""
        ...


class PlainSeal:
    """Documents with a sum; chunks as they are, because their names are their sums."""

    encrypts = False

    def close(self, name: str, data: bytes) -> bytes:
        """Return the document with its sum, which covers the name too."""
        return PLAIN_MAGIC + data + _sum(name, data)

    def open(self, name: str, data: bytes) -> bytes:
        """Return the document if the sum is right."""
        if data[: len(KEYED_MAGIC)] == KEYED_MAGIC:
            raise SealError("it is encrypted, and the vault is not")
        if data[: len(PLAIN_MAGIC)] != PLAIN_MAGIC or len(data) < len(PLAIN_MAGIC) + SUM_SIZE:
            raise SealError("it does not begin as a document")
        content = data[len(PLAIN_MAGIC) : -SUM_SIZE]
        if _sum(name, content) != data[-SUM_SIZE:]:
            raise SealError("its sum is wrong")
        return content

    def close_chunk(self, pack: bytes, offset: int, chunk_id: bytes, data: Bytes) -> Bytes:
        """Return the packed chunk as it is."""
        return data

    def open_chunk(self, pack: bytes, offset: int, chunk_id: bytes, data: Bytes) -> Bytes:
        """Return the packed chunk as it is."""
        return data


class KeyedSeal:
    """Everything encrypted and authenticated with keys that come from the vault's master key."""

    encrypts = True

    def __init__(self, master: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._master = master
        self._documents = AESGCM(derived(master, b"jeos vault documents"))
        self._cipher = lru_cache(maxsize=PACK_CIPHERS)(self._new_cipher)

    def close(self, name: str, data: bytes) -> bytes:
        """Return the document encrypted, bound to its name."""
        nonce = os.urandom(NONCE_SIZE)
        return KEYED_MAGIC + nonce + self._documents.encrypt(nonce, data, name.encode())

    def open(self, name: str, data: bytes) -> bytes:
        """Return the document decrypted."""
        from cryptography.exceptions import InvalidTag

        start = len(KEYED_MAGIC)
        if data[:start] != KEYED_MAGIC or len(data) < start + NONCE_SIZE + TAG_SIZE:
            raise SealError("it is not encrypted as this vault's files are")
        try:
            return self._documents.decrypt(data[start : start + NONCE_SIZE], data[start + NONCE_SIZE :], name.encode())
        except InvalidTag:
            raise SealError("it was not sealed with this vault's key, or was changed") from None

    def close_chunk(self, pack: bytes, offset: int, chunk_id: bytes, data: Bytes) -> Bytes:
        """Return the packed chunk encrypted, bound to its name and place."""
        return self._cipher(pack).encrypt(_nonce(offset), data, chunk_id)

    def open_chunk(self, pack: bytes, offset: int, chunk_id: bytes, data: Bytes) -> Bytes:
        """Return the packed chunk decrypted."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher(pack).decrypt(_nonce(offset), data, chunk_id)
        except InvalidTag:
            raise SealError("it was not sealed with this vault's key, or was changed") from None

    def _new_cipher(self, pack: bytes) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(derived(self._master, b"jeos vault pack " + pack))


def derived(master: bytes, purpose: bytes) -> bytes:
    """Return the key for one purpose."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=None, info=purpose).derive(master)


def _nonce(offset: int) -> bytes:
    return struct.pack(">4xQ", offset)


def _sum(name: str, data: bytes) -> bytes:
    from blake3 import blake3

    hasher = blake3(name.encode() + b"\0")
    hasher.update(data)
    return hasher.digest()
