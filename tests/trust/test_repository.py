"""A channel's metadata as `Repository` writes it: read by our client, and by python-tuf's own."""

import datetime
import json
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Root
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from jeos.core.errors import HostError, InputError, TrustError
from jeos.trust.client import Client, Missing
from jeos.trust.errors import ExpiredError, RollbackError, SignatureError
from jeos.trust.keys import Keys
from jeos.trust.passphrase import Passphrases
from jeos.trust.repository import Expiry, Folder, Repository
from vendor import DAY, NOW

PATH = "releases/hello_1.0.json"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.create(tmp_path / "keys", now=NOW, passphrases=Passphrases(given=("open",)))


@pytest.fixture
def channel(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "channel")


def machine(keys: Keys, channel: Folder, folder: Path, *, now: float = NOW) -> Client:
    def fetch(path: str, *, limit: int) -> bytes:
        data = channel.read(path)
        if data is None:
            raise Missing(path)
        return data[:limit]

    client = Client(str(folder), root=keys.roots()[0], fetch=fetch, now=lambda: now)
    client.refresh()
    return client


def publish(keys: Keys, channel: Folder, *, path: str = PATH, data: bytes = b"one", now: float = NOW) -> list[str]:
    repository = Repository.open(channel, roots=keys.roots())
    repository.add_target(path, data, custom={"ring": "beta"})
    return [written.name for written in repository.commit(keys.signers, now=now)]


def test_commit_writes_the_timestamp_last(keys: Keys, channel: Folder) -> None:
    names = publish(keys, channel)
    assert names[0] == "metadata/1.root.json"
    assert names[2:] == ["metadata/1.targets.json", "metadata/1.snapshot.json", "metadata/timestamp.json"]
    assert names[1].startswith("targets/releases/") and names[1].endswith(".hello_1.0.json")


def test_client_reads_what_was_committed(keys: Keys, channel: Folder, tmp_path: Path) -> None:
    publish(keys, channel)
    client = machine(keys, channel, tmp_path / "m")
    target = client.targets()[PATH]
    assert target.custom == {"ring": "beta"}
    assert client.download(target) == b"one"
    repository = Repository.open(channel, roots=keys.roots())
    assert repository.targets()[PATH] == target
    repository.set_custom(PATH, {"ring": "stable", "percent": 10})
    repository.commit(keys.signers, now=NOW + 1)
    assert machine(keys, channel, tmp_path / "m").targets()[PATH].custom == {"ring": "stable", "percent": 10}
    repository = Repository.open(channel, roots=keys.roots())
    repository.remove_target(PATH)
    repository.commit(keys.signers, now=NOW + 2)
    assert machine(keys, channel, tmp_path / "m").targets() == {}


class FolderFetcher(FetcherInterface):
    """Lets python-tuf's own client read a folder."""

    def _fetch(self, url: str) -> list[bytes]:  # type: ignore[override]
        from tuf.api.exceptions import DownloadHTTPError

        path = Path(url.removeprefix("file://"))
        if not path.exists():
            raise DownloadHTTPError("missing", 404)
        return [path.read_bytes()]


def test_other_clients_read_what_was_committed(tmp_path: Path, channel: Folder) -> None:
    now = datetime.datetime.now(tz=datetime.UTC).timestamp()  # python-tuf knows no other clock
    keys = Keys.create(tmp_path / "k", now=now, passphrases=Passphrases(given=("open",)))
    publish(keys, channel, now=now)
    keys.rotate("timestamp", now=now)
    keys.rotate("root", now=now)
    publish(keys, channel, path="releases/hello_1.1.json", data=b"two", now=now + 1)
    (tmp_path / "metadata").mkdir()
    (tmp_path / "targets").mkdir()
    updater = Updater(
        str(tmp_path / "metadata"),
        f"file://{channel.path}/metadata/",
        target_dir=str(tmp_path / "targets"),
        target_base_url=f"file://{channel.path}/targets/",
        fetcher=FolderFetcher(),
        config=UpdaterConfig(),
        bootstrap=keys.roots()[0],
    )
    found = updater.get_targetinfo("releases/hello_1.1.json")
    assert found is not None
    assert Path(updater.download_target(found)).read_bytes() == b"two"


