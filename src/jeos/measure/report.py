"""What one run of the measurements found: values, for the table, the picture and JSON alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jeos.measure.protocol import Done
from jeos.measure.quantities import BY_NAME, Quantity
from jeos.measure.statistics import Summary, summarize

FORMAT = 1  # of the JSON; grows when a field changes its meaning or goes


@dataclass(frozen=True, slots=True)
class Measured:
    """A quantity on one side. What is counted is of one operation; None where it is not known there.

    `waited` is the part of the time in which the program was ready and another had the processor.
    """

    summary: Summary
    faults: float | None = None
    tlb_misses: float | None = None
    waited: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A quantity on both sides; what is missing says in `lacks` why, by side.

    `costs` are counters of this host while the guest measured, for one operation: seconds for times, else how often.
    """

    name: str
    host: Measured | None = None
    guest: Measured | None = None
    lacks: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def quantity(self) -> Quantity:
        """What was measured."""
        return BY_NAME[self.name]

    @property
    def times(self) -> float | None:
        """How many times as long it takes in the guest; None where one side is missing."""
        if self.host is None or self.guest is None or not self.host.summary.nanoseconds:
            return None
        return self.guest.summary.nanoseconds / self.host.summary.nanoseconds


@dataclass(frozen=True, slots=True)
class Report:
    """All results, and what they hold for.

    `paging` is "nested", "shadow", "software" (emulated) or "" where not known. `host` and `guest` are facts by name;
    `missing` says what could not be counted, and why; `load` is how many programs wanted a processor when it began, of
    which there are `processors`. `waited` is the part of all its time in which the guest's processor did not get one of
    the host's. `seconds` are wall time.
    """

    accelerator: str
    reason: str
    paging: str
    qemu: str
    network: str
    host: Mapping[str, str]
    guest: Mapping[str, str]
    results: tuple[Result, ...]
    missing: tuple[str, ...] = ()
    load: float = 0.0
    processors: int = 1
    waited: float | None = None
    quick: bool = True
    seconds: float = 0.0

    def result(self, name: str) -> Result | None:
        """Return the result of a quantity, or None if it was not asked for."""
        return next((result for result in self.results if result.name == name), None)


def measured(done: Done) -> Measured:
    """Return what a program's word comes to."""

    def each(count: int | None) -> float | None:
        return None if count is None else count / done.operations

    spent = sum(done.nanoseconds) / len(done.nanoseconds) * done.operations
    waited = None if done.waited is None else min(1.0, done.waited / spent)
    return Measured(summarize(done.nanoseconds), faults=each(done.faults), tlb_misses=each(done.misses), waited=waited)


def as_values(report: Report) -> dict[str, object]:
    """Return a report in the form of its JSON (docs/reference/overhead.md)."""
    return {
        "format": FORMAT,
        "quick": report.quick,
        "seconds": round(report.seconds, 1),
        "accelerator": {"kind": report.accelerator, "reason": report.reason, "paging": report.paging},
        "qemu": report.qemu,
        "network": report.network,
        "host": dict(report.host),
        "guest": dict(report.guest),
        "load": {"wanted": report.load, "processors": report.processors, "waited": report.waited},
        "missing": list(report.missing),
        "results": [_result_values(result) for result in report.results],
    }


def _result_values(result: Result) -> dict[str, object]:
    return {
        "name": result.name,
        "title": result.quantity.title,
        "operation": result.quantity.operation,
        "host": _measured_values(result.host),
        "guest": _measured_values(result.guest),
        "times": result.times,
        "lacks": dict(result.lacks),
        "costs": dict(result.costs),
    }


def _measured_values(found: Measured | None) -> dict[str, object] | None:
    if found is None:
        return None
    summary = found.summary
    return {
        "nanoseconds": summary.nanoseconds,
        "least": summary.least,
        "median": summary.median,
        "spread": summary.spread,
        "repetitions": summary.repetitions,
        "faults": found.faults,
        "tlb_misses": found.tlb_misses,
        "waited": found.waited,
    }
