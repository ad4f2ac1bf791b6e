"""The client against honest channels, broken ones, and each attack that TUF names."""

import json
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from jeos.core import files
from jeos.core.errors import NetworkError, TrustError
from jeos.trust import client as module
from jeos.trust.client import Client, Missing, Target, stored_path
from jeos.trust.errors import ExpiredError, FormatError, MismatchError, RollbackError, SignatureError
from vendor import DAY, NOW, Vendor, date

PATH = "releases/hello_1.0.json"


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


class Machine:
    """A client with a folder that stays and a clock that can be set; each refresh is that of a new process."""

    def __init__(self, vendor: Vendor, folder: Path) -> None:
        self.vendor, self.folder = vendor, folder
        self.root = vendor.first_root
        self.now = NOW

    def client(self) -> Client:
        return Client(str(self.folder), root=self.root, fetch=self.vendor.fetch, now=lambda: self.now)

    def refresh(self) -> Client:
        client = self.client()
        client.refresh()
        return client

    def kept(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def machine(vendor: Vendor, tmp_path: Path) -> Machine:
    return Machine(vendor, tmp_path / "metadata")


def test_refresh_finds_and_downloads_targets(machine: Machine, vendor: Vendor) -> None:
    vendor.offer(PATH, b"a release", ring="beta")
    vendor.next()
    client = machine.refresh()
    target = client.targets()[PATH]
    assert (target.length, target.custom) == (9, {"ring": "beta"})
    assert client.download(target) == b"a release"
    assert client.find("releases/other.json") is None


def test_refresh_without_news_asks_for_the_timestamp_only(machine: Machine, vendor: Vendor) -> None:
    machine.refresh()
    vendor.asked.clear()
    machine.refresh()
    assert vendor.asked == ["metadata/2.root.json", "metadata/timestamp.json"]
    assert len(vendor.serve["metadata/timestamp.json"]) < 1024


def test_targets_refreshes_by_itself(machine: Machine) -> None:
    assert machine.client().targets() == {}


def test_refresh_follows_several_roots_and_keeps_them(machine: Machine, vendor: Vendor) -> None:
    for _ in range(3):
        vendor.next_root(also=vendor.new_key(Root.type))
    machine.refresh()
    assert sorted(machine.kept()) == [
        *(f"roots/{version}.json" for version in (1, 2, 3, 4)),
        "snapshot.json",
        "targets.json",
        "timestamp.json",
    ]
    for version in (2, 3, 4):
        del vendor.serve[f"metadata/{version}.root.json"]
    machine.refresh()  # over the ones that are kept


def test_refresh_starts_over_from_damaged_files(machine: Machine, vendor: Vendor) -> None:
    vendor.next_root(also=vendor.new_key(Root.type))
    machine.refresh()
    before = machine.kept()
    for name in before:
        (machine.folder / name).write_bytes(before[name][: len(before[name]) // 2])
    machine.refresh()
    assert machine.kept() == {**before, "roots/1.json": before["roots/1.json"][: len(before["roots/1.json"]) // 2]}


def test_kept_files_are_not_believed(machine: Machine, vendor: Vendor) -> None:
    """Who writes to the data partition cannot plant a root of their own."""
    stranger = Vendor()
    stranger.next_root(also=stranger.new_key(Root.type))
    (machine.folder / "roots").mkdir(parents=True)
    (machine.folder / "roots/2.json").write_bytes(stranger.serve["metadata/2.root.json"])
    (machine.folder / "timestamp.json").write_bytes(stranger.serve["metadata/timestamp.json"])
    vendor.offer(PATH, b"ours")
    vendor.next()
    assert list(machine.refresh().targets()) == [PATH]


def test_root_of_a_newer_image_is_taken(machine: Machine, vendor: Vendor) -> None:
    machine.refresh()
    vendor.next_root(also=vendor.new_key(Root.type))
    vendor.new_key(Timestamp.type)
    vendor.next_root()
    machine.root = vendor.serve["metadata/3.root.json"]
    vendor.next()
    machine.refresh()
    assert "roots/3.json" in machine.kept()


def test_root_of_an_older_image_walks_over_what_is_kept(machine: Machine, vendor: Vendor) -> None:
    """The machine fell back to its old slot, and the channel cannot be reached for old roots."""
    vendor.next_root(also=vendor.new_key(Root.type))
    machine.refresh()
    del vendor.serve["metadata/2.root.json"]
    machine.refresh()


def test_power_cut_between_any_two_writes_is_harmless(
    machine: Machine, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.refresh()
    vendor.next_root(also=vendor.new_key(Root.type))
    vendor.new_key(Snapshot.type)
    vendor.next_root()
    vendor.next()
    write = files.write
    for allowed in range(6):
        left = [allowed]

        def cut(path: Path, data: bytes, left: list[int] = left) -> None:
            if not left[0]:
                raise OSError("power cut")
            left[0] -= 1
            write(path, data)

        with monkeypatch.context() as patched:
            patched.setattr(files, "write", cut)
            try:
                machine.refresh()
            except OSError as error:
                assert str(error) == "power cut"
    machine.refresh()
    assert json.loads(machine.kept()["snapshot.json"])["signed"]["version"] == 2


# Freeze


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_freeze_is_refused(machine: Machine, vendor: Vendor, role: str) -> None:
    machine.refresh()
    before = machine.kept()
    getattr(vendor, role).expires = date(NOW + 1)
    vendor.next()
    machine.now = NOW + 2
    with pytest.raises(ExpiredError, match=f"the {role} metadata expired on 2027-01-15 08:00 UTC"):
        machine.refresh()
    assert machine.kept()[f"{role}.json"] == before[f"{role}.json"]


def test_freeze_with_the_timestamp_that_is_kept_is_refused(machine: Machine) -> None:
    machine.refresh()
    machine.now = NOW + 31 * DAY
    with pytest.raises(ExpiredError, match="the timestamp metadata expired"):
        machine.refresh()


def test_expired_root_is_refused_but_kept(machine: Machine, vendor: Vendor) -> None:
    vendor.root.expires = date(NOW - 1)
    vendor.next_root()
    with pytest.raises(ExpiredError, match="the root metadata expired"):
        machine.refresh()
    assert list(machine.kept()) == ["roots/1.json", "roots/2.json"]
    assert vendor.asked == ["metadata/2.root.json", "metadata/3.root.json"]
    vendor.root.expires = date(NOW + DAY)
    vendor.next_root()
    machine.refresh()


def test_expired_root_of_the_image_leads_to_a_newer_one(machine: Machine, vendor: Vendor) -> None:
    vendor.root.expires = date(NOW + 2000 * DAY)
    vendor.next_root()
    for signed in (vendor.targets, vendor.snapshot, vendor.timestamp):
        signed.expires = date(NOW + 2000 * DAY)
    vendor.next()
    machine.now = NOW + 1000 * DAY
    machine.refresh()


# Clocks


def test_clock_years_behind_does_not_unfreeze(machine: Machine, vendor: Vendor) -> None:
    """What the machine knows to be past from signed dates is past, whatever its clock says."""
    vendor.timestamp.unrecognized_fields["date"] = "2027-02-10T08:00:00Z"
    vendor.next()
    machine.now = 0.0
    machine.refresh()
    vendor.snapshot.expires = date(NOW + 5 * DAY)  # before that date
    vendor.snapshot.version += 1
    vendor.timestamp.version += 1
    vendor.publish_snapshot()
    with pytest.raises(ExpiredError, match="it is 2027-02-10 08:00 UTC"):
        machine.refresh()


def test_clock_years_behind_takes_updates(machine: Machine, vendor: Vendor) -> None:
    machine.now = -1.0
    vendor.offer(PATH, b"new")
    vendor.next()
    assert list(machine.refresh().targets()) == [PATH]


@pytest.mark.parametrize("now", [NOW + 9000 * DAY, 1e18])
def test_clock_years_ahead_refuses_and_recovers(machine: Machine, vendor: Vendor, now: float) -> None:
    machine.refresh()
    vendor.next()
    machine.now = now
    with pytest.raises(ExpiredError) as caught:
        machine.refresh()
    assert "set the clock" in caught.value.hint
    machine.now = NOW
    machine.refresh()


def test_timestamp_signed_after_its_own_end_is_refused(machine: Machine, vendor: Vendor) -> None:
    vendor.timestamp.unrecognized_fields["date"] = "2027-06-01T00:00:00Z"
    vendor.next()
    with pytest.raises(ExpiredError, match="the timestamp metadata expired"):
        machine.refresh()


@pytest.mark.parametrize("odd", ["yesterday", 5, "2027-01-01T00:00:00+02:00", [], "9" * 400])
def test_odd_date_is_refused(machine: Machine, vendor: Vendor, odd: object) -> None:
    vendor.timestamp.unrecognized_fields["date"] = odd
    vendor.next()
    with pytest.raises(FormatError, match="odd date"):
        machine.refresh()


# Rollback


def test_rollback_of_the_timestamp_is_refused(machine: Machine, vendor: Vendor) -> None:
    replay = vendor.serve["metadata/timestamp.json"]
    vendor.next()
    machine.refresh()
    vendor.serve["metadata/timestamp.json"] = replay
    with pytest.raises(RollbackError, match="timestamp goes back from version 2 to 1"):
        machine.refresh()


def test_rollback_of_the_snapshot_is_refused(machine: Machine, vendor: Vendor) -> None:
    vendor.next()
    machine.refresh()
    vendor.snapshot.version = 1
    vendor.timestamp.version += 1
    vendor.publish_snapshot()
    with pytest.raises(RollbackError, match="snapshot goes back from version 2 to 1"):
        machine.refresh()


def test_rollback_of_the_targets_is_refused(machine: Machine, vendor: Vendor) -> None:
    vendor.next()
    machine.refresh()
    vendor.targets.version = 1
    vendor.snapshot.version += 1
    vendor.timestamp.version += 1
    vendor.publish()
    with pytest.raises(RollbackError, match=r"targets\.json goes back from version 2 to 1"):
        machine.refresh()


def test_role_that_vanishes_from_the_snapshot_is_refused(machine: Machine, vendor: Vendor) -> None:
    vendor.snapshot.meta["other.json"] = MetaFile(4)
    vendor.next()
    machine.refresh()
    del vendor.snapshot.meta["other.json"]
    vendor.next()
    with pytest.raises(RollbackError, match=r"no longer has other\.json"):
        machine.refresh()


def test_rollback_of_the_root_is_refused(machine: Machine, vendor: Vendor) -> None:
    """The root's file name promises a version; an older one under it, even if well signed, is none."""
    vendor.next_root()
    vendor.serve["metadata/3.root.json"] = vendor.serve["metadata/2.root.json"]
    with pytest.raises(RollbackError, match="wanted root version 3, found 2"):
        machine.refresh()


def test_root_that_skips_a_version_is_refused(machine: Machine, vendor: Vendor) -> None:
    vendor.root.version += 1
    vendor.next_root()
    vendor.serve["metadata/2.root.json"] = vendor.serve.pop("metadata/3.root.json")
    with pytest.raises(RollbackError, match="wanted root version 2, found 3"):
        machine.refresh()


def test_replayed_root_with_revoked_keys_is_refused(machine: Machine, vendor: Vendor) -> None:
    """A thief of old root keys signs a next root, after these keys were replaced."""
    old = vendor.new_key(Root.type)
    vendor.next_root(also=old)
    machine.refresh()
    vendor.root.version += 1
    vendor.serve["metadata/3.root.json"] = vendor.sign(vendor.root, by=old)
    with pytest.raises(SignatureError):
        machine.refresh()
    assert "roots/3.json" not in machine.kept()


# Mix-and-match, arbitrary software, endless data


def test_mix_and_match_of_snapshots_is_refused(machine: Machine, vendor: Vendor) -> None:
    """A snapshot that was good once does not go with the timestamp of another day."""
    old = vendor.serve["metadata/1.snapshot.json"]
    vendor.next()
    vendor.serve["metadata/2.snapshot.json"] = old
    with pytest.raises(MismatchError, match="snapshot metadata is not what was announced"):
        machine.refresh()


def test_mix_and_match_of_targets_is_refused(machine: Machine, vendor: Vendor) -> None:
    old = vendor.serve["metadata/1.targets.json"]
    vendor.next()
    vendor.serve["metadata/2.targets.json"] = old
    with pytest.raises(MismatchError, match="targets metadata is not what was announced"):
        machine.refresh()


def test_mix_and_match_without_digests_is_refused_by_version(machine: Machine, vendor: Vendor) -> None:
    old = vendor.serve["metadata/1.targets.json"]
    vendor.next()
    vendor.snapshot.meta["targets.json"] = MetaFile(2)
    vendor.snapshot.version += 1
    vendor.timestamp.version += 1
    vendor.publish_snapshot()
    vendor.serve["metadata/2.targets.json"] = old
    with pytest.raises(MismatchError, match="wanted version 2 of the targets metadata, found 1"):
        machine.refresh()


def test_mix_and_match_of_snapshots_without_digests_is_refused_by_version(machine: Machine, vendor: Vendor) -> None:
    vendor.timestamp.snapshot_meta = MetaFile(2)
    vendor.timestamp.version += 1
    vendor.serve["metadata/timestamp.json"] = vendor.sign(vendor.timestamp)
    vendor.serve["metadata/2.snapshot.json"] = vendor.serve["metadata/1.snapshot.json"]
    with pytest.raises(MismatchError, match="wanted version 2 of the snapshot metadata, found 1"):
        machine.refresh()


def test_metadata_of_another_role_is_refused(machine: Machine, vendor: Vendor) -> None:
    vendor.serve["metadata/timestamp.json"] = vendor.serve["metadata/1.snapshot.json"]
    with pytest.raises(FormatError, match="wanted timestamp metadata, found snapshot"):
        machine.refresh()


def test_arbitrary_software_is_refused(machine: Machine, vendor: Vendor) -> None:
    vendor.offer(PATH, b"a release")
    vendor.next()
    client = machine.refresh()
    target = client.targets()[PATH]
    name = f"targets/{stored_path(target)}"
    for other in (b"a malware", b"", b"a release and more"):
        vendor.serve[name] = other
        if len(other) <= 9:
            with pytest.raises(MismatchError, match="is not the file that was signed"):
                client.download(target)
    vendor.serve[name] = b"a release"
    assert client.download(target) == b"a release"


class Endless:
    """A server that never stops sending, and a fetcher that does not keep the limit it is told."""

    def __init__(self, vendor: Vendor, path: str) -> None:
        self.vendor, self.path = vendor, path
        self.limits: list[int] = []

    def __call__(self, path: str, *, limit: int) -> bytes:
        if path == self.path:
            self.limits.append(limit)
            return b"x" * (limit + 1)
        return self.vendor.fetch(path, limit=limit)


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("metadata/2.root.json", module.ROOT_LIMIT),
        ("metadata/timestamp.json", module.TIMESTAMP_LIMIT),
        ("metadata/1.snapshot.json", 0),
        ("metadata/1.targets.json", 0),
    ],
)
def test_endless_data_is_cut_off(machine: Machine, vendor: Vendor, path: str, limit: int) -> None:
    endless = Endless(vendor, path)
    client = Client(str(machine.folder), root=vendor.first_root, fetch=endless, now=lambda: NOW)
    expected = limit or len(vendor.serve[path])  # what the timestamp or snapshot says is the limit, to the byte
    with pytest.raises(MismatchError, match=f"has more than {expected} bytes"):
        client.refresh()
    assert endless.limits == [expected]


def test_lengths_that_are_signed_do_not_raise_the_limits(machine: Machine, vendor: Vendor) -> None:
    vendor.timestamp.snapshot_meta.length = 1 << 40
    vendor.serve["metadata/timestamp.json"] = vendor.sign(vendor.timestamp)
    limits = []

    def fetch(path: str, *, limit: int) -> bytes:
        limits.append(limit)
        return vendor.fetch(path, limit=limit)

    client = Client(str(machine.folder), root=vendor.first_root, fetch=fetch, now=lambda: NOW)
    with pytest.raises(MismatchError):
        client.refresh()
    assert limits[-1] == module.SNAPSHOT_LIMIT
    vendor.next()
    client = machine.refresh()
    huge = Target(path="a", length=1 << 40, hashes={"sha256": "0" * 64}, custom={})
    with pytest.raises(MismatchError, match="more than 67108864"):
        client.download(huge)


def test_roots_without_end_are_cut_off(machine: Machine, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOTS_LIMIT", 5)
    for _ in range(9):
        vendor.next_root()
    machine.refresh()
    assert "roots/7.json" not in machine.kept()
    machine.refresh()
    assert "roots/10.json" in machine.kept()


# Keys


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_wrong_key_is_refused(machine: Machine, vendor: Vendor, role: str) -> None:
    vendor.signers[role] = [CryptoSigner.generate_ed25519()]
    vendor.next()
    with pytest.raises(SignatureError, match=f"the {role} metadata is not signed as it must be"):
        machine.refresh()


def test_key_of_another_role_is_refused(machine: Machine, vendor: Vendor) -> None:
    vendor.signers["targets"] = vendor.signers["timestamp"]
    vendor.next()
    with pytest.raises(SignatureError):
        machine.refresh()


def test_revoked_key_is_refused(machine: Machine, vendor: Vendor) -> None:
    machine.refresh()
    old = vendor.new_key(Timestamp.type)
    vendor.next_root()
    good, vendor.signers[Timestamp.type] = vendor.signers[Timestamp.type], old
    vendor.next()
    with pytest.raises(SignatureError):
        machine.refresh()
    vendor.signers[Timestamp.type] = good
    vendor.next()
    machine.refresh()


def test_threshold_is_kept(machine: Machine, vendor: Vendor) -> None:
    second = CryptoSigner.generate_ed25519()
    vendor.root.add_key(second.public_key, Targets.type)
    vendor.root.roles[Targets.type].threshold = 2
    vendor.next_root()
    vendor.next()
    with pytest.raises(SignatureError, match="1/2"):
        machine.refresh()
    vendor.signers[Targets.type].append(second)
    vendor.next()
    machine.refresh()


def test_same_signature_twice_is_refused(machine: Machine, vendor: Vendor) -> None:
    vendor.root.add_key(CryptoSigner.generate_ed25519().public_key, Timestamp.type)
    vendor.root.roles[Timestamp.type].threshold = 2
    vendor.next_root()
    vendor.next()
    metadata = json.loads(vendor.serve["metadata/timestamp.json"])
    metadata["signatures"] *= 2
    vendor.serve["metadata/timestamp.json"] = json.dumps(metadata).encode()
    with pytest.raises(FormatError):
        machine.refresh()


def test_one_key_under_two_ids_counts_once(machine: Machine, vendor: Vendor) -> None:
    signer = vendor.signers[Timestamp.type][0]
    assert isinstance(signer, CryptoSigner)
    twin = CryptoSigner(signer._private_key)
    twin.public_key.keyid = "f" * 64
    vendor.root.add_key(twin.public_key, Timestamp.type)
    vendor.root.roles[Timestamp.type].threshold = 2
    vendor.next_root()
    vendor.signers[Timestamp.type].append(twin)
    vendor.next()
    with pytest.raises(FormatError, match="the same key under two ids"):
        machine.refresh()


def test_new_root_needs_the_old_threshold_and_its_own(machine: Machine, vendor: Vendor) -> None:
    old = vendor.new_key(Root.type)
    vendor.next_root()
    with pytest.raises(SignatureError):
        machine.refresh()
    vendor.serve["metadata/2.root.json"] = vendor.sign(vendor.root, by=old)
    with pytest.raises(SignatureError):
        machine.refresh()
    vendor.serve["metadata/2.root.json"] = vendor.sign(vendor.root, by=[*old, *vendor.signers[Root.type]])
    machine.refresh()


def test_unsigned_root_of_the_image_is_refused(machine: Machine, vendor: Vendor) -> None:
    machine.root = vendor.sign(vendor.root, by=[])
    with pytest.raises(SignatureError):
        machine.refresh()
    assert vendor.asked == []


# Recovery


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_fast_forward_is_recovered_from_by_new_keys(machine: Machine, vendor: Vendor, role: str) -> None:
    """A thief signed versions as high as they go; new keys for the role make machines forget them."""
    thief = getattr(vendor, role)
    true_version = thief.version
    thief.version = 1 << 60
    vendor.timestamp.version += 1
    vendor.publish()
    machine.refresh()
    thief.version = true_version
    vendor.timestamp.version += 1
    vendor.publish()
    with pytest.raises(RollbackError):
        machine.refresh()
    vendor.new_key(Timestamp.type)
    vendor.new_key(Snapshot.type)
    vendor.next_root()
    vendor.next()
    machine.refresh()
    assert json.loads(machine.kept()[f"{role}.json"])["signed"]["version"] < 10


def test_fast_forward_of_the_snapshot_is_forgotten_with_its_key(machine: Machine, vendor: Vendor) -> None:
    """The kept timestamp, whose key stays, names the thief's version: it must be forgotten with the snapshot's key."""
    vendor.snapshot.version = 1 << 60
    vendor.timestamp.version += 1
    vendor.publish()
    machine.refresh()
    vendor.new_key(Snapshot.type)
    vendor.next_root()
    vendor.snapshot.version = 1
    vendor.next()
    machine.refresh()
    assert json.loads(machine.kept()["snapshot.json"])["signed"]["version"] == 2


def test_fast_forward_is_recovered_from_by_a_new_image(machine: Machine, vendor: Vendor) -> None:
    vendor.timestamp.version = 1 << 60
    vendor.publish()
    machine.refresh()
    vendor.new_key(Snapshot.type)
    vendor.next_root()
    machine.root = vendor.serve["metadata/2.root.json"]
    vendor.timestamp.version = 1
    vendor.next()
    machine.refresh()


def test_failed_refresh_leaves_what_was_trusted(machine: Machine, vendor: Vendor) -> None:
    machine.refresh()
    before = machine.kept()
    vendor.signers[Timestamp.type] = [CryptoSigner.generate_ed25519()]
    vendor.next()
    for _ in range(2):
        with pytest.raises(SignatureError):
            machine.refresh()
    assert machine.kept() == before


def test_channel_that_is_away_is_no_trust_error(machine: Machine, vendor: Vendor) -> None:
    vendor.serve.clear()
    with pytest.raises(Missing) as caught:
        machine.refresh()
    assert isinstance(caught.value, NetworkError)
    assert not isinstance(caught.value, TrustError)


# Delegations and paths


def delegate(vendor: Vendor, *, by: CryptoSigner, name: str = "team") -> Targets:
    vendor.targets.delegations = Delegations(
        {by.public_key.keyid: by.public_key},
        {name: DelegatedRole(name, [by.public_key.keyid], 1, False, ["team/*"])},
    )
    found = Targets(version=1, expires=date(NOW + DAY))
    found.targets["team/a"] = TargetFile.from_data("team/a", b"theirs", ["sha256"])
    return found


def test_find_asks_delegated_roles(machine: Machine, vendor: Vendor) -> None:
    by = CryptoSigner.generate_ed25519()
    theirs = delegate(vendor, by=by)
    data = vendor.sign(theirs, by=[by])
    vendor.serve["metadata/1.team.json"] = data
    vendor.snapshot.meta["team.json"] = MetaFile.from_data(1, data, ["sha256"])
    vendor.next()
    found = machine.refresh().find("team/a")
    assert found is not None and found.length == 6
    assert machine.refresh().find("elsewhere/a") is None
    vendor.asked.clear()
    assert machine.refresh().find("team/a") == found
    assert vendor.asked == ["metadata/2.root.json", "metadata/timestamp.json"]


def test_delegated_role_with_a_wrong_key_is_refused(machine: Machine, vendor: Vendor) -> None:
    theirs = delegate(vendor, by=CryptoSigner.generate_ed25519())
    vendor.serve["metadata/1.team.json"] = vendor.sign(theirs, by=[CryptoSigner.generate_ed25519()])
    vendor.snapshot.meta["team.json"] = MetaFile(1)
    vendor.next()
    with pytest.raises(SignatureError):
        machine.refresh().find("team/a")


def test_delegated_role_cannot_write_outside_of_the_folder(machine: Machine, vendor: Vendor) -> None:
    by = CryptoSigner.generate_ed25519()
    name = "../../team"
    data = vendor.sign(delegate(vendor, by=by, name=name), by=[by])
    vendor.serve["metadata/1...%2F..%2Fteam.json"] = data
    vendor.snapshot.meta[f"{name}.json"] = MetaFile(1)
    vendor.next()
    assert machine.refresh().find("team/a")
    assert "..%2F..%2Fteam.json" in machine.kept()


@pytest.mark.parametrize("name", ["x" * 201, "☃" * 23])
def test_role_with_an_endless_name_is_refused(machine: Machine, vendor: Vendor, name: str) -> None:
    delegate(vendor, by=CryptoSigner.generate_ed25519(), name=name)
    vendor.snapshot.meta[f"{name}.json"] = MetaFile(1)
    vendor.next()
    with pytest.raises(MismatchError, match="does not have the role"):
        machine.refresh().find("team/a")


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/etc/passwd", "", "a/", "./a", "a//b", "a\0b"])
def test_target_path_that_leads_out_is_refused(machine: Machine, path: str) -> None:
    target = Target(path=path, length=1, hashes={"sha256": "0" * 64}, custom={})
    with pytest.raises(FormatError, match="leads out of the channel"):
        machine.client().download(target)


def test_target_with_a_weak_digest_only_is_refused(machine: Machine) -> None:
    target = Target(path="a", length=1, hashes={"md5": "0cc175b9c0f1b6a831c399e269772661"}, custom={})
    with pytest.raises(FormatError, match="no SHA-256 or SHA-512"):
        machine.client().download(target)
