import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from jeos.build import deploy, outputs
from jeos.core.errors import InputError, UsageError
from jeos.model import hardware
from jeos.model.hardware import Hardware
from jeos.model.image import Image, Port
from jeos.model.machine import Boot, Forward, OtherDisk, machine_text, parse_machine
from jeos.model.recipe import Property
from jeos.vm import disks

TITLE = Property(name="title", default="Hello", description="stands above the page", pattern="[A-Z].*")
PASSWORD = Property(name="password", required=True, secret=True, pattern=".{8,}")
RULES = (TITLE, PASSWORD)


def put_image(folder: Path, *, properties: tuple[Property, ...] = (), updates: bool = False) -> Path:
    """Write a description and a disk as a build leaves them, and return the recipe's folder."""
    image = Image(
        name="web",
        version="1.0",
        vendor="",
        architecture="amd64",
        disk="web_1.0.img",
        kernel="web_1.0.efi",
        sbom="",
        tree="",
        report="",
        root_hash="00",
        disk_size=1 << 20,
        system_size=0,
        verity_size=0,
        kernel_size=0,
        partitions=(),
        ports=(Port(guest=80), Port(guest=53, protocol="udp")),
        memory=384,
        cpus=2,
        properties=properties,
        updates=updates,
    )
    build = folder / "build"
    build.mkdir()
    (build / "web_1.0.json").write_text(outputs.dump_image(image))
    (build / "web_1.0.img").write_bytes(bytes(1 << 20))
    return folder


def test_machine_of_a_build_takes_what_the_image_asks_for(tmp_path: Path) -> None:
    machine = deploy.machine_of(put_image(tmp_path), boot=Boot.FIRMWARE)
    assert (machine.name, machine.appliance, machine.version) == ("web", "web", "1.0")
    assert (machine.memory, machine.cpus, machine.disk_format, machine.boot) == (384, 2, "raw", Boot.FIRMWARE)
    assert machine.disk == str(tmp_path / "build" / "web_1.0.img")
    assert machine.image == str(tmp_path / "build" / "web_1.0.json")
    assert machine.forwards == (Forward(host=0, guest=80), Forward(host=0, guest=53, protocol="udp"))
    assert replace(machine, uuid="", created=0) == replace(
        deploy.machine_of(Path(machine.image), boot=Boot.FIRMWARE), uuid="", created=0
    )


def test_machine_of_an_image_that_updates_itself_boots_from_its_disk(tmp_path: Path) -> None:
    machine = deploy.machine_of(put_image(tmp_path, updates=True))
    assert (machine.boot, machine.kernel) == (Boot.FIRMWARE, "")


def test_machine_of_a_build_without_its_disk(tmp_path: Path) -> None:
    (put_image(tmp_path) / "build" / "web_1.0.img").unlink()
    with pytest.raises(InputError, match=r"there is no disk .*web_1\.0\.img"):
        deploy.machine_of(tmp_path, boot=Boot.FIRMWARE)


def test_machine_of_a_build_that_cannot_start_directly(tmp_path: Path) -> None:
    (put_image(tmp_path) / "build" / "web_1.0.efi").write_bytes(b"MZ")
    with pytest.raises(InputError):
        deploy.machine_of(tmp_path)


@pytest.mark.parametrize(
    ("file", "name"), [("My Disk.IMG", "my-disk"), ("...raw", "machine"), ("a" * 60 + ".raw", "a" * 48)]
)
def test_machine_of_a_disk_boots_from_firmware_under_a_name_that_fits(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).write_bytes(bytes(100))
    machine = deploy.machine_of(tmp_path / file)
    assert (machine.name, machine.boot, machine.disk_format, machine.image) == (name, Boot.FIRMWARE, "raw", "")
    assert deploy.rules_of(machine) == ()
    with pytest.raises(UsageError, match="brings no kernel for --direct"):
        deploy.machine_of(tmp_path / file, boot=Boot.DIRECT)


def test_machine_of_a_disk_made_for_a_bios(tmp_path: Path) -> None:
    (tmp_path / "old.raw").write_bytes(b"code".ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    assert deploy.machine_of(tmp_path / "old.raw").boot is Boot.BIOS
    assert deploy.machine_of(tmp_path / "old.raw", boot=Boot.FIRMWARE).boot is Boot.FIRMWARE


def test_machine_of_a_converted_disk_has_what_is_written_beside_it(tmp_path: Path) -> None:
    for name in ("server.raw", "server-2.raw"):
        (tmp_path / name).write_bytes(bytes(512))
    had = Hardware(boot=Boot.BIOS, memory=2048, cpus=4, macs=("00:50:56:9a:00:01",), disks=("server-2.raw",))
    (tmp_path / "server.machine.json").write_text(hardware.text(had))
    machine = deploy.machine_of(tmp_path / "server.raw")
    assert (machine.boot, machine.memory, machine.cpus, machine.macs) == (Boot.BIOS, 2048, 4, ("00:50:56:9a:00:01",))
    other = tmp_path / "server-2.raw"
    assert machine.other_disks == (OtherDisk(path=str(other), fingerprint=disks.fingerprint(other)),)
    assert parse_machine(machine_text(machine), source="test") == machine


def test_rules_of_a_machine_are_those_of_its_image(tmp_path: Path) -> None:
    put_image(tmp_path, properties=RULES)
    machine = deploy.machine_of(tmp_path, boot=Boot.FIRMWARE)
    assert deploy.rules_of(machine) == RULES


def test_settle_asks_for_what_is_required() -> None:
    asked = []

    def ask(rule: Property) -> str:
        asked.append(rule.name)
        return "correct horse"

    assert deploy.settle({"title": "Hi"}, RULES, ask=ask) == {"title": "Hi", "password": "correct horse"}
    assert asked == ["password"]


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({}, "the property password must be set", "--set-file password=FILE"),
        ({"titel": "x"}, "there is no property titel", "did you mean title?"),
        ({"zzz": "x"}, "there is no property zzz", "there are: title, password"),
        (
            {"title": "low", "password": "correct horse"},
            "the property title: 'low' does not match the pattern [A-Z].*",
            "--set title=VALUE: stands above the page",
        ),
        (
            {"password": "hunter2"},
            "the property password: the value does not match the pattern .{8,}",
            "--set-file password=FILE",
        ),
        ({"password": "x" * 70000}, "the property password is longer than 64 KiB", "--set-file password=FILE"),
    ],
)
def test_settle_refuses(given: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        deploy.settle(given, RULES, ask=None)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_settle_without_any_property() -> None:
    assert deploy.settle({}, (), ask=None) == {}
    with pytest.raises(UsageError) as caught:
        deploy.settle({"title": "x"}, (), ask=None)
    assert caught.value.hint == "this image has no properties"


def test_description_without_properties_is_read(tmp_path: Path) -> None:
    path = put_image(tmp_path) / "build" / "web_1.0.json"
    values = json.loads(path.read_text())
    del values["properties"]
    path.write_text(json.dumps(values))
    assert asdict(outputs.find(tmp_path).image)["properties"] == ()
