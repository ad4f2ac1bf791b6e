"""Templates on files alone; how copies start is tested with a machine."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.core.errors import MachineError, UsageError
from jeos.model.machine import Forward, machine_text
from jeos.model.saved import Saved, Start, parse_start, saved_text, start_text
from jeos.vm import disks, template
from jeos.vm.places import over_template, places_of, templates_dir
from jeos.vm.saved_files import ABOUT

pytestmark = pytest.mark.usefixtures("own_machines")
PORTS = (Forward(host=0, guest=80),)


@pytest.fixture
def made(tmp_path: Path, own_machines: None) -> Path:
    """Return the folder of a template."""
    folder = templates_dir() / "tiny"
    folder.mkdir(parents=True)
    machine = replace(tiny_guest.machine(tmp_path, name="tiny-template"), forwards=PORTS, disk_size=1 << 20)
    saved = Saved(name="tiny-template", tag="", machine=machine, taken=1.0, qemu="7.2", accelerator="tcg")
    (folder / ABOUT).write_text(saved_text(saved))
    (folder / "ram").write_bytes(b"memory")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "disk.qcow2", "1M"], check=True)
    return folder


def test_copy_lies_over_the_template_and_is_another_machine(made: Path) -> None:
    machine, start = template.copy_of("tiny", copy="one", forwards=None)
    other, _ = template.copy_of("tiny", copy="two", forwards=())
    assert (machine.name, machine.disk, machine.disk_format) == ("one", str(made / "disk.qcow2"), "qcow2")
    assert machine.disk_fingerprint == disks.fingerprint(made / "disk.qcow2")
    assert (machine.forwards, other.forwards) == (PORTS, ())
    assert (over_template(machine), over_template(template.find("tiny").saved.machine)) == (True, False)
    assert len({machine.uuid, other.uuid, template.find("tiny").saved.machine.uuid}) == 3
    assert (start.private, start.again, start.balloon, start.old_macs) == (True, False, False, ("52:54:00:0a:bc:de",))
    assert parse_start(start_text(start)) == start
    assert parse_start(start_text(Start())) == Start()


def test_copy_of_nothing_or_under_a_taken_name_is_refused(made: Path) -> None:
    with pytest.raises(MachineError, match="there is no template none"):
        template.copy_of("none", copy="one", forwards=None)
    machine, _ = template.copy_of("tiny", copy="one", forwards=None)
    places_of("one").folder.mkdir(parents=True)
    places_of("one").machine.write_text(machine_text(machine))
    with pytest.raises(UsageError, match="there is a machine one already"):
        template.copy_of("tiny", copy="one", forwards=None)


def test_template_goes_only_when_no_machine_needs_it(made: Path) -> None:
    machine, _ = template.copy_of("tiny", copy="one", forwards=None)
    places_of("one").folder.mkdir(parents=True)
    places_of("one").machine.write_text(machine_text(machine))
    assert [(one.name, template.users(one.name)) for one in template.listed()] == [("tiny", ["one"])]
    with pytest.raises(MachineError, match="the template tiny is under the disks of one"):
        template.remove("tiny")
    places_of("one").machine.unlink()
    template.remove("tiny")
    assert (template.listed(), list(templates_dir().iterdir())) == ([], [])


def test_template_of_an_image_that_was_built_anew_is_refused(made: Path) -> None:
    Path(template.find("tiny").saved.machine.disk).write_bytes(bytes(2 << 20))
    with pytest.raises(MachineError, match="the image has been built anew"):
        template.copy_of("tiny", copy="one", forwards=None)


def test_second_template_of_a_name_is_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is a template tiny already"):
        template.create(tiny_guest.machine(tmp_path), values={}, seconds=1)
