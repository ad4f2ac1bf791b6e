"""Try what a host offers machines, one setting after another, and keep what makes them faster.

    found = tune(machine, folder=folder, rounds=8, heard=print)
    found.tuning, found.trials

Each setting is tried on top of those kept before it: two guests, one with it and one without, measure the same
quantities by turns, in rounds that alternate who begins. A setting is kept if some quantity is better and none is
worse: in so many rounds that chance would hardly do it (sign test), and by more than a margin. How large that is for
each quantity is found out first, with two guests that are alike.
Source of the test: Dixon and Mood, "The statistical sign test" (1946).
"""

import asyncio
import math
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from jeos.core import files
from jeos.core.errors import MachineError
from jeos.measure.guest import COMMON, DISK, MEMORY, READ_SIZE, SHORT, fill, prepare, running
from jeos.measure.kit import Kit, Value, read_kit
from jeos.measure.peer import Peer
from jeos.measure.protocol import Done, Stop, Warm
from jeos.measure.side import Side
from jeos.measure.statistics import summarize
from jeos.measure.turns import let, next_name
from jeos.model.machine import Machine
from jeos.model.tuning import USUAL, Engine, Tuning
from jeos.vm import accelerator, host_profile
from jeos.vm.places import Places

SLICE, BUDGET, REPETITIONS = 1e6, 0.2e9, 60  # nanoseconds of a repetition and of a measurement, and how many at most
MARGIN = 0.03  # by which a quantity must differ at least
CHANCE = 0.05  # of so many rounds for the one of two guests, if they were alike
FEWEST_ROUNDS = 5  # with fewer, chance does it too often
DISK_QUANTITIES = ("disk-read", "disk-write", "disk-stream")
MEMORY_QUANTITIES = ("page-fault", "memory-4k", "memory-2m")
NETWORK_QUANTITIES = ("network-round-trip", "network-send", "network-receive")
ALL_QUANTITIES = (*DISK_QUANTITIES, *MEMORY_QUANTITIES, *NETWORK_QUANTITIES)
PREFIX = "jeos-tune-"

Pair = tuple[float, float]  # nanoseconds without a setting and with it


