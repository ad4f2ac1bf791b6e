"""Waking a guest that stood still. What would change this host is not done here; a machine's test has that."""

import time
from pathlib import Path

import pytest

from agent_host import agent
from jeos.agent import network, wake

DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier
    lo:  999       9    0    0    0     0          0         0      999       9    0    0    0     0       0          0
  eth0: 1000       9    0    0    0     0          0         0       50       9    0    0    0     0       0          0
  eth1:   24       9    0    0    0     0          0         0        7       9    0    0    0     0       0          0
"""


def test_a_clock_that_is_right_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(time, "clock_settime", lambda clock, told: asked.append(told))
    wake.wake({"time": time.time()})
    wake.wake({"time": 0})
    wake.wake({})
    assert asked == []
    wake.wake({"time": 86400.0})
    assert [round(told) for told in asked] == [86400]


def test_a_clock_is_right_also_after_programs_took_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    passed = iter((100.0, 103.0))
    monkeypatch.setattr(time, "clock_settime", lambda clock, told: asked.append(told))
    monkeypatch.setattr(time, "monotonic", lambda: next(passed))
    assert wake.wake({"time": 86400.0}) == ""
    assert asked == [86403.0]


def test_an_order_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    assert wake.wake({"entropy": "none"}).startswith("non-hexadecimal")
    with agent(tmp_path) as host:
        host.ask(1, do="wake", entropy="none")
        said = host.message(1)
        assert (said["event"], said["status"]) == ("error", 1)
        host.ask(2, do="wake", time=0)
        assert host.message(2) == {"event": "woken"}


def test_traffic_is_that_of_all_cards(tmp_path: Path) -> None:
    place = tmp_path / "dev"
    place.write_text(DEV)
    assert network.traffic(str(place)) == {"received": 1024, "sent": 57}
    with agent(tmp_path) as host:
        host.ask(1, do="usage")
        said = host.message(1)
        assert (said["event"], sorted(said)) == ("usage", ["event", "received", "sent"])
