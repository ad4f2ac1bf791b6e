"""Promoting, withdrawing, refreshing and retiring, over folders and buckets."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import s3_server
from channel_builds import listed
from channel_keys import NOW, Vendor, vendor
from jeos.channel import catalogue, layout, metadata, retire
from jeos.channel.backend import Backend, BusyChannelError
from jeos.channel.catalogue import Terms
from jeos.channel.change import changing, promote, refresh, withdraw
from jeos.channel.folder import FolderBackend
from jeos.channel.objects import ObjectBackend
from jeos.core.errors import InputError
from jeos.model import release as releases
from jeos.model.release import Blob, Patch, Release, System
from jeos.store.places.place import ChangedFileError
from jeos.trust.client import Client
from jeos.trust.errors import ExpiredError, SignatureError

DAY = 86400
UUID = "6b7f0c1e-0000-4000-8000-0000000abcde"


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, str]]:
    with s3_server.bucket() as found:
        yield found


@pytest.fixture(params=["folder", "objects"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "folder":
        return FolderBackend(tmp_path / "channel")
    settings: dict[str, str] = request.getfixturevalue("settings")
    return ObjectBackend(f"s3://{s3_server.NAME}/{tmp_path.name}", **settings)


@pytest.fixture
def made() -> Vendor:
    return vendor()


def put_blob(backend: Backend, data: bytes) -> Blob:
    digest = hashlib.sha256(data).hexdigest()
    backend.put_new(layout.blob_name(digest), data)
    return Blob(digest, len(data))


def offer(backend: Backend, made: Vendor, version: str, *, patches: tuple[Patch, ...] = (), **terms: object) -> Release:
    """Publish a release of made-up blobs."""
    root_hash = hashlib.sha256(version.encode()).hexdigest()
    release = Release(
        name="hello",
        version=version,
        architecture="amd64",
        date=int(NOW),
        root_hash=root_hash,
        system=System(4096, UUID, "hello", int(NOW), 4096, UUID, "00"),
        kernel=put_blob(backend, b"kernel"),
        index=put_blob(backend, b"index " + version.encode()),
        packs=(put_blob(backend, b"pack " + version.encode()),),
        patches=patches,
    )
    with changing(backend, keys=made.keys()) as repository:
        custom = catalogue.custom_of(catalogue.changed(Terms(version=version, date=int(NOW)), **terms))  # type: ignore[arg-type]
        path = layout.release_path("hello", version)
        repository.add_target(path, releases.dump(release), custom=custom)
    return release


def seen(backend: Backend, made: Vendor, folder: Path) -> dict[str, Terms]:
    """Return what a client of the channel sees, by version."""
    client = Client(str(folder), root=made.roots[0], fetch=metadata.fetcher(backend), now=made.clock)
    client.refresh()
    return {one.version: one.terms for one in catalogue.catalogue(backend, client.targets())}


def test_promote_offers_a_release_to_others(backend: Backend, made: Vendor, tmp_path: Path) -> None:
    offer(backend, made, "1.0")
    offer(backend, made, "1.1", ring="beta", percent=10)
    found = promote(backend, "1.1", keys=made.keys(), ring="stable", percent=25, critical=True)
    wanted = Terms(version="1.1", date=int(NOW), ring="stable", percent=25, critical=True)
    assert found.terms == wanted
    assert seen(backend, made, tmp_path / "client") == {"1.1": wanted, "1.0": Terms(version="1.0", date=int(NOW))}


def test_withdraw_and_take_it_back(backend: Backend, made: Vendor, tmp_path: Path) -> None:
    offer(backend, made, "1.0")
    withdraw(backend, "1.0", keys=made.keys())
    assert seen(backend, made, tmp_path / "client")["1.0"].withdrawn
    with pytest.raises(InputError, match=r"1\.0 has been withdrawn"):
        promote(backend, "1.0", keys=made.keys(), percent=100)
    withdraw(backend, "1.0", keys=made.keys(), undo=True)
    assert not seen(backend, made, tmp_path / "client")["1.0"].withdrawn


def test_change_names_the_releases_that_there_are(backend: Backend, made: Vendor) -> None:
    offer(backend, made, "1.0")
    offer(backend, made, "1.10")
    for act in (promote, withdraw):
        with pytest.raises(InputError, match=r"the channel has no release 2.0\nhint: it lists 1\.10, 1\.0"):
            act(backend, "2.0", keys=made.keys())


@pytest.mark.parametrize(
    "values", [{"ring": "No Ring"}, {"ring": ""}, {"percent": 101}, {"percent": -1}, {"percent": 2.5}]
)
def test_promote_refuses_terms_that_are_none(made: Vendor, tmp_path: Path, values: dict[str, object]) -> None:
    backend = FolderBackend(tmp_path)
    offer(backend, made, "1.0")
    before = backend.get(layout.TIMESTAMP)
    with pytest.raises(InputError, match=r"is no (ring|percentage)"):
        promote(backend, "1.0", keys=made.keys(), **values)  # type: ignore[arg-type]
    assert backend.get(layout.TIMESTAMP) == before


def test_change_without_the_targets_key_changes_nothing(backend: Backend, made: Vendor) -> None:
    offer(backend, made, "1.0")
    before = {found.name for found in backend.list()}
    with pytest.raises(SignatureError, match="the targets metadata needs 1 signature"):
        promote(backend, "1.0", keys=made.keys(without=("targets",)), percent=50)
    assert {found.name for found in backend.list()} == before


def test_change_waits_for_nobody_who_changes_the_channel(backend: Backend, made: Vendor) -> None:
    offer(backend, made, "1.0")
    with backend.lock(), pytest.raises(BusyChannelError, match="is being changed by"):
        promote(backend, "1.0", keys=made.keys(), percent=50)


def test_change_loses_to_one_that_got_past_the_lock(backend: Backend, made: Vendor, tmp_path: Path) -> None:
    offer(backend, made, "1.0")
    repository = metadata.open_repository(backend, roots=made.roots)
    promote(backend, "1.0", keys=made.keys(), percent=50)
    path = layout.release_path("hello", "1.0")
    repository.set_custom(path, catalogue.custom_of(Terms(version="1.0", date=0, percent=1)))
    with pytest.raises(ChangedFileError):
        repository.commit(made.keys().signers, now=NOW)
    assert seen(backend, made, tmp_path / "client")["1.0"].percent == 50


def test_refresh_needs_only_the_online_keys(backend: Backend, made: Vendor, tmp_path: Path) -> None:
    offer(backend, made, "1.0")
    online = made.keys(without=("root", "targets"))
    for _ in range(4):
        made.clock.time += 25 * DAY
        assert refresh(backend, keys=online) > made.clock.time + 29 * DAY
        assert set(seen(backend, made, tmp_path / "client")) == {"1.0"}


def test_refresh_brings_a_forgotten_channel_back(made: Vendor, tmp_path: Path) -> None:
    backend = FolderBackend(tmp_path / "channel")
    offer(backend, made, "1.0")
    made.clock.time += 100 * DAY
    with pytest.raises(ExpiredError):
        seen(backend, made, tmp_path / "client")
    refresh(backend, keys=made.keys(without=("root", "targets")))
    assert set(seen(backend, made, tmp_path / "client")) == {"1.0"}


def test_refresh_warns_that_the_list_of_releases_ends(
    made: Vendor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    backend = FolderBackend(tmp_path)
    offer(backend, made, "1.0")
    end = NOW + 365 * DAY
    made.clock.time = end - 10 * DAY
    assert refresh(backend, keys=made.keys(without=("root", "targets"))) == end
    said = f"the channel is only fresh until {time.strftime('%Y-%m-%d', time.gmtime(end))}"
    assert said in capfd.readouterr().err


def test_refresh_of_no_channel_makes_none(made: Vendor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no channel at"):
        refresh(FolderBackend(tmp_path), keys=made.keys())
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_retire_deletes_after_the_grace_what_nobody_needs(backend: Backend, made: Vendor, tmp_path: Path) -> None:
    old = offer(backend, made, "1.0")
    new = offer(backend, made, "1.1", patches=(Patch(old.root_hash, "1.0", put_blob(backend, b"patch")),))
    promote(backend, "1.1", keys=made.keys(), percent=100)  # leaves metadata behind that is not needed any more
    done = retire.retire(backend, keys=made.keys(), versions=["1.0"], grace=DAY)
    assert (done.releases, done.deleted) == (("1.0",), 0)
    assert seen(backend, made, tmp_path / "client").keys() == {"1.1"}
    for blob in old.blobs:  # readers in the middle
        assert backend.stat(layout.blob_name(blob.sha256)) is not None
    made.clock.time += DAY
    done = retire.retire(backend, keys=made.keys(), grace=DAY)
    assert (done.releases, done.waiting) == ((), 0)
    stored = {name for name in (found.name for found in backend.list()) if not name.startswith(layout.METADATA)}
    found = catalogue.catalogue(backend, metadata.look(backend, roots=made.roots).targets())
    assert stored == {
        retire.NOTES,
        layout.target_name(found[0].path, found[0].sha256),
        *(layout.blob_name(blob.sha256) for blob in new.blobs),
    }
    assert {found.name for found in backend.list(layout.METADATA)} == {
        "metadata/1.root.json",
        *metadata.stored_names(backend),
    }
    assert seen(backend, made, tmp_path / "another").keys() == {"1.1"}


def test_retire_only_says_what_it_would_do(backend: Backend, made: Vendor) -> None:
    for version in ("1.0", "1.1"):
        offer(backend, made, version)
    before = {found.name: found.tag for found in backend.list()}
    done = retire.retire(backend, keys=made.keys(), keep=1, grace=0, dry_run=True)
    assert done.releases == ("1.0",)
    assert done.deleted > 0
    assert {found.name: found.tag for found in backend.list()} == before


def test_retire_keeps_what_a_cut_off_publishing_has_written(backend: Backend, made: Vendor) -> None:
    offer(backend, made, "1.0")
    blob = put_blob(backend, b"a pack of 1.1")
    note = {"steps": {"pack": [[blob.sha256, blob.length]]}}
    backend.put("work/hello_1.1.json", json.dumps(note).encode())
    made.clock.time = time.time()  # that of the file's writing
    retire.retire(backend, keys=made.keys(), grace=0)
    assert backend.stat(layout.blob_name(blob.sha256)) is not None
    made.clock.time += 8 * DAY
    retire.retire(backend, keys=made.keys(), grace=0)
    assert backend.stat(layout.blob_name(blob.sha256)) is None
    assert backend.stat("work/hello_1.1.json") is None


def test_retire_leaves_a_release(made: Vendor, tmp_path: Path) -> None:
    backend = FolderBackend(tmp_path)
    offer(backend, made, "1.0")
    with pytest.raises(InputError, match="no release would be left"):
        retire.retire(backend, keys=made.keys(), versions=["1.0"])


def test_too_old_counts_what_was_withdrawn_as_nothing() -> None:
    found = [listed("4"), listed("3", withdrawn=True), listed("2"), listed("1")]
    assert [one.version for one in retire.too_old(found, keep=2)] == ["1"]
    assert [one.version for one in retire.too_old(found, keep=1)] == ["3", "2", "1"]


def test_too_old_spares_the_newest_that_everybody_may_have() -> None:
    found = [listed("4", ring="beta"), listed("3", percent=5), listed("2"), listed("1")]
    assert [one.version for one in retire.too_old(found, keep=1)] == ["3", "1"]


def test_terms_ignore_what_is_unknown_and_refuse_what_is_wrong() -> None:
    terms = Terms(version="1.0", date=5, percent=12)
    assert catalogue.terms_of({**catalogue.custom_of(terms), "later": 1}) == terms
    for wrong in ({"version": "1.0"}, {"version": 1, "date": 5}, {"version": "1", "date": 5, "percent": True}):
        with pytest.raises(InputError):
            catalogue.terms_of(wrong)


@pytest.mark.parametrize("name", ["index.html", "other/metadata/timestamp.json", "photos/1.xz", "data/ab/notes.txt"])
def test_retire_leaves_what_is_not_of_the_channel(backend: Backend, made: Vendor, name: str) -> None:
    offer(backend, made, "1.0")
    backend.put(name, b"somebody else's")
    retire.retire(backend, keys=made.keys(), grace=0)
    assert backend.stat(name) is not None


def test_retire_where_there_is_no_channel_deletes_nothing(made: Vendor, tmp_path: Path) -> None:
    (tmp_path / "thesis.xz").write_bytes(b"years of work")
    with pytest.raises(InputError, match="there is no channel"):
        retire.retire(FolderBackend(tmp_path), keys=made.keys(), grace=0)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["thesis.xz"]
