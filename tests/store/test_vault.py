"""A vault: what is written comes back, checked; on every place, plain and encrypted."""

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jeos.channel import serve
from jeos.core.errors import InputError, StoreError, TrustError, UsageError
from jeos.store import vault_keys
from jeos.store.base import DamagedObjectError, MissingObjectError
from jeos.store.places.address import open_place
from jeos.store.places.folder import FolderPlace
from jeos.store.places.memory import MemoryPlace
from jeos.store.places.place import Place
from jeos.store.vault import HEADER, Vault, read_header
from jeos.store.vault_errors import DamagedFileError, ReadOnlyVaultError

CHUNK = 64 << 10
POINT = "web01/2026-11-28T20-15-03Z-9c1f"


@pytest.fixture(params=[None, "correct horse"], ids=["plain", "encrypted"])
def vault(request: pytest.FixtureRequest, place: Place) -> Vault:
    return Vault.create(place, passphrase=request.param)


def chunks(count: int, *, seed: int = 1) -> list[bytes]:
    """Return chunks, every other of which can be compressed."""
    source = random.Random(seed)
    return [source.randbytes(CHUNK) if number % 2 else source.randbytes(64) * 1024 for number in range(count)]


def again(vault: Vault) -> Vault:
    return Vault.open(vault.place, secret="correct horse")


def write(vault: Vault, data: list[bytes], *, point: str = POINT) -> list[bytes]:
    with vault.session() as session:
        ids = [session.write(one) for one in data]
        session.commit_point(point, b"".join(ids))
    return ids


def flip(place: MemoryPlace, name: str, at: int) -> None:
    data = bytearray(place.files[name])
    data[at] ^= 1
    place.files[name] = bytes(data)


def test_packs_that_share_their_buffers_hold_what_was_written(vault: Vault) -> None:
    """Five packs, one of them longer than its buffer, each filled where one before it was."""
    source = random.Random(2)
    data = [source.randbytes(1 << 20) for _ in range(60)]
    data.insert(30, source.randbytes(16 << 20))
    ids = write(vault, data)
    opened = again(vault)
    assert opened.read_many(ids) == data


def test_vault_gives_back_what_was_written(vault: Vault) -> None:
    data = [*chunks(40), b"", b"short", bytes(CHUNK)]
    ids = write(vault, data)
    opened = again(vault)
    assert opened.encrypted == vault.encrypted
    assert opened.points() == [POINT]
    assert opened.read_point(POINT) == b"".join(ids)
    assert [opened.read(chunk_id) for chunk_id in ids] == data
    assert opened.read_many(ids[::-1]) == data[::-1]
    assert [opened.has(ids[3]), opened.has(bytes(32))] == [True, False]


def test_session_stores_only_what_is_new(vault: Vault) -> None:
    data = chunks(20)
    with vault.session() as session:
        ids = [session.write(one) for one in [*data, *data]]
        assert (session.new_chunks, ids[:20]) == (20, ids[20:])
        assert [session.name(one) for one in data] == ids[:20]
    with again(vault).session() as session:
        more = [session.write(one) for one in [*data, b"one more"]]
        assert (session.new_chunks, session.has(more[-1])) == (1, True)
        assert session.holds(more)


def test_session_takes_chunks_from_many_threads(vault: Vault) -> None:
    data = chunks(60)
    ids: dict[int, list[bytes]] = {}
    with vault.session() as session:

        def run(number: int) -> None:
            ids[number] = [session.write(one) for one in data]

        threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        session.commit_point(POINT, b"")
        assert session.new_chunks == 60
    assert again(vault).read_many(ids[0]) == data


def test_pack_is_closed_when_it_is_full(tmp_path: Path) -> None:
    vault = Vault.create(FolderPlace(tmp_path))
    source = random.Random(2)
    data = [source.randbytes(1 << 20) for _ in range(40)]
    ids = write(vault, data)
    sizes = sorted(path.stat().st_size >> 20 for path in tmp_path.glob("packs/*/*"))
    assert sizes == [4, 12, 12, 12]
    assert again(vault).read_many(ids) == data


