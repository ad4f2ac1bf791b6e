"""What is written beside a converted disk comes back, and what no machine can have is refused."""

import json
from pathlib import Path

import pytest

from jeos.core.errors import InputError
from jeos.model import hardware
from jeos.model.hardware import Hardware
from jeos.model.machine import Boot

OLD = Hardware(boot=Boot.BIOS, memory=2048, cpus=2, macs=("00:50:56:9a:00:01",), disks=("server-2.qcow2",))


def test_hardware_comes_back_as_it_was_written() -> None:
    assert hardware.parse(hardware.text(OLD), source="test") == OLD
    assert hardware.place(Path("vm/server.qcow2")) == Path("vm/server.machine.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boot": "floppy"}, "it does not describe a machine: 'floppy' is not a valid Boot"),
        ({"boot": "direct"}, "2048 MiB, 2 processors, boot direct"),
        ({"memory": 0}, "0 MiB, 2 processors, boot bios"),
        (
            {"macs": ["52:54:00:12:34:56,romfile=/etc/shadow"]},
            "'52:54:00:12:34:56,romfile=/etc/shadow' is not the address",
        ),
        ({"macs": ["01:00:5e:00:00:01"]}, "'01:00:5e:00:00:01' is not the address of a network card"),
        ({"macs": ["00:50:56:9a:00:01"] * 9}, "more than 32 further disks or 8 network cards"),
        ({"disks": ["../secret.raw"]}, "the disk '../secret.raw' is not a file in its folder"),
        ({"disks": None}, "it does not describe a machine: 'NoneType' object is not iterable"),
    ],
)
def test_hardware_that_no_machine_can_have(change: dict[str, object], message: str) -> None:
    fields = {**json.loads(hardware.text(OLD)), **change}
    with pytest.raises(InputError) as caught:
        hardware.parse(json.dumps(fields), source="server.machine.json")
    assert caught.value.message.startswith(f"server.machine.json cannot be used: {message}")


def test_hardware_that_is_not_json() -> None:
    with pytest.raises(InputError, match=r"^x cannot be used: it does not describe a machine: "):
        hardware.parse("[", source="x")
