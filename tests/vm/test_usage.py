"""What machines use: counts, and rates between them."""

import os
import time
from pathlib import Path

import pytest

import tiny_guest
from jeos.vm import session, usage
from jeos.vm.usage import Count, Rates


def test_rates_are_what_was_used_a_second() -> None:
    before = Count(at=10.0, processor=1.0, read=0, written=100, received=5, sent=None)
    after = Count(at=12.0, processor=2.5, read=4096, written=100, received=1, sent=7)
    assert usage.rates(before, after) == Rates(0.75, read=2048.0, written=0.0, received=None, sent=None)


def test_processor_seconds_of_this_process_and_of_none() -> None:
    time.process_time()
    assert 0 < usage.processor_seconds(os.getpid()) < 1e6
    assert usage.processor_seconds(0) == 0.0


def test_block_bytes_adds_the_disks_up() -> None:
    stats = [{"stats": {"rd_bytes": 1, "wr_bytes": 2}}, {"stats": {"rd_bytes": 10, "wr_bytes": 20}}, {"other": 1}]
    assert usage.block_bytes(stats) == {"read": 11, "written": 22}
    assert usage.block_bytes("nonsense") == {"read": 0, "written": 0}


@pytest.mark.vm
@pytest.mark.usefixtures("own_machines")
def test_count_of_a_machine_without_an_agent_knows_no_network(tmp_path: Path) -> None:
    session.run(tiny_guest.machine(tmp_path))
    seen = session.seen("tiny")
    found = usage.count(seen)
    assert found.processor > 0
    assert (found.read, found.written, found.received, found.sent) == (0, 0, None, None)
    session.stop("tiny", within=0)
    assert usage.count(seen).read is None