def test_commit_without_changes_needs_no_offline_key(keys: Keys, channel: Folder, tmp_path: Path) -> None:
    publish(keys, channel)
    asked = []

    def signers(role: str) -> tuple[Signer, ...]:
        asked.append(role)
        return keys.signers(role)

    written = Repository.open(channel, roots=keys.roots()).commit(signers, now=NOW + DAY)
    assert asked == ["timestamp"]
    assert [file.name for file in written] == ["metadata/1.root.json", "metadata/timestamp.json"]
    Repository.open(channel, roots=keys.roots()).commit(signers, now=NOW + 20 * DAY)
    assert asked == ["timestamp", "snapshot", "timestamp"]
    machine(keys, channel, tmp_path / "m", now=NOW + 45 * DAY)


def test_commit_can_renew_all_dates(keys: Keys, channel: Folder, tmp_path: Path) -> None:
    publish(keys, channel)
    later = NOW + 400 * DAY
    Repository.open(channel, roots=keys.roots()).commit(keys.signers, now=later)
    with pytest.raises(ExpiredError, match="the targets metadata expired"):
        machine(keys, channel, tmp_path / "m", now=later)
    Repository.open(channel, roots=keys.roots()).commit(keys.signers, now=later, renew=True)
    machine(keys, channel, tmp_path / "m", now=later)


def test_commit_takes_the_times_it_is_told(keys: Keys, channel: Folder) -> None:
    repository = Repository.open(channel, roots=keys.roots())
    assert repository.timestamp_expires() is None
    repository.commit(keys.signers, now=NOW, expires=Expiry(timestamp=3 * DAY))
    assert Repository.open(channel, roots=keys.roots()).timestamp_expires() == NOW + 3 * DAY


def test_nothing_outlives_the_root(tmp_path: Path, channel: Folder) -> None:
    keys = Keys.create(tmp_path / "k", now=NOW, life=5 * DAY, passphrases=Passphrases(given=("open",)))
    publish(keys, channel)
    assert Repository.open(channel, roots=keys.roots()).timestamp_expires() == NOW + 5 * DAY


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_rotated_keys_reach_machines(keys: Keys, channel: Folder, tmp_path: Path, role: str) -> None:
    publish(keys, channel)
    machine(keys, channel, tmp_path / "m")
    keys.rotate(role, now=NOW)
    repository = Repository.open(channel, roots=keys.roots())
    repository.commit(keys.signers, now=NOW + 1)
    assert list(machine(keys, channel, tmp_path / "m").targets()) == [PATH]


def test_commit_that_was_cut_off_at_any_write_is_harmless(keys: Keys, channel: Folder, tmp_path: Path) -> None:
    publish(keys, channel)
    repository = Repository.open(channel, roots=keys.roots())
    repository.add_target("releases/hello_1.1.json", b"two", custom={})
    for cut, _ in enumerate(repository.prepare(keys.signers, now=NOW + 1)):
        repository = Repository.open(channel, roots=keys.roots())
        repository.add_target("releases/hello_1.1.json", b"two, try %d" % cut, custom={})
        for file in repository.prepare(keys.signers, now=NOW + 1)[:cut]:
            channel.write(file.name, file.data, immutable=file.immutable)
        assert list(machine(keys, channel, tmp_path / "m").targets()) == [PATH]
    publish(keys, channel, path="releases/hello_1.1.json", data=b"two", now=NOW + 2)
    client = machine(keys, channel, tmp_path / "m")
    assert client.download(client.targets()["releases/hello_1.1.json"]) == b"two"


