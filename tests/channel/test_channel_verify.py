"""Verifying from outside: a sound channel is found so, through every reader; whatever is damaged is named."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import channel_builds
from channel_keys import NOW, Vendor, vendor
from jeos.channel import built, layout, metadata
from jeos.channel.blobs import put_blob
from jeos.channel.catalogue import catalogue, custom_of
from jeos.channel.change import changing
from jeos.channel.folder import FolderBackend
from jeos.channel.publish import Offer, publish
from jeos.channel.serve import serving
from jeos.channel.verify import Problem, Verified, verify
from jeos.channel.web import WebReader
from jeos.core.errors import InputError
from jeos.model import release as releases
from jeos.model.release import Patch
from jeos.store.places.place import Reader

DAY = 86400
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def made() -> Vendor:
    return vendor()


@pytest.fixture(scope="module")
def original(made: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish two releases with whole images, once for all tests."""
    folder = tmp_path_factory.mktemp("original")
    for version in ("1.0", "1.1"):
        text = b"".join(b"line %d of %s\n" % (number, version.encode()) for number in range(2000))
        outputs = channel_builds.build(
            folder / version, version=version, trust=made.roots[0], contents={"usr/bin/app": text, "etc/x": b"x" * 5000}
        )
        proved = built.check(outputs.image, folder=outputs.folder)
        offer = Offer(whole_images=True)
        publish(proved, FolderBackend(folder / "channel"), keys=made.keys(), offer=offer, work=folder)
    return folder / "channel"


@pytest.fixture
def channel(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "channel"))


def check(reader: Reader, made: Vendor, tmp_path: Path, *, now: float = NOW) -> Verified:
    work = tmp_path / "verify"
    work.mkdir()
    return verify(reader, root=made.roots[0], folder=work, now=now)


def one(folder: Path, pattern: str) -> Path:
    """Return the first file that a pattern names."""
    return sorted(folder.glob(pattern))[0]


def change(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_verify_finds_a_sound_channel_sound(channel: Path, made: Vendor, tmp_path: Path) -> None:
    found = check(FolderBackend(channel), made, tmp_path)
    assert found.problems == []
    assert found.releases == 2
    assert found.expires == NOW + 30 * DAY
    blobs = {
        blob.sha256
        for release in catalogue(FolderBackend(channel), metadata.look(FolderBackend(channel)).targets())
        for blob in release.release.blobs
    }
    assert found.files == 2 + len(blobs) + 6


def test_verify_reads_what_a_server_gives_out(channel: Path, made: Vendor, tmp_path: Path) -> None:
    with serving(channel) as address:
        assert check(WebReader(address), made, tmp_path).problems == []


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("metadata/timestamp.json", ""),
        ("metadata/*.snapshot.json", ""),
        ("metadata/2.targets.json", ""),
        ("targets/releases/*.json", "is not the file that was signed"),
        ("data/*/*", "its SHA-256 is"),
        ("*.root.xz", "its SHA-256 is"),
        ("*.efi", "its SHA-256 is"),
    ],
)
def test_verify_notices_a_changed_bit(channel: Path, made: Vendor, tmp_path: Path, pattern: str, message: str) -> None:
    for path in channel.glob(pattern):
        change(path)
    found = check(FolderBackend(channel), made, tmp_path).problems
    assert found != []
    assert all(message in problem.detail for problem in found), found


@pytest.mark.parametrize("pattern", ["metadata/2.snapshot.json", "targets/releases/*", "data/*/*", "*.root.xz"])
def test_verify_notices_what_is_missing(channel: Path, made: Vendor, tmp_path: Path, pattern: str) -> None:
    path = one(channel, pattern)
    path.unlink()
    found = check(FolderBackend(channel), made, tmp_path).problems
    assert any(f"{path.relative_to(channel)} is not in the channel" in problem.detail for problem in found), found


