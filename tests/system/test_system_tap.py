"""A built machine on a tap device of this host: no router of QEMU's is between, and packets go both ways."""

import errno
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from jeos_command import Jeos, wait_until
from machine_use import BOOT, inside
from soak import LONG

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.vm, LONG]
CLOSED = 9  # the port of discard, where nothing listens: whoever is there refuses
LINK = "20"  # the scope of link-local addresses
NAME, CARD = "tapped", "jeos-test-tap"


@pytest.fixture
def tap(is_root: None) -> Iterator[str]:
    """Make a tap device; skip where the host has none."""
    made = subprocess.run(["ip", "tuntap", "add", "dev", CARD, "mode", "tap"], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"this host makes no tap device: {made.stderr.strip()}")
    subprocess.run(["ip", "link", "set", CARD, "up"], check=True)
    yield CARD
    subprocess.run(["ip", "link", "delete", CARD], check=True)


def answers(address: str) -> bool:
    """Tell whether a machine is behind the tap device that refuses a connection."""
    with socket.socket(socket.AF_INET6) as one:
        one.settimeout(2)
        found = one.connect_ex((address, CLOSED, 0, socket.if_nametoindex(CARD)))
    return found == errno.ECONNREFUSED


def link_locals(jeos: Jeos) -> list[str]:
    """Return the addresses of the machine on its link (proc_net of Linux: address, number, prefix, scope, …, card)."""
    lines = inside(jeos, NAME, "cat", "/proc/net/if_inet6").splitlines()
    return [str(IPv6Address(bytes.fromhex(words[0]))) for words in map(str.split, lines) if words[3] == LINK]


def test_machine_on_a_tap_device_is_a_neighbour(jeos: Jeos, tiny: Path, tap: str) -> None:
    words = ("--name", NAME, "--net", f"tap:{tap}", "--accel", "tcg", "--detach", "--timeout", str(BOOT))
    jeos.run("run", tiny, *words, "--wait", "healthy")
    try:
        (seen,) = json.loads(jeos.run("ls", "--json").stdout)
        process = seen["state"]["qemu"]
        opened = {os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir()}
        assert "/dev/net/tun" in opened
        assert ("/dev/vhost-net" in opened) == os.access("/dev/vhost-net", os.R_OK | os.W_OK)
        wait_until(lambda: any(answers(address) for address in link_locals(jeos)), "no neighbour answers", seconds=60)
        jeos.run("stop", NAME)
        assert not Path(f"/proc/{process}").exists()
        jeos.run("run", NAME, *words[4:], "--wait", "healthy")  # the device is free again
    finally:
        jeos.run("rm", "--force", NAME)