def test_session_that_fails_leaves_no_point_and_no_lease(vault: Vault) -> None:
    with pytest.raises(ZeroDivisionError), vault.session() as session:
        chunk_id = session.write(b"kept for the next")
        raise ZeroDivisionError
    opened = again(vault)
    assert opened.points() == []
    assert [found.name for found in opened.files.found("leases/")] == []
    with opened.session() as session:  # what was stored is not sent again
        assert session.write(b"kept for the next") == chunk_id
        assert session.new_chunks == 0


def test_point_is_never_replaced(vault: Vault) -> None:
    write(vault, [b"1"])
    with pytest.raises(StoreError, match="there is a point web01/"):
        write(vault, [b"2"])
    assert vault.read_point(POINT) == again(vault).read_point(POINT)
    vault.delete_point(POINT)
    vault.delete_point(POINT)
    assert again(vault).points() == []
    with pytest.raises(UsageError, match="there is no point"):
        vault.read_point(POINT)


@pytest.mark.parametrize("name", ["web01", "../x/y", "a/b/c", "", "a/../b", ".a/b"])
def test_point_with_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    vault = Vault.create(MemoryPlace())
    with pytest.raises(InputError), vault.session() as session:
        session.commit_point(name, b"")
    with pytest.raises(InputError):
        vault.read_point(name)


def test_missing_chunk_is_said(vault: Vault) -> None:
    write(vault, [b"1"])
    with pytest.raises(MissingObjectError, match="jeos backup verify"):
        again(vault).read(bytes(32))


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_every_flipped_bit_of_a_file_is_found(passphrase: str | None) -> None:
    place = MemoryPlace()
    data = [b"a chunk" * 20, os.urandom(30)]
    vault = Vault.create(place, passphrase=passphrase)
    ids = write(vault, data)
    sound = dict(place.files)
    for name in sorted(sound):
        if name.startswith(("packs/", "index/", "points/")):
            for at in range(len(sound[name])):
                flip(place, name, at)
                assert _read_all(vault, ids) != [b"".join(ids), *data] or name.startswith("packs/"), (name, at)
                place.files = dict(sound)


def _read_all(vault: Vault, ids: list[bytes]) -> list[bytes]:
    opened = Vault(vault.place, read_header(vault.place), vault.files.seal)
    try:
        return [opened.read_point(POINT), *opened.read_many(ids)]
    except (DamagedFileError, DamagedObjectError, MissingObjectError):
        return []


def test_chunk_with_a_flipped_bit_is_never_given() -> None:
    place = MemoryPlace()
    vault = Vault.create(place)
    ids = write(vault, [os.urandom(1000)])
    pack = next(name for name in place.files if name.startswith("packs/"))
    flip(place, pack, 500)
    with pytest.raises(DamagedObjectError, match="another hash"):
        again(vault).read(ids[0])
    place.files[pack] = place.files[pack][:400]
    with pytest.raises(DamagedObjectError, match="ends 608 bytes too early"):
        again(vault).read(ids[0])
    del place.files[pack]
    with pytest.raises(MissingObjectError):
        again(vault).read(ids[0])


def test_chunks_of_an_encrypted_vault_cannot_be_exchanged() -> None:
    place = MemoryPlace()
    vault = Vault.create(place, passphrase="correct horse")
    first, second = write(vault, [b"pay 1", b"pay 9"])
    pack = next(name for name in place.files if name.startswith("packs/"))
    one, other = (next(vault.chunks.reload().find(chunk_id)) for chunk_id in (first, second))
    data = bytearray(place.files[pack])
    data[one.offset : one.end], data[other.offset : other.end] = (
        data[other.offset : other.end],
        data[one.offset : one.end],
    )
    place.files[pack] = bytes(data)
    with pytest.raises(DamagedObjectError, match="not sealed with this vault's key"):
        again(vault).read(first)


