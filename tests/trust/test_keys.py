"""Folders of keys: made, changed, cut off, and signed by several people."""

import stat
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root

from jeos.core import files
from jeos.core.errors import InputError, TrustError, UsageError
from jeos.trust.errors import SignatureError
from jeos.trust.keys import Keys, Plan
from jeos.trust.passphrase import Passphrases
from jeos.trust.status import status
from vendor import DAY, NOW

OPEN = Passphrases(given=("open",))


def make(folder: Path, **plan: Plan) -> Keys:
    return Keys.create(folder, now=NOW, passphrases=OPEN, plan=plan)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_create_writes_the_layout(tmp_path: Path) -> None:
    keys = Keys.create(tmp_path / "keys", now=NOW, passphrases=OPEN, offline=[tmp_path / "stick"])
    ids = {role: keys.root.roles[role].keyids[0] for role in keys.root.roles}
    assert names(tmp_path) == sorted(
        [
            "keys/1.root.json",
            "keys/root.json",
            f"keys/snapshot/{ids['snapshot']}.pem",
            f"keys/timestamp/{ids['timestamp']}.pem",
            f"stick/root/{ids['root']}.pem",
            f"stick/targets/{ids['targets']}.pem",
        ]
    )
    for path in tmp_path.rglob("*.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        sealed = path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert sealed == (path.parent.name in ("root", "targets"))


def test_create_refuses_a_folder_with_keys(tmp_path: Path) -> None:
    make(tmp_path)
    before = names(tmp_path)
    with pytest.raises(UsageError, match="has keys already"):
        make(tmp_path)
    assert names(tmp_path) == before


def test_create_without_a_passphrase_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no passphrase"):
        Keys.create(tmp_path / "keys", now=NOW, passphrases=Passphrases())
    assert names(tmp_path) == []


@pytest.mark.parametrize("plan", [Plan(keys=1, threshold=2), Plan(keys=3, threshold=0)])
def test_create_refuses_thresholds_that_cannot_be(tmp_path: Path, plan: Plan) -> None:
    with pytest.raises(UsageError, match="cannot sign for root"):
        make(tmp_path / "keys", root=plan)
    assert names(tmp_path) == []


def test_open_refuses_other_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder of keys"):
        Keys.open(tmp_path)


def test_open_refuses_a_root_that_does_not_follow(tmp_path: Path) -> None:
    mine, other = make(tmp_path / "mine"), make(tmp_path / "other")
    other.renew(now=NOW)
    (tmp_path / "mine/2.root.json").write_bytes(other.roots()[1])
    with pytest.raises(SignatureError):
        Keys.open(mine.folder)


def test_open_completes_a_change_that_was_cut_off(tmp_path: Path) -> None:
    keys = make(tmp_path)
    old = keys.roots()[0]
    keys.renew(now=NOW)
    files.write(tmp_path / "root.json", old)
    assert Keys.open(tmp_path).root.version == 2
    assert (tmp_path / "root.json").read_bytes() == keys.roots()[1]


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_rotate_replaces_the_key(tmp_path: Path, role: str) -> None:
    keys = make(tmp_path)
    old = keys.root.roles[role].keyids
    change = keys.rotate(role, now=NOW)
    assert (change.version, change.lacking, change.removed) == (2, 0, tuple(old))
    again = Keys.open(tmp_path, passphrases=OPEN)
    assert again.root.roles[role].keyids == list(change.added)
    assert [signer.public_key.keyid for signer in again.signers(role)] == list(change.added)


def test_rotate_asks_which_of_several(tmp_path: Path) -> None:
    keys = make(tmp_path, root=Plan(keys=2))
    with pytest.raises(UsageError, match="the role root has 2 keys"):
        keys.rotate("root", now=NOW)
    second = keys.root.roles["root"].keyids[1]
    assert keys.rotate("root", keyid=second[:12], now=NOW).removed == (second,)
    with pytest.raises(UsageError, match="is none of the role root"):
        keys.rotate("root", keyid=keys.root.roles["targets"].keyids[0], now=NOW)


@pytest.mark.parametrize("text", ["", "1234567", "z" * 8, "f" * 64])
def test_revoke_of_an_unknown_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="the key id"):
        make(tmp_path).revoke(text, now=NOW)


def test_revoke_makes_a_new_key_only_where_one_is_needed(tmp_path: Path) -> None:
    keys = make(tmp_path, root=Plan(keys=2))
    change = keys.revoke(keys.root.roles["root"].keyids[0], now=NOW)
    assert change.added == ()
    change = keys.revoke(keys.root.roles["root"].keyids[0], now=NOW)
    assert len(change.added) == 1
    assert keys.root.roles["root"].keyids == list(change.added)
    Keys.open(tmp_path)


