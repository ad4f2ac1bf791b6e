"""A machine on a tap device: what is asked of the kernel, and what is said where that refuses."""

import errno
import os
import struct
from pathlib import Path

import pytest

from jeos.core.errors import HostError, JeosError, MachineError, UsageError
from jeos.model.machine import Machine, machine_text, parse_machine, parse_net
from jeos.vm import network
from jeos.vm.tap import TUNSETIFF, open_device, open_vhost


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "tun").touch()
    (tmp_path / "cards/tap0").mkdir(parents=True)
    return tmp_path


def test_open_device_asks_for_ethernet_with_the_heads_of_virtio(host: Path) -> None:
    asked: list[tuple[int, int, bytes]] = []
    opened = open_device("tap0", tun=host / "tun", cards=host / "cards", control=lambda *words: asked.append(words))
    os.close(opened)
    assert asked == [(opened, TUNSETIFF, struct.pack("16sH22x", b"tap0", 0x5002))]
    assert len(asked[0][2]) == 40  # struct ifreq


@pytest.mark.parametrize(
    ("name", "tun", "number", "error", "words"),
    [
        ("tap1", "tun", 0, HostError, "this host has no tap device tap1"),
        ("tap0", "none", 0, HostError, "HOST/none cannot be opened: No such file or directory"),
        ("tap0", "tun", errno.EPERM, HostError, "tap0 cannot be used: Operation not permitted"),
        ("tap0", "tun", errno.EBUSY, MachineError, "another program or machine has tap0"),
    ],
)
def test_device_that_cannot_be_had_is_refused_with_the_reason(
    host: Path, name: str, tun: str, number: int, error: type[JeosError], words: str
) -> None:
    def refuse(device: int, request: int, about: bytes) -> None:
        raise OSError(number, os.strerror(number))

    before = os.listdir("/proc/self/fd")
    with pytest.raises(error) as caught:
        open_device(name, tun=host / tun, cards=host / "cards", control=refuse)
    assert caught.value.message.replace(str(host), "HOST") == words
    assert os.listdir("/proc/self/fd") == before


def test_vhost_is_taken_where_it_can_be_opened(host: Path) -> None:
    assert open_vhost(host / "none") is None
    assert network.tap(descriptor=7, vhost=None) == network.Network("tap", (), "tap,id=net,fd=7")
    opened = open_vhost(host / "tun")
    assert opened is not None
    os.close(opened)
    assert network.tap(descriptor=7, vhost=9) == network.Network(
        "tap, vhost-net", (), "tap,id=net,fd=7,vhost=on,vhostfd=9"
    )


NETS = [
    ("user", ("", False)),
    ("none", ("", True)),
    ("tap:tap0", ("tap0", False)),
    ("tap:vm-web.1", ("vm-web.1", False)),
]


@pytest.mark.parametrize(("text", "expected"), NETS)
def test_parse_net(text: str, expected: tuple[str, bool]) -> None:
    tap, isolated = parse_net(text)
    assert (tap, isolated) == expected
    machine = Machine(name="web", disk="/images/web.img", tap=tap, isolated=isolated)
    assert parse_machine(machine_text(machine), source="") == machine


@pytest.mark.parametrize(
    "text", ["", "tap", "tap:", "bridge:br0", "tap:a,b", "tap:../x", "tap:sixteen-letters-", "user:x", "none:"]
)
def test_parse_net_refuses(text: str) -> None:
    with pytest.raises(UsageError, match="is not of the form"):
        parse_net(text)
