"""Changing how much memory a guest has while it runs."""

import asyncio

import pytest

from jeos.core.errors import MachineError, UsageError
from jeos.vm import balloon

MIB = 1 << 20


class Guest:
    """Stands in for QEMU and a guest that gives back `pace` MiB between two looks, and keeps at least `needs` MiB."""

    def __init__(self, memory: int, *, pace: int, needs: int = 0) -> None:
        self.held, self.asked = memory, memory
        self.pace, self.needs = pace, needs

    async def execute(self, command: str, arguments: "dict[str, object] | None" = None) -> object:
        if command == "balloon":
            assert arguments is not None
            self.asked = int(str(arguments["value"])) // MIB
            return {}
        assert command == "query-balloon"
        if self.asked > self.held:
            self.held = min(self.asked, self.held + self.pace)
        else:
            self.held = max(self.asked, min(self.held, self.needs), self.held - self.pace)
        return {"actual": self.held * MIB}


class Bare:
    """Stands in for QEMU without a balloon."""

    async def execute(self, command: str, arguments: "dict[str, object] | None" = None) -> object:
        raise MachineError(f"QEMU refused {command}: No balloon device has been activated")


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass by looks, so that nothing depends on this host's speed."""
    clock = [0.0]

    async def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(asyncio.BaseEventLoop, "time", lambda _loop: clock[0])


def resized(guest: Guest, memory: int, *, most: int = 512, seconds: float = 60.0) -> int:
    return asyncio.run(balloon.resize(guest, memory, most=most, seconds=seconds))


def test_guest_gives_back_and_gets_back_what_is_asked() -> None:
    guest = Guest(512, pace=10)
    assert resized(guest, 200) == 200
    assert resized(guest, 512) == 512
    assert resized(guest, 512) == 512


def test_guest_keeps_what_it_needs() -> None:
    guest = Guest(512, pace=10, needs=300)
    assert resized(guest, 200) == 300


def test_slow_guest_is_left_after_the_time_given() -> None:
    held = resized(Guest(512, pace=1), 100, seconds=5.0)
    assert 512 - 5.0 / balloon.LOOK_SECONDS - 3 <= held < 512


def test_guest_that_gives_nothing_back_is_named_and_asked_for_nothing_any_more() -> None:
    guest = Guest(512, pace=0)
    with pytest.raises(MachineError, match="the guest has 512 MiB as before"):
        resized(guest, 200)
    assert guest.asked == 512


@pytest.mark.parametrize(
    ("memory", "said"),
    [(31, "31 MiB are too little"), (513, "513 MiB are more than the 512 MiB that the machine started with")],
)
def test_impossible_sizes_are_refused(memory: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        resized(Guest(512, pace=1), memory)


def test_machine_without_a_balloon_is_told_apart() -> None:
    with pytest.raises(MachineError, match="has no balloon"):
        asyncio.run(balloon.resize(Bare(), 256, most=512, seconds=1.0))
