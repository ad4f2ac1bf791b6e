import json
import subprocess
from pathlib import Path

import pytest

from jeos.agent import health, network
from jeos.agent.health import PROPERTIES, SYSTEM, WITHIN

PAGE: dict[str, object] = {"name": "page", "http": "http://localhost/", "within": 300}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a folder like /sys/class/net with `lo` and one card that is not up yet."""
    (tmp_path / "lo").mkdir()
    (tmp_path / "lo/carrier").write_text("1\n")
    (tmp_path / "eth0/device").mkdir(parents=True)
    return tmp_path


def test_addresses_are_those_that_the_kernel_lists() -> None:
    said = subprocess.run(["ip", "-json", "address"], capture_output=True, check=True).stdout
    known = {info["local"] for link in json.loads(said) for info in link.get("addr_info", ())}
    found = network.addresses()
    assert set(found) <= known
    assert not any(address.startswith("127.") or address == "::1" for address in found)


def test_a_machine_with_a_card_waits_for_an_address(machine: Path) -> None:
    assert network.cards(str(machine)) == ["eth0"]
    assert network.lacking(str(machine), found=[]) == "no address on eth0 yet"
    assert network.lacking(str(machine), found=["192.0.2.7"]) == ""
    (machine / "eth0/carrier").write_text("1\n")
    assert network.lacking(str(machine), found=[]) == "no address on eth0 yet"


def test_a_machine_without_a_card_or_with_none_plugged_in_waits_for_nothing(machine: Path, tmp_path: Path) -> None:
    (machine / "eth0/carrier").write_text("0\n")
    assert network.lacking(str(machine), found=[]) == ""
    (machine / "eth0/device").rmdir()
    assert network.lacking(str(machine), found=[]) == ""


def test_the_check_asks_the_machine_itself(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "addresses", lambda: [])
    assert health.attempt({**health.NETWORK, "network": str(machine)}) == "no address on eth0 yet"
    assert health.attempt({**health.NETWORK, "network": str(machine / "none")}).endswith(f"{str(machine / 'none')!r}")


def test_an_appliance_with_ports_needs_an_address_for_as_long_as_its_checks_wait() -> None:
    network_check: dict[str, object] = {"name": "network", "network": "/sys/class/net", "interval": 0.5}
    assert health.complete([PAGE], ports=True, properties=False) == [PAGE, {**network_check, "within": 300}]
    assert health.complete([], ports=True, properties=True) == [SYSTEM, PROPERTIES, {**network_check, "within": WITHIN}]
    assert health.complete([PAGE], ports=False, properties=False) == [PAGE]
