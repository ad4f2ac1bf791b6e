"""Publishing: what readers see, what is refused, what is left when it is cut off anywhere, and two at once."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

import channel_builds
import s3_server
from channel_keys import NOW, Vendor, vendor
from jeos.build.outputs import Outputs
from jeos.channel import blobs, built, catalogue, layout, metadata, verify, whole
from jeos.channel.backend import Backend, BusyChannelError
from jeos.channel.catalogue import Terms
from jeos.channel.change import withdraw
from jeos.channel.folder import FolderBackend
from jeos.channel.objects import ObjectBackend
from jeos.channel.publish import Offer, Published, note_name, predecessors, publish
from jeos.channel.retire import retire
from jeos.core.errors import InputError, TrustError
from jeos.store.places.place import GET_LIMIT, ChangedFileError, Found
from jeos.trust.client import Client
from jeos.trust.errors import SignatureError

COMMON = {f"usr/share/{number}": bytes([number]) * 9000 for number in range(20)}
TEXT = b"".join(b"line %d of the program\n" % number for number in range(3000))


PLAIN = Offer()


@pytest.fixture(scope="module")
def made() -> Vendor:
    return vendor()


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


@pytest.fixture(scope="module")
def builds(made: Vendor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outputs]:
    folder = tmp_path_factory.mktemp("builds")
    return {
        version: channel_builds.build(
            folder / version,
            version=version,
            contents={**COMMON, "usr/bin/app": TEXT.replace(b"line 77 ", b"line %s " % version.encode())},
            trust=made.roots[0],
        )
        for version in ("1.0", "1.1", "1.2")
    }


def put(outputs: Outputs, backend: Backend, made: Vendor, tmp_path: Path, offer: Offer = PLAIN) -> Published:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    proved = built.check(outputs.image, folder=outputs.folder)
    return publish(proved, backend, keys=made.keys(), offer=offer, work=work)


def seen(backend: Backend, made: Vendor, folder: Path) -> dict[str, Terms]:
    """Return what a machine with an empty memory sees, by version."""
    client = Client(str(folder), root=made.roots[0], fetch=metadata.fetcher(backend), now=made.clock)
    client.refresh()
    return {one.version: one.terms for one in catalogue.catalogue(backend, client.targets())}


def problems(backend: Backend, made: Vendor, folder: Path) -> list[verify.Problem]:
    folder.mkdir(parents=True)
    return verify.verify(backend, root=made.roots[0], folder=folder, now=NOW).problems


def test_publish_offers_what_verify_finds_to_be_right(
    builds: dict[str, Outputs], backend: Backend, made: Vendor, tmp_path: Path
) -> None:
    first = put(builds["1.0"], backend, made, tmp_path)
    second = put(builds["1.1"], backend, made, tmp_path, Offer(ring="beta", percent=10, critical=True, notes="quick"))
    assert (first.new, second.new) == (True, True)
    date = channel_builds.DATE
    assert seen(backend, made, tmp_path / "client") == {
        "1.1": Terms(version="1.1", date=date, ring="beta", percent=10, critical=True),
        "1.0": Terms(version="1.0", date=date),
    }
    release, image = second.listed.release, builds["1.1"].image
    assert (release.root_hash, release.notes, release.system.size) == (image.root_hash, "quick", image.system_size)
    assert [(patch.version, patch.root_hash) for patch in release.patches] == [("1.0", builds["1.0"].image.root_hash)]
    assert backend.get(layout.blob_name(release.kernel.sha256)) == builds["1.1"].kernel.read_bytes()
    assert problems(backend, made, tmp_path / "verify") == []
    assert [found.name for found in backend.list(layout.WORK)] == []


def test_publish_makes_small_patches_from_five_releases(made: Vendor, tmp_path: Path) -> None:
    backend = FolderBackend(tmp_path / "channel")
    for number in range(7):
        version = f"1.{number}"
        outputs = channel_builds.build(
            tmp_path / version,
            version=version,
            contents={**COMMON, "usr/bin/app": TEXT.replace(b"line 77 ", b"line %s " % version.encode())},
            trust=made.roots[0],
        )
        done = put(outputs, backend, made, tmp_path)
    patches = done.listed.release.patches
    assert [patch.version for patch in patches] == ["1.5", "1.4", "1.3", "1.2", "1.1"]
    assert max(patch.blob.length for patch in patches) < 10_000
    assert problems(backend, made, tmp_path / "verify") == []


def test_publish_again_changes_nothing(
    builds: dict[str, Outputs], backend: Backend, made: Vendor, tmp_path: Path
) -> None:
    put(builds["1.0"], backend, made, tmp_path)
    before = {found.name: found.modified for found in backend.list()}
    again = put(builds["1.0"], backend, made, tmp_path)
    assert not again.new
    assert again.listed.version == "1.0"
    assert {found.name: found.modified for found in backend.list()} == before


def refused(outputs: Outputs, backend: FolderBackend, made: Vendor, tmp_path: Path) -> str:
    """Return why a build is not published; nothing may have been written."""
    before = {found.name: found.modified for found in backend.list()}
    with pytest.raises(InputError) as error:
        put(outputs, backend, made, tmp_path)
    assert {found.name: found.modified for found in backend.list()} == before
    return error.value.message


def test_publish_refuses_what_has_no_place_in_the_channel(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path
) -> None:
    backend = FolderBackend(tmp_path / "channel")
    put(builds["1.1"], backend, made, tmp_path)

    def build(*, version: str, name: str = "hello") -> Outputs:
        return channel_builds.build(
            tmp_path / "build", name=name, version=version, trust=made.roots[0], contents=COMMON
        )

    assert "1.0 is not newer than 1.1" in refused(builds["1.0"], backend, made, tmp_path)
    assert "1.1~rc1 is not newer than 1.1" in refused(build(version="1.1~rc1"), backend, made, tmp_path)
    assert "hello 1.1 was published already, with other content" in refused(
        build(version="1.1"), backend, made, tmp_path
    )
    assert "the channel is that of hello, not of other" in refused(
        build(name="other", version="2.0"), backend, made, tmp_path
    )
    stranger = channel_builds.build(tmp_path / "stranger", version="2.0", trust=vendor().roots[0])
    assert "trusts another root" in refused(stranger, backend, made, tmp_path)
    assert put(builds["1.0"], backend, made, tmp_path, Offer(older=True)).new
    assert set(seen(backend, made, tmp_path / "client")) == {"1.0", "1.1"}


def test_publish_into_the_channel_of_another_vendor_is_refused(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path
) -> None:
    backend = FolderBackend(tmp_path / "channel")
    other = vendor(clock=made.clock)
    put(
        channel_builds.build(tmp_path / "other", trust=other.roots[0], contents=COMMON),
        backend,
        other,
        tmp_path,
    )
    with pytest.raises(TrustError, match="is not signed with the vendor's keys"):
        put(builds["1.1"], backend, made, tmp_path)


def test_publish_without_the_targets_key_writes_nothing(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path
) -> None:
    backend = FolderBackend(tmp_path / "channel")
    put(builds["1.0"], backend, made, tmp_path)
    before = {found.name: found.modified for found in backend.list()}
    proved = built.check(builds["1.1"].image, folder=builds["1.1"].folder)
    with pytest.raises(SignatureError, match="the targets metadata needs 1 signatures, and there are keys for 0"):
        publish(proved, backend, keys=made.keys(without=("targets",)), offer=Offer(), work=tmp_path)
    assert {found.name: found.modified for found in backend.list()} == before


def test_publish_uses_again_what_retire_was_about_to_delete(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path
) -> None:
    backend = FolderBackend(tmp_path / "channel")
    for version in ("1.0", "1.1"):
        put(builds[version], backend, made, tmp_path)
    retire(backend, keys=made.keys(), versions=["1.0"], grace=100)
    put(builds["1.0"], backend, made, tmp_path, Offer(older=True))
    later = vendor(clock=made.clock)
    later.signers, later.roots = made.signers, made.roots
    retire(backend, keys=later.keys(), keep=9, grace=0)
    assert problems(backend, made, tmp_path / "verify") == []


@pytest.mark.parametrize("damaged", ["index", "packs"])
def test_publish_beside_a_damaged_release_stands_alone(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path, damaged: str, capfd: pytest.CaptureFixture[str]
) -> None:
    backend = FolderBackend(tmp_path / "channel")
    old = put(builds["1.0"], backend, made, tmp_path).listed.release
    blob = old.index if damaged == "index" else old.packs[0]
    (tmp_path / "channel" / layout.blob_name(blob.sha256)).write_bytes(b"damaged")
    release = put(builds["1.1"], backend, made, tmp_path).listed.release
    assert release.patches == ()
    assert not set(release.packs) & set(old.packs)
    assert "1.0 in" in capfd.readouterr().err
    assert {problem.what for problem in problems(backend, made, tmp_path / "verify")} == {layout.blob_name(blob.sha256)}


class PowerCutError(Exception):
    """The publisher was killed."""


class Dying:
    """A backend whose user is killed before a write; what is written is written as the backend under it does."""

    def __init__(self, under: Backend, *, writes: int) -> None:
        self.under, self.left = under, writes
        self.place = under.place

    def _count(self) -> None:
        if self.left == 0:
            raise PowerCutError
        self.left -= 1

    def stat(self, name: str) -> Found | None:
        return self.under.stat(name)

    def get(self, name: str, *, offset: int = 0, limit: int = GET_LIMIT) -> bytes:
        return self.under.get(name, offset=offset, limit=limit)

    def put_new(self, name: str, data: bytes | bytearray | memoryview | Path) -> bool:
        self._count()
        return self.under.put_new(name, data)

    def put(self, name: str, data: bytes, *, replaces: str | None = None) -> None:
        assert not layout.is_immutable(name)
        self._count()
        self.under.put(name, data, replaces=replaces)

    def list(self, prefix: str = "") -> Iterator[Found]:
        return self.under.list(prefix)

    def delete(self, name: str) -> None:
        self._count()
        self.under.delete(name)

    def lock(self) -> AbstractContextManager[None]:
        return self.under.lock()


def test_publish_cut_off_before_any_write_is_seen_whole_or_not_and_goes_on(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path
) -> None:
    put(builds["1.0"], FolderBackend(tmp_path / "channel"), made, tmp_path)
    writes = 0
    while True:
        shutil.copytree(tmp_path / "channel", tmp_path / f"channel-{writes}")
        backend = FolderBackend(tmp_path / f"channel-{writes}")
        try:
            put(builds["1.1"], Dying(backend, writes=writes), made, tmp_path, Offer(whole_images=True))
            break
        except PowerCutError:
            pass
        state = seen(backend, made, tmp_path / f"client-{writes}")
        assert set(state) in ({"1.0"}, {"1.0", "1.1"})
        immutable = {found.name: found.modified for found in backend.list() if layout.is_immutable(found.name)}
        put(builds["1.1"], backend, made, tmp_path, Offer(whole_images=True))
        assert set(seen(backend, made, tmp_path / f"again-{writes}")) == {"1.0", "1.1"}
        assert problems(backend, made, tmp_path / f"whole-{writes}") == []
        after = {found.name: found.modified for found in backend.list()}
        assert {name: after[name] for name in immutable} == immutable
        writes += 1
    assert writes > 10


def test_publish_goes_on_with_what_was_done(builds: dict[str, Outputs], made: Vendor, tmp_path: Path) -> None:
    backend = FolderBackend(tmp_path / "channel")
    put(builds["1.0"], backend, made, tmp_path)
    with pytest.raises(PowerCutError):
        put(builds["1.1"], Dying(backend, writes=9), made, tmp_path)
    data = {found.name for found in backend.list(layout.DATA)}
    again = Dying(backend, writes=6)  # description, root, targets, snapshot, timestamp, the note's end: no blob
    assert put(builds["1.1"], again, made, tmp_path).new
    assert {found.name for found in backend.list(layout.DATA)} == data


def test_two_who_publish_at_once_are_told(builds: dict[str, Outputs], made: Vendor, tmp_path: Path) -> None:
    backend = FolderBackend(tmp_path / "channel")
    with backend.lock(), pytest.raises(BusyChannelError, match="is being changed by another process"):
        put(builds["1.0"], backend, made, tmp_path)


class Unlocked(Dying):
    """A backend on which the lock keeps nobody out, as when a lease has run out; all wait for each other once."""

    def __init__(self, under: Backend, *, barrier: threading.Barrier) -> None:
        super().__init__(under, writes=-1)
        self._barrier = barrier

    def put(self, name: str, data: bytes, *, replaces: str | None = None) -> None:
        if name == layout.TIMESTAMP:
            self._barrier.wait(60)
        super().put(name, data, replaces=replaces)

    def lock(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_two_who_got_past_the_lock_do_not_undo_each_other(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path, settings: dict[str, str]
) -> None:
    backend = ObjectBackend(f"s3://{s3_server.NAME}/{tmp_path.name}", **settings)
    put(builds["1.0"], backend, made, tmp_path)
    barrier = threading.Barrier(2)
    told: dict[str, BaseException | None] = {}

    def one(version: str) -> None:
        try:
            put(builds[version], Unlocked(backend, barrier=barrier), made, tmp_path)
            told[version] = None
        except BaseException as error:
            told[version] = error
            barrier.abort()

    threads = [threading.Thread(target=one, args=(version,)) for version in ("1.1", "1.2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [version for version, error in told.items() if error is None]
    lost = [error for error in told.values() if error is not None]
    assert len(won) <= 1
    assert all(isinstance(error, ChangedFileError | threading.BrokenBarrierError) for error in lost), lost
    assert set(seen(backend, made, tmp_path / "client")) == {"1.0", *won}
    assert problems(backend, made, tmp_path / "verify") == []


def test_predecessors_are_the_newest_older_ones() -> None:
    listed = [channel_builds.listed(version) for version in ("2.0", "1.10", "1.9", "1.1", "1.0")]
    assert [one.version for one in predecessors(listed, "1.10.1", count=2)] == ["1.10", "1.9"]


def test_withdrawn_release_is_still_a_predecessor(builds: dict[str, Outputs], made: Vendor, tmp_path: Path) -> None:
    backend = FolderBackend(tmp_path / "channel")
    for version in ("1.0", "1.1"):
        put(builds[version], backend, made, tmp_path)
    withdraw(backend, "1.1", keys=made.keys())
    done = put(builds["1.2"], backend, made, tmp_path)
    assert [patch.version for patch in done.listed.release.patches] == ["1.1", "1.0"]


def test_notes_of_a_stranger_do_not_get_a_kernel_signed(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path
) -> None:
    backend = FolderBackend(tmp_path / "channel")
    proved = built.check(builds["1.0"].image, folder=builds["1.0"].folder)
    evil = blobs.put_blob(backend, b"a kernel image of somebody who can write to the channel")
    backend.put(note_name(proved), json.dumps({"steps": {"kernel": [[evil.sha256, evil.length]]}}).encode())
    release = put(builds["1.0"], backend, made, tmp_path).listed.release
    assert release.kernel == blobs.blob_of(builds["1.0"].kernel)


def test_list_of_a_stranger_does_not_get_a_kernel_signed(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path
) -> None:
    backend = FolderBackend(tmp_path / "channel")
    release = put(builds["1.0"], backend, made, tmp_path, Offer(whole_images=True)).listed.release
    name = whole.names("hello", "1.0", root_hash=release.root_hash)[2]
    (tmp_path / "channel" / name).write_bytes(b"evil")
    sums = whole.read_sums(backend.get(layout.SUMS).decode())
    backend.put(layout.SUMS, whole.dump_sums({**sums, name: blobs.blob_of(b"evil").sha256}).encode())
    put(builds["1.1"], backend, made, tmp_path, Offer(whole_images=True))
    assert whole.read_sums(backend.get(layout.SUMS).decode())[name] == release.kernel.sha256


def test_notes_that_name_something_else_are_forgotten(
    builds: dict[str, Outputs], made: Vendor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    backend = FolderBackend(tmp_path / "channel")
    put(builds["1.0"], backend, made, tmp_path)
    proved = built.check(builds["1.1"].image, folder=builds["1.1"].folder)
    other = blobs.put_blob(backend, b"what somebody wrote who has no key")
    named = [[other.sha256, other.length]]
    steps = {"packs": named, f"patch from {builds['1.0'].image.root_hash}": named}
    backend.put(note_name(proved), json.dumps({"steps": steps}).encode())
    release = put(builds["1.1"], backend, made, tmp_path).listed.release
    assert other not in release.blobs
    assert "all is made again" in capfd.readouterr().err
    assert problems(backend, made, tmp_path / "verify") == []
