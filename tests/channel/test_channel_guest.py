"""From a build on the host to the other slot of a machine: published, served, proved, fetched and rebuilt."""

import time
from pathlib import Path

import pytest

import channel_builds
from channel_keys import Clock, Vendor, vendor
from jeos.build.outputs import Outputs
from jeos.channel import built
from jeos.channel.change import promote
from jeos.channel.folder import FolderBackend
from jeos.channel.publish import Offer, publish
from jeos.channel.serve import serving
from jeos.model import release as releases
from jeos.model.release import Blob, Release, patch_from
from jeos.trust.client import Client
from jeos.update import fetch
from jeos.update.offers import offers_of
from jeos.update.rebuild import rebuild

LINES = b"".join(b"%d: %d bottles of something\n" % (number, number**3) for number in range(4000))


@pytest.fixture(scope="module")
def made() -> Vendor:
    return vendor(clock=Clock(time.time()))


@pytest.fixture(scope="module")
def builds(made: Vendor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outputs]:
    folder = tmp_path_factory.mktemp("builds")
    return {
        version: channel_builds.build(
            folder / version,
            version=version,
            contents={"usr/bin/app": LINES.replace(b"77", version.encode()), "usr/lib/big": LINES * 20},
            trust=made.roots[0],
        )
        for version in ("1.0", "1.1")
    }


@pytest.fixture
def served(builds: dict[str, Outputs], made: Vendor, tmp_path: Path) -> Path:
    for outputs in builds.values():
        proved = built.check(outputs.image, folder=outputs.folder)
        publish(proved, FolderBackend(tmp_path / "channel"), keys=made.keys(), offer=Offer(percent=5), work=tmp_path)
    return tmp_path / "channel"


def slot(outputs: Outputs) -> tuple[bytes, bytes]:
    """Return the system and its hashes as they are on a build's disk."""
    proved = built.check(outputs.image, folder=outputs.folder)
    with outputs.disk.open("rb") as disk:
        disk.seek(proved.system.start)
        system = disk.read(proved.system.size)
        disk.seek(proved.hashes.start)
        return system, disk.read(proved.hashes.size)


@pytest.mark.parametrize("by_patch", [True, False])
@pytest.mark.parametrize("over_http", [True, False])
def test_published_release_can_be_rebuilt_by_a_machine(
    builds: dict[str, Outputs], made: Vendor, served: Path, tmp_path: Path, by_patch: bool, over_http: bool
) -> None:
    promote(FolderBackend(served), "1.1", keys=made.keys(), percent=100)
    with serving(served) as address:
        channel = fetch.open_channel(address if over_http else f"file://{served}")
        client = Client(str(tmp_path / "trusted"), root=made.roots[0], fetch=channel.get, now=time.time)
        offers = {offer.version: offer for offer in offers_of(client.targets().values(), name="hello")}
        assert {version: offer.percent for version, offer in offers.items()} == {"1.0": 5.0, "1.1": 100.0}
        release: Release = releases.load(client.download(client.targets()[offers["1.1"].path]))
        old = builds["1.0"]
        patch = patch_from(release, old.image.root_hash)
        assert patch is not None
        assert patch.blob.length < 20_000
        fetch.save(channel, patch.blob, str(tmp_path / "patch"))

        def get(blob: Blob, offset: int, length: int) -> bytes:
            assert not by_patch, "a patch needs nothing else"
            return fetch.read_blob(channel, blob, offset, length)

        (tmp_path / "active").write_bytes(slot(old)[0])
        for part in ("system", "hashes"):
            (tmp_path / part).touch()
        why = rebuild(
            release,
            active=str(tmp_path / "active"),
            kernel=str(old.kernel),
            patch=str(tmp_path / "patch") if by_patch else None,
            fetch=get,
            system=str(tmp_path / "system"),
            hashes=str(tmp_path / "hashes"),
            kernel_out=str(tmp_path / "kernel"),
            work=str(tmp_path / "work"),
        )
    assert why == ""
    system, hashes = slot(builds["1.1"])
    assert (tmp_path / "system").read_bytes() == system
    assert (tmp_path / "hashes").read_bytes() == hashes
    assert (tmp_path / "kernel").read_bytes() == builds["1.1"].kernel.read_bytes()