class Verdict(StrEnum):
    """What rounds say of a quantity."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A setting to try, what it changes, and which quantities tell; `why_not` is why it cannot be tried here."""

    name: str
    title: str
    change: Callable[[Tuning], Tuning]
    quantities: tuple[str, ...]
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """One quantity: how many times as long it took with the setting (median), and in how many rounds less long."""

    quantity: str
    times: float
    quicker: int
    rounds: int
    margin: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Trial:
    """A setting that was tried, and what came of it; without any `judged` it was not, and `why_not` says why."""

    name: str
    title: str
    judged: tuple[Judged, ...] = ()
    kept: bool = False
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The settings that were kept together, and all trials; the `control` compared two guests that are alike."""

    tuning: Tuning
    trials: tuple[Trial, ...]
    control: tuple[Judged, ...] = ()
    rounds: int = 0
    accelerator: str = ""


@dataclass(frozen=True, slots=True)
class _Bench:
    """What all comparisons share."""

    machine: Machine
    kit: Kit
    folder: Path
    port: int
    rounds: int


def tune(machine: Machine, *, folder: Path, rounds: int, heard: Callable[[Trial], None]) -> Found:
    """Try all that this host offers, in guests with the kernel and the interpreter of a machine that starts directly.

    `folder` is for the guests' disks; it must be where machines have theirs. `heard` is told each trial as it ends.
    Raises InputError for a machine that jeos did not build, and what starting a machine raises.
    """
    chosen = accelerator.choose(machine.accelerator).kind
    with files.temporary_folder(folder, prefix=PREFIX) as work, Peer() as peer:
        fill(work / DISK, READ_SIZE)
        bench = _Bench(machine, read_kit(machine), work, peer.port, rounds)
        control = judge_all(_compared(bench, USUAL, USUAL, ALL_QUANTITIES), margins={})
        margins = {one.quantity: max(MARGIN, 2 * abs(one.times - 1)) for one in control}
        tuning, trials = USUAL, []
        for candidate in candidates(folder):
            trial = Trial(candidate.name, candidate.title, why_not=candidate.why_not)
            if not candidate.why_not:
                wanted = candidate.change(tuning)
                judged = judge_all(_compared(bench, tuning, wanted, candidate.quantities), margins=margins)
                trial = replace(trial, judged=judged, kept=worth_it(judged))
                tuning = wanted if trial.kept else tuning
            trials.append(trial)
            heard(trial)
    return Found(tuning, tuple(trials), control=control, rounds=rounds, accelerator=chosen)


def candidates(folder: Path) -> tuple[Candidate, ...]:
    """Return the settings to try on this host, for disks in `folder`, in the order of trying."""
    io_uring = host_profile.io_uring_complaint()
    free, needed = host_profile.free_huge_pages(), 2 * (MEMORY << 20) // host_profile.HUGE_PAGE
    return (
        Candidate(
            "io-uring",
            "disks through io_uring",
            lambda before: replace(before, engine=Engine.IO_URING),
            DISK_QUANTITIES,
            f"the kernel allows no io_uring: {io_uring}" if io_uring else "",
        ),
        Candidate(
            "native",
            "disks through Linux AIO, around the host's cache",
            lambda before: replace(before, engine=Engine.NATIVE, direct=True),
            DISK_QUANTITIES,
            "" if _around_the_cache(folder) else f"the file system of {folder} does not let programs around its cache",
        ),
        Candidate(
            "iothread",
            "a thread of their own for disks",
            lambda before: replace(before, iothread=True),
            DISK_QUANTITIES,
        ),
        Candidate(
            "packed",
            "one ring for each queue of disks and networks",
            lambda before: replace(before, packed=True),
            (*DISK_QUANTITIES, *NETWORK_QUANTITIES),
        ),
        Candidate(
            "huge",
            "memory in pages of 2 MiB that are set aside",
            lambda before: replace(before, huge=True),
            MEMORY_QUANTITIES,
            "" if free >= needed else f"{free} such pages are free, and {needed} are needed: sysctl vm.nr_hugepages",
        ),
    )


def _around_the_cache(folder: Path) -> bool:
    with files.temporary_folder(folder, prefix=PREFIX) as work:
        (work / "try").touch()
        return host_profile.around_the_cache(work / "try")


def judge_all(pairs: Mapping[str, Sequence[Pair]], *, margins: Mapping[str, float]) -> tuple[Judged, ...]:
    """Judge each quantity by its own margin."""
    return tuple(judge(name, found, margin=margins.get(name, MARGIN)) for name, found in pairs.items())


def judge(quantity: str, pairs: Sequence[Pair], *, margin: float) -> Judged:
    """Return what the rounds say of a quantity."""
    parts = [with_it / without for without, with_it in pairs]
    times = statistics.median(parts)
    quicker, slower = sum(part < 1 for part in parts), sum(part > 1 for part in parts)
    verdict = Verdict.SAME
    if times <= 1 - margin and by_chance(quicker, of=len(parts)) <= CHANCE:
        verdict = Verdict.BETTER
    elif times >= 1 + margin and by_chance(slower, of=len(parts)) <= CHANCE:
        verdict = Verdict.WORSE
    return Judged(quantity, times, quicker, len(parts), margin, verdict)


def by_chance(wins: int, *, of: int) -> float:
    """Return how likely one of two equals wins so many rounds, or more."""
    return sum(math.comb(of, number) for number in range(wins, of + 1)) / (1 << of)


def worth_it(judged: Sequence[Judged]) -> bool:
    """Tell whether a setting is to be kept."""
    verdicts = {one.verdict for one in judged}
    return Verdict.BETTER in verdicts and Verdict.WORSE not in verdicts


def _compared(bench: _Bench, without: Tuning, with_it: Tuning, quantities: tuple[str, ...]) -> dict[str, list[Pair]]:
    return asyncio.run(_compare(bench, without, with_it, quantities))


async def _compare(
    bench: _Bench, without: Tuning, with_it: Tuning, quantities: tuple[str, ...]
) -> dict[str, list[Pair]]:
    """Let two guests that differ in their tuning measure the same, and return the pairs by quantity."""
    settings: dict[str, Value] = {
        **COMMON,
        "slice": SLICE,
        "budget": BUDGET,
        "repetitions": REPETITIONS,
        "port": bench.port,
        "only": quantities,
        "rounds": bench.rounds,
    }
    async with AsyncExitStack() as stack:
        sides = []
        for name, tuning in (("without", without), ("with", with_it)):
            folder = stack.enter_context(files.temporary_folder(bench.folder, prefix=PREFIX))
            os.link(bench.folder / DISK, folder / DISK)
            sockets = stack.enter_context(files.temporary_folder(SHORT, prefix=PREFIX))
            places = Places(name=f"tune-{os.getpid()}-{name}", folder=folder, runtime=sockets)
            guest = prepare(bench.machine, places, kit=bench.kit, settings=settings)
            one = await stack.enter_async_context(running(guest, places, name=name, tuning=tuning))
            sides.append(one.side)
        return await _rounds(sides[0], sides[1])


async def _rounds(without: Side, with_it: Side) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {}
    while names := [await next_name(side, {}) for side in (without, with_it)]:
        if len(set(names)) != 1:
            raise MachineError(f"the two guests are not at the same measurement: {', '.join(names)}", hint="try again")
        if not names[0]:
            break
        pairs = found.setdefault(names[0], [])
        order = (without, with_it) if len(pairs) % 2 == 0 else (with_it, without)
        took = {side.name: await _one(side) for side in order}
        first, second = took[without.name], took[with_it.name]
        if first is not None and second is not None:
            pairs.append((first, second))
    return {name: pairs for name, pairs in found.items() if len(pairs) >= FEWEST_ROUNDS}


async def _one(side: Side) -> float | None:
    """Let a side measure what it is ready for; return the nanoseconds of one operation, or None if it cannot."""
    lacks: dict[str, str] = {}
    if await let(side, Warm, lacks) and await let(side, Stop, lacks):
        done = await let(side, Done, lacks)
        return summarize(done.nanoseconds).nanoseconds if done else None
    return None