def test_wrong_passphrase_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    before = names(tmp_path)
    keys = Keys.open(tmp_path, passphrases=Passphrases(given=("wrong",)))
    with pytest.raises(TrustError, match="none of the passphrases opens the root key"):
        keys.rotate("timestamp", now=NOW)
    assert names(tmp_path) == before


def test_several_people_sign_one_after_the_other(tmp_path: Path) -> None:
    """Two of three must sign; each has a stick of their own, and the folder goes round."""
    make(tmp_path / "keys", root=Plan(keys=3, threshold=2))
    sticks = []
    for number, path in enumerate(sorted((tmp_path / "keys/root").iterdir())):
        stick = tmp_path / f"stick{number}"
        (stick / "root").mkdir(parents=True)
        path.rename(stick / "root" / path.name)
        sticks.append(stick)
    first = Keys.open(tmp_path / "keys", offline=[sticks[0]], passphrases=OPEN)
    change = first.rotate("timestamp", now=NOW)
    assert (change.version, change.lacking) == (2, 1)
    assert "pending.root.json" in names(tmp_path / "keys")
    assert Keys.open(tmp_path / "keys").root.version == 1
    with pytest.raises(UsageError, match="waits for signatures"):
        first.renew(now=NOW)
    again = Keys.open(tmp_path / "keys", offline=[sticks[0]], passphrases=OPEN)
    assert again.sign().lacking == 1
    second = Keys.open(tmp_path / "keys", offline=[sticks[2]], passphrases=OPEN)
    pending = status(second, now=NOW).pending
    assert pending and (pending.version, pending.added) == (2, change.added)
    assert second.sign().lacking == 0
    done = Keys.open(tmp_path / "keys", passphrases=OPEN)
    assert done.root.version == 2
    assert done.pending is None
    assert len(done.signers("timestamp")) == 1
    with pytest.raises(UsageError, match="nothing waits for signatures"):
        done.sign()


def test_replaced_root_keys_sign_with_the_old_threshold(tmp_path: Path) -> None:
    keys = make(tmp_path, root=Plan(keys=3, threshold=2))
    change = keys.rotate("root", keyid=keys.root.roles["root"].keyids[0], now=NOW)
    assert change.lacking == 0
    newest = Metadata[Root].from_bytes(keys.roots()[1])
    old = keys.roots()[0]
    root = Metadata[Root].from_bytes(old).signed
    root.verify_delegate("root", newest.signed_bytes, newest.signatures)


def test_stale_pending_root_is_refused(tmp_path: Path) -> None:
    keys = make(tmp_path)
    (tmp_path / "pending.root.json").write_bytes(keys.roots()[0])
    with pytest.raises(InputError, match="does not follow version 1"):
        keys.sign()


def test_file_with_another_key_is_noticed(tmp_path: Path) -> None:
    keys, other = make(tmp_path / "a"), make(tmp_path / "b")
    path, wrong = keys.place(keys.root.roles["snapshot"].keyids[0]), other.place(other.root.roles["snapshot"].keyids[0])
    assert path and wrong
    path.write_bytes(wrong.read_bytes())
    with pytest.raises(InputError, match="holds another key than its name says"):
        keys.signers("snapshot")


def test_signers_are_no_more_than_needed(tmp_path: Path) -> None:
    keys = make(tmp_path, targets=Plan(keys=3, threshold=2))
    assert len(keys.signers("targets")) == 2


def test_status_tells_where_keys_are_and_what_expires(tmp_path: Path) -> None:
    keys = Keys.create(tmp_path / "k", now=NOW, life=100 * DAY, passphrases=OPEN, offline=[tmp_path / "stick"])
    found = status(keys, now=NOW)
    assert (found.version, found.days_left, found.expires, found.warnings) == (1, 100, "2027-04-25T08:00:00Z", ())
    assert [(role.name, role.threshold) for role in found.roles] == [
        ("root", 1),
        ("targets", 1),
        ("snapshot", 1),
        ("timestamp", 1),
    ]
    assert found.roles[0].keys[0].place == str(tmp_path / "stick/root")
    away = status(Keys.open(tmp_path / "k"), now=NOW + 50 * DAY)
    assert away.roles[0].keys[0].place == "not here"
    assert away.warnings == ("the root expires in 50 days; run `jeos keys renew`, then publish",)
    assert "the root has expired" in status(keys, now=NOW + 101 * DAY).warnings[0]
    beside = status(make(tmp_path / "beside"), now=NOW)
    assert beside.warnings[0].startswith("private keys of root and targets lie beside the others")