def test_open_refuses_what_somebody_else_wrote(keys: Keys, channel: Folder, tmp_path: Path) -> None:
    other = Keys.create(tmp_path / "other", now=NOW, passphrases=Passphrases(given=("open",)))
    publish(other, channel)
    with pytest.raises(SignatureError, match="not signed with the vendor's keys"):
        Repository.open(channel, roots=keys.roots())


def test_open_refuses_targets_that_were_tampered_with(keys: Keys, channel: Folder) -> None:
    publish(keys, channel)
    path = channel.path / "metadata/1.targets.json"
    metadata = json.loads(path.read_bytes())
    metadata["signed"]["targets"][PATH]["custom"]["ring"] = "stable"
    path.write_text(json.dumps(metadata))
    with pytest.raises(SignatureError):
        Repository.open(channel, roots=keys.roots())


def test_open_names_missing_metadata(keys: Keys, channel: Folder) -> None:
    publish(keys, channel)
    (channel.path / "metadata/1.targets.json").unlink()
    with pytest.raises(TrustError, match=r"metadata/1\.targets\.json is not in the channel"):
        Repository.open(channel, roots=keys.roots())


def test_open_refuses_an_old_copy_of_the_keys(keys: Keys, channel: Folder) -> None:
    old = keys.roots()
    keys.renew(now=NOW)
    publish(keys, channel)
    with pytest.raises(InputError, match="version 2 of the root, which the keys' folder lacks"):
        Repository.open(channel, roots=old)
    with pytest.raises(InputError, match="not complete"):
        Repository.open(channel, roots=keys.roots()[1:])


def test_open_warns_of_targets_signed_with_old_keys(
    keys: Keys, channel: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(keys, channel)
    keys.rotate("targets", now=NOW)
    Repository.open(channel, roots=keys.roots())
    assert "the keys of the targets changed" in capsys.readouterr().err


def test_commit_without_enough_keys_writes_nothing(keys: Keys, channel: Folder) -> None:
    repository = Repository.open(channel, roots=keys.roots())
    stranger = CryptoSigner.generate_ed25519()
    with pytest.raises(SignatureError, match="the targets metadata needs 1 signatures, and there are keys for 0"):
        repository.commit(lambda role: (stranger,), now=NOW)
    assert not channel.path.exists()


def test_commit_with_a_clock_that_is_behind_is_refused(keys: Keys, channel: Folder) -> None:
    publish(keys, channel)
    with pytest.raises(HostError, match="this machine's clock says 2027-01-14T08:00:00Z"):
        publish(keys, channel, now=NOW - DAY)


def test_changes_of_unknown_targets_are_refused(keys: Keys, channel: Folder) -> None:
    repository = Repository.open(channel, roots=keys.roots())
    with pytest.raises(InputError, match="no target x"):
        repository.remove_target("x")
    with pytest.raises(InputError, match="no target x"):
        repository.set_custom("x", {})


def test_folder_never_changes_what_is_immutable(channel: Folder) -> None:
    channel.write("a", b"one", immutable=True)
    channel.write("a", b"one", immutable=True)
    with pytest.raises(InputError, match="is there already"):
        channel.write("a", b"two", immutable=True)
    channel.write("a", b"two", immutable=False)
    assert channel.read("a") == b"two"


def test_mirror_of_an_older_day_is_noticed(keys: Keys, channel: Folder, tmp_path: Path) -> None:
    publish(keys, channel)
    old = channel.read("metadata/timestamp.json")
    assert old
    publish(keys, channel, path="releases/hello_1.1.json", now=NOW + 1)
    machine(keys, channel, tmp_path / "m")
    channel.write("metadata/timestamp.json", old, immutable=False)
    with pytest.raises(RollbackError):
        machine(keys, channel, tmp_path / "m")


def test_root_type_is_what_roots_hold(keys: Keys) -> None:
    assert isinstance(keys.root, Root)
    assert keys.root.consistent_snapshot is True
