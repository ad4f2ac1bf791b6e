"""Points that are started to see whether they are worth something: a BIOS starts a sector that says one line."""

from pathlib import Path

import pytest

import boot_sectors
from jeos.backup import boot, proof
from jeos.backup.create import Source, create
from jeos.core.errors import MachineError
from jeos.disk.blocks import Memory
from jeos.model.machine import Boot, Machine, machine_text
from jeos.model.snapshot import Consistency, Point
from jeos.store.places.folder import FolderPlace
from jeos.store.vault import Vault
from jeos.vm.first_start import Outcome

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("own_sockets")]


def point_of(vault: Vault, says: str, *, machine: str = "") -> Point:
    disk = Memory(boot_sectors.saying(says))
    source = Source("disk", "raw", disk)
    return create(vault, [source], owner="old", consistency=Consistency.STOPPED, machine=machine)


def proved(folder: Path, says: str, *, machine: str = "", within: float = 60) -> Outcome:
    """Prove a point of a disk that says a line; check that nothing is left of it."""
    vault = Vault.create(FolderPlace(folder / "vault"))
    point = point_of(vault, says, machine=machine)
    supply = ["backup", "serve", "--store", str(folder / "vault"), point.name]
    outcome = proof.prove(vault, point, supply=supply, within=within)
    return outcome


def test_point_that_comes_up_is_proved(tmp_path: Path) -> None:
    outcome = proved(tmp_path, "starting\nold login: ")
    assert (outcome.reached, outcome.reason) == ("login", "")


def test_point_that_panics_says_so(tmp_path: Path) -> None:
    outcome = proved(tmp_path, "Kernel panic - not syncing: no root\n")
    assert (outcome.reached, outcome.reason) == ("", "its kernel panics: no root")


def test_appliance_is_proved_by_nothing_but_its_health(tmp_path: Path) -> None:
    machine = machine_text(Machine(name="old", disk="x", boot=Boot.BIOS, appliance="web", memory=32))
    outcome = proved(tmp_path, "old login: ", machine=machine, within=4)
    assert (outcome.reached, outcome.reason) == ("", "the health checks did not hold within 4 s")


def test_proof_has_no_network_and_no_ports(tmp_path: Path) -> None:
    vault = Vault.create(FolderPlace(tmp_path / "vault"))
    text = machine_text(Machine(name="old", disk="x", boot=Boot.BIOS, macs=("52:54:00:00:00:01", "52:54:00:00:00:02")))
    made = boot.machine(vault, point_of(vault, "x", machine=text), name="p", supply=["x"], isolated=True)
    assert (made.isolated, made.forwards) == (True, ())


def test_point_whose_vault_is_gone_cannot_be_proved(tmp_path: Path) -> None:
    vault = Vault.create(FolderPlace(tmp_path / "vault"))
    point = point_of(vault, "x")
    with pytest.raises(MachineError, match="there are no backups at"):
        proof.prove(vault, point, supply=["backup", "serve", "--store", str(tmp_path / "no"), point.name], within=5)
