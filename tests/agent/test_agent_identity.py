"""Becoming a machine of its own, on files of a test; a machine's test has the rest."""

import os
from pathlib import Path

import pytest

from jeos.agent import identity, wake


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let all files of an identity lie in a folder of the test."""
    (tmp_path / "ssh").mkdir()
    (tmp_path / "seed").write_text("old")
    monkeypatch.setattr(identity, "SEED", str(tmp_path / "seed"))
    for function, place in ((identity.write_machine_id, "machine-id"), (identity.renew_keys, "ssh")):
        monkeypatch.setattr(function, "__defaults__", (str(tmp_path / place),))
    monkeypatch.setattr(identity.key_files, "__defaults__", (str(tmp_path / "ssh"),))
    return tmp_path


def hook(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_copy_gets_a_machine_id_no_seed_and_its_hooks_run(own: Path) -> None:
    hook(own / "copy.d", "10-note", f'echo "$1" > {own}/noted')
    hook(own / "copy.d", "20-bad", "echo broken >&2; exit 1")
    said = {"machine_id": "0" * 32, "macs": {}}
    wrong = identity.become(said, folders=[str(own / "copy.d")])
    assert wrong == f"{own}/copy.d/20-bad: broken"
    assert (own / "machine-id").read_text() == "0" * 32 + "\n"
    assert (own / "noted").read_text() == "0" * 32 + "\n"
    assert not (own / "seed").exists()
    (own / "noted").unlink()
    assert identity.become({**said, "rehearsal": True}, folders=[str(own / "copy.d")]) == ""
    assert not (own / "noted").exists()


def test_order_is_slow_only_if_programs_must_run(own: Path) -> None:
    said = {"machine_id": "0" * 32, "macs": {}}
    assert not identity.slow(said, [str(own / "copy.d")])
    hook(own / "copy.d", "10-note", "true")
    assert identity.slow(said, [str(own / "copy.d")])
    assert not identity.slow({**said, "rehearsal": True}, [str(own / "copy.d")])


def test_keys_of_the_server_are_found_and_nothing_else(own: Path) -> None:
    names = ["ssh_host_rsa_key", "ssh_host_rsa_key.pub", "ssh_host_ed25519_key", "sshd_config", "ssh_host_key_of_mine"]
    for name in names:
        (own / "ssh" / name).write_text("")
    assert [os.path.basename(path) for path in identity.key_files()] == [
        "ssh_host_ed25519_key",
        "ssh_host_rsa_key",
        "ssh_host_rsa_key.pub",
    ]


@pytest.mark.parametrize("said", [{}, {"machine_id": "x" * 32, "macs": {}}, {"machine_id": "0" * 32}])
def test_identity_that_makes_no_sense_changes_nothing(own: Path, said: dict[str, object]) -> None:
    assert wake.wake({"identity": said}) == "a machine's identity is a machine id and addresses"
    assert not (own / "machine-id").exists()


def test_request_for_an_address_has_the_kernels_form() -> None:
    found = identity.request_of("eth0", "52:54:00:0a:bc:de")
    assert (len(found), found[:4], found[16:24]) == (40, b"eth0", b"\x01\x00\x52\x54\x00\x0a\xbc\xde")


def test_cards_with_other_addresses_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0/address").write_text("52:54:00:00:00:01\n")
    (tmp_path / "bonding_masters").write_text("")
    identity.change_addresses({"52:54:00:00:00:02": "52:54:00:00:00:03"}, str(tmp_path))
