"""dm-verity hash trees, checked by veritysetup and by ourselves."""

import io
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError, TrustError
from jeos.disk.verity import BLOCK, Superblock, tree_size, verify, write_tree

SALT = bytes(range(32))
UUID = "2f1a7f0e-7d4b-4c39-9f5c-0123456789ab"
# One block (no level at all), two, a full hash block, one more, and three levels.
SIZES = [1, 2, 128, 129, 128 * 128 + 1]


def data_of(blocks: int) -> bytes:
    return random.Random(blocks).randbytes(BLOCK) * (blocks - 1) + random.Random(-blocks).randbytes(BLOCK)


def made(data: bytes, *, salt: bytes = SALT) -> tuple[bytes, str]:
    out = io.BytesIO()
    root_hash = write_tree(io.BytesIO(data), size=len(data), out=out, salt=salt, uuid=UUID)
    return out.getvalue(), root_hash


def veritysetup(action: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/sbin/veritysetup", action, *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("blocks", SIZES)
@pytest.mark.parametrize("salt", [SALT, b"", bytes(256)], ids=["salt", "no-salt", "longest-salt"])
def test_tree_is_what_veritysetup_formats(tmp_path: Path, blocks: int, salt: bytes) -> None:
    data, theirs = tmp_path / "data", tmp_path / "theirs"
    data.write_bytes(data_of(blocks))
    done = veritysetup("format", f"--salt={salt.hex() or '-'}", f"--uuid={UUID}", data, theirs)
    assert done.returncode == 0, done.stderr
    hashes, root_hash = made(data.read_bytes(), salt=salt)
    assert hashes == theirs.read_bytes()
    assert f"Root hash:      \t{root_hash}\n" in done.stdout
    assert len(hashes) == tree_size(blocks * BLOCK)


@pytest.mark.parametrize("blocks", SIZES)
def test_tree_passes_veritysetup_verify_and_a_flipped_bit_does_not(tmp_path: Path, blocks: int) -> None:
    data, hashes = tmp_path / "data", tmp_path / "hashes"
    content = bytearray(data_of(blocks))
    data.write_bytes(content)
    with hashes.open("wb") as out:
        root_hash = write_tree(data, size=len(content), out=out, salt=SALT, uuid=UUID)
    assert veritysetup("verify", data, hashes, root_hash).returncode == 0
    assert verify(data, hashes, root_hash=root_hash) == Superblock(uuid=UUID, size=len(content), salt=SALT)
    content[-1] ^= 0x10
    data.write_bytes(content)
    assert veritysetup("verify", data, hashes, root_hash).returncode != 0
    with pytest.raises(TrustError):
        verify(data, hashes, root_hash=root_hash)


def test_verify_names_the_block_of_a_flipped_bit() -> None:
    data = bytearray(data_of(300))
    hashes, root_hash = made(bytes(data))
    data[257 * BLOCK + 77] ^= 1
    with pytest.raises(TrustError) as caught:
        verify(io.BytesIO(data), io.BytesIO(hashes), root_hash=root_hash)
    assert str(caught.value) == "block 257 of the data does not have the digest that was stored for it"


def test_verify_finds_a_flipped_bit_anywhere_in_the_tree() -> None:
    data = data_of(300)
    hashes, root_hash = made(data)
    for offset in range(BLOCK, len(hashes), 509):
        changed = bytearray(hashes)
        changed[offset] ^= 0x80
        with pytest.raises(TrustError):
            verify(io.BytesIO(data), io.BytesIO(changed), root_hash=root_hash)


def test_verify_with_another_root_hash_says_both() -> None:
    data = data_of(2)
    hashes, root_hash = made(data)
    with pytest.raises(TrustError) as caught:
        verify(io.BytesIO(data), io.BytesIO(hashes), root_hash="0" * 64)
    assert str(caught.value) == f"the data has the root hash {root_hash}, not {'0' * 64}"


def test_verify_of_short_data_and_short_hashes_fails() -> None:
    data = data_of(300)
    hashes, root_hash = made(data)
    with pytest.raises(InputError, match="ends 4096 bytes before the 1228800"):
        verify(io.BytesIO(data[:-BLOCK]), io.BytesIO(hashes), root_hash=root_hash)
    with pytest.raises(InputError, match="the hash file ends before"):
        verify(io.BytesIO(data), io.BytesIO(hashes[:-1]), root_hash=root_hash)


@pytest.mark.parametrize("size", [0, -BLOCK, 1, BLOCK + 512])
def test_tree_of_a_part_of_a_block_is_refused(size: int) -> None:
    with pytest.raises(InputError, match="whole blocks of 4096 bytes"):
        write_tree(io.BytesIO(bytes(BLOCK * 2)), size=size, out=io.BytesIO(), salt=SALT, uuid=UUID)


def test_tree_with_too_long_a_salt_is_refused() -> None:
    with pytest.raises(InputError, match="at most 256 bytes, not 257"):
        write_tree(io.BytesIO(bytes(BLOCK)), size=BLOCK, out=io.BytesIO(), salt=bytes(257), uuid=UUID)


def test_tree_covers_the_asked_bytes_from_where_the_file_stands() -> None:
    data = data_of(5)
    file = io.BytesIO(b"before" + data + b"behind")
    file.seek(6)
    out = io.BytesIO()
    root_hash = write_tree(file, size=len(data), out=out, salt=SALT, uuid=UUID)
    assert (out.getvalue(), root_hash) == made(data)


@pytest.mark.parametrize(
    ("offset", "byte"),
    [(0, b"V"), (8, b"\2"), (12, b"\0"), (32, b"S"), (64, b"\1"), (81, b"\x0f")],
    ids=["signature", "version", "type", "algorithm", "block-size", "salt-length"],
)
def test_superblock_of_another_kind_is_refused(offset: int, byte: bytes) -> None:
    hashes, root_hash = made(data_of(2))
    changed = bytearray(hashes)
    changed[offset : offset + 1] = byte
    with pytest.raises(InputError, match="dm-verity superblock"):
        verify(io.BytesIO(data_of(2)), io.BytesIO(changed), root_hash=root_hash)


@given(st.binary(max_size=600), st.booleans())
def test_superblock_of_any_bytes_parses_or_is_refused(block: bytes, signed: bool) -> None:
    try:
        found = Superblock.parse(b"verity\0\0" + block if signed else block)
    except InputError:
        return
    assert found.size % BLOCK == 0