def test_encrypted_vault_shows_nothing_of_what_it_holds() -> None:
    place = MemoryPlace()
    vault = Vault.create(place, passphrase="correct horse")
    secret = b"the secret of the house " * 40
    ids = write(vault, [secret])
    everything = b"".join(place.files.values())
    assert [word for word in (secret[:24], ids[0], ids[0].hex().encode()) if word in everything] == []


def test_unencrypted_file_is_refused_by_an_encrypted_vault() -> None:
    plain, sealed = MemoryPlace(), MemoryPlace()
    write(Vault.create(plain), [b"1"])
    vault = Vault.create(sealed, passphrase="correct horse")
    sealed.files[f"points/{POINT}"] = plain.files[f"points/{POINT}"]
    with pytest.raises(DamagedFileError, match="not encrypted as this vault's files are"):
        vault.read_point(POINT)


def test_passphrase_that_is_wrong_opens_nothing() -> None:
    vault = Vault.create(MemoryPlace(), passphrase="correct horse")
    asked = []

    def ask(wrong: int) -> str:
        asked.append(wrong)
        return "battery staple"

    with pytest.raises(TrustError, match="no passphrase opened it"):
        Vault.open(vault.place, secret=ask)
    assert asked == [0, 1, 2]
    with pytest.raises(TrustError):
        Vault.open(vault.place)


def test_recovery_key_opens_the_vault_without_any_passphrase() -> None:
    place = MemoryPlace()
    vault = Vault.create(place, passphrase="correct horse")
    ids = write(vault, [b"1"])
    assert vault.master is not None
    text = vault_keys.recovery(vault.master)
    for name in [name for name in place.files if name.startswith("keys/")]:
        del place.files[name]
    assert Vault.open(place, secret=f" {text.upper()}\n").read(ids[0]) == b"1"
    slipped = text[:-1] + ("a" if text[-1] != "a" else "b")
    with pytest.raises(InputError, match="not as it was written down"):
        Vault.open(place, secret=slipped)
    other = Vault.create(MemoryPlace(), passphrase="x")
    with pytest.raises(TrustError, match="key of another vault"):
        Vault.open(other.place, secret=text)


def test_key_file_that_asks_for_all_memory_is_refused() -> None:
    place = MemoryPlace()
    Vault.create(place, passphrase="correct horse")
    name = next(name for name in place.files if name.startswith("keys/"))
    place.files[name] = place.files[name].replace(b'"n": 256', b'"n": 1073741824')
    with pytest.raises(DamagedFileError, match="it asks for scrypt with n=1073741824"):
        Vault.open(place, secret="correct horse")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(b"jeos-vault-1", b"jeos-vault-9"), "install a newer jeos"),
        (lambda text: text[:-9], "no vault's header"),
        (lambda text: b"[" * 100_000, "no vault's header"),
        (lambda text: b"[]", "no vault's header"),
    ],
)
def test_header_that_is_not_ours_is_refused(change: Callable[[bytes], bytes], said: str) -> None:
    place = MemoryPlace()
    Vault.create(place)
    place.files[HEADER] = change(place.files[HEADER])
    with pytest.raises(StoreError) as caught:
        Vault.open(place)
    assert said in str(caught.value)


def test_vault_is_not_made_twice_and_not_found_where_none_is() -> None:
    place = MemoryPlace()
    with pytest.raises(UsageError, match="there are no backups at memory"):
        Vault.open(place)
    Vault.create(place)
    with pytest.raises(UsageError, match="there is a vault at memory already"):
        Vault.create(place)


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_vault_behind_a_web_server_can_be_read_and_not_written(tmp_path: Path, passphrase: str | None) -> None:
    data = chunks(10)
    ids = write(Vault.create(FolderPlace(tmp_path), passphrase=passphrase), data)
    server = serve.make_server(tmp_path, host="127.0.0.1", port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        vault = Vault.open(open_place(serve.address_of(server)), secret="correct horse")
        assert vault.points() == [POINT]
        assert vault.read_point(POINT) == b"".join(ids)
        assert vault.read_many(ids) == data
        with pytest.raises(ReadOnlyVaultError), vault.session():
            pass
    finally:
        server.shutdown()
        server.server_close()