def test_verify_notices_lengths(channel: Path, made: Vendor, tmp_path: Path) -> None:
    longer, shorter = sorted(channel.glob("data/*/*"))[:2]
    lengths = longer.stat().st_size, shorter.stat().st_size
    longer.write_bytes(longer.read_bytes() + b"more")
    shorter.write_bytes(shorter.read_bytes()[:-1])
    found = check(FolderBackend(channel), made, tmp_path).problems
    assert sorted(found, key=lambda problem: problem.what) == [
        Problem(f"data/{longer.parent.name}/{longer.name}", f"it has more than {lengths[0]} bytes"),
        Problem(f"data/{shorter.parent.name}/{shorter.name}", f"it has {lengths[1] - 1} bytes of {lengths[1]} bytes"),
    ]


def test_verify_notices_metadata_that_is_about_to_end(channel: Path, made: Vendor, tmp_path: Path) -> None:
    found = check(FolderBackend(channel), made, tmp_path, now=NOW + 28 * DAY).problems
    assert found == [Problem("metadata", "it is fresh for 2.0 more days: run `jeos channel refresh`")]


def test_verify_goes_on_after_metadata_that_has_ended(channel: Path, made: Vendor, tmp_path: Path) -> None:
    change(one(channel, "*.efi"))
    first, second = check(FolderBackend(channel), made, tmp_path, now=NOW + 31 * DAY).problems
    assert first.what == "metadata"
    assert second.what.endswith(".efi")


def test_verify_trusts_only_the_vendor(channel: Path, tmp_path: Path) -> None:
    found = check(FolderBackend(channel), vendor(), tmp_path).problems
    assert [problem.what for problem in found] == ["metadata"]


def test_verify_notices_releases_that_were_signed_by_mistake(channel: Path, made: Vendor, tmp_path: Path) -> None:
    backend = FolderBackend(channel)
    with changing(backend, keys=made.keys()) as repository:
        new, old = catalogue(backend, repository.targets())
        wrong = replace(old.release, index=new.release.index, packs=new.release.packs)
        repository.add_target(old.path, releases.dump(wrong), custom=custom_of(old.terms))
        patch = Patch("ab" * 32, "1.0", put_blob(backend, b"no patch"))
        wrong = replace(new.release, patches=(patch, replace(new.release.patches[0], root_hash="cd" * 32)))
        repository.add_target(new.path, releases.dump(wrong), custom=custom_of(new.terms))
        repository.add_target("readme", b"words", custom={})
        repository.add_target("releases/hello_9.json", b"{}", custom={})
    details = [f"{problem.what}: {problem.detail}" for problem in check(backend, made, tmp_path).problems]
    made_of = new.release.root_hash
    assert len(details) == 5
    for number, words in enumerate(
        (
            "readme: this target is no release",
            "releases/hello_9.json: this is not the description of a release",
            "hello 1.0: what its index and packs make has the root hash ",
            "hello 1.1: its patch from 1.0: ",
            f"hello 1.1: its patch from 1.0 is for another system: {old.release.root_hash}",
        )
    ):
        assert details[number].startswith(words), details
    assert made_of not in details[2].split("not")[1]


def test_verify_notices_whole_images_that_nobody_may_have(channel: Path, made: Vendor, tmp_path: Path) -> None:
    sums = channel / layout.SUMS
    sums.write_text(sums.read_text() + f"{'0' * 64}  hello_9.efi\n")
    found = check(FolderBackend(channel), made, tmp_path).problems
    assert Problem(layout.SUMS, "it lists hello_9.efi, which belongs to no release that everybody may have") in found
    sums.write_text("nonsense\n")
    shutil.rmtree(tmp_path / "verify")
    assert [problem.what for problem in check(FolderBackend(channel), made, tmp_path).problems] == [layout.SUMS]


def test_verify_of_no_channel(made: Vendor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no channel at"):
        check(FolderBackend(tmp_path), made, tmp_path)
