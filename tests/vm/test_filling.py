"""When a guest that starts from a backup counts as up."""

import asyncio
import math

import pytest

from jeos.vm import filling


class Guest:
    """A guest whose reads and processor time follow a script: bytes and seconds of each look."""

    def __init__(self, looks: list[tuple[int, float]], *, well_after: float = math.inf) -> None:
        self.looks = looks
        self.well_after = well_after
        self.seen = 0

    @property
    def now(self) -> tuple[int, float]:
        return self.looks[min(self.seen, len(self.looks) - 1)]

    async def execute(self, command: str, arguments: object = None) -> object:
        assert command == "query-blockstats"
        self.seen += 1
        return [{"stats": {"rd_bytes": self.now[0]}}]

    def processor(self) -> float:
        return self.now[1]

    def well(self) -> bool:
        return self.seen >= self.well_after


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass by looks, half a second each, so that nothing depends on this host's speed."""
    clock = [0.0]

    async def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(asyncio.BaseEventLoop, "time", lambda _loop: clock[0])


def waited(guest: Guest) -> float:
    """Return the seconds until the guest counted as up."""

    async def wait() -> float:
        await filling.wait_until_quiet(guest, processor=guest.processor, well=guest.well)
        return asyncio.get_running_loop().time()

    return asyncio.run(wait())


@pytest.mark.usefixtures("looks")
def test_guest_at_rest_is_up_after_a_while_without_reads() -> None:
    assert waited(Guest([(4096, 0.1)])) == filling.QUIET_SECONDS + filling.LOOK_SECONDS


@pytest.mark.usefixtures("looks")
def test_guest_that_reads_is_not_up() -> None:
    reading = [(4096 * number, 0.0) for number in range(100)]
    assert waited(Guest(reading)) == 99 * filling.LOOK_SECONDS + filling.QUIET_SECONDS


@pytest.mark.usefixtures("looks")
def test_guest_that_computes_without_reading_gets_longer() -> None:
    unpacking = [(4096, 0.5 * number) for number in range(1000)]
    assert waited(Guest(unpacking)) == filling.BUSY_SECONDS + filling.LOOK_SECONDS


@pytest.mark.usefixtures("looks")
def test_guest_that_computed_and_rests_is_up() -> None:
    busy = [(4096, 0.5 * number) for number in range(60)]
    resting = [(4096, 30.0)] * 200
    seconds = waited(Guest(busy + resting))
    assert filling.QUIET_SECONDS < seconds < filling.BUSY_SECONDS + filling.LOOK_SECONDS


@pytest.mark.usefixtures("looks")
def test_guest_that_is_well_is_up_as_soon_as_it_stops_reading() -> None:
    answering = [(4096 * number, 0.5 * number) for number in range(40)]
    computing = [(4096 * 39, 0.5 * number) for number in range(40, 1000)]
    seconds = waited(Guest(answering + computing, well_after=20))
    assert seconds == 39 * filling.LOOK_SECONDS + filling.SETTLED_SECONDS
