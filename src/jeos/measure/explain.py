"""Where the cost of virtualization goes: sentences and a table, from what was counted while the guest measured."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from jeos.measure import words
from jeos.measure.counters import BESIDE, PROCESSOR, REASON
from jeos.measure.report import Report, Result

BUSY = 0.05  # of its time that a guest's processor waited: more than that disturbs what is measured
SHADOWED = 0.5  # exits for each page fault of the guest: with nested paging it is next to none
FLUSHES = ("tlb-full-flushes", "tlb-partial-flushes")  # of an emulator's own table of translations

PAGING = {
    "nested": "nested: the processor translates twice, through the guest's page tables and the host's",
    "shadow": "shadow: the host keeps a copy of the guest's page tables, and is called at each change",
    "software": "by software: the emulator looks translations up and keeps them in a table of its own",
    "": "not known: neither kvm_amd nor kvm_intel says so",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table of costs: its head, and a cell ("" where nothing was counted)."""

    head: str
    cell: Callable[[Result], str]


def sentences(report: Report) -> Iterator[str]:
    """Yield what stands out, each with the figures that say so."""
    yield from _about_paging(report)
    if report.accelerator == "tcg":
        yield from _about_emulation(report)
    yield from _about_translations(report)
    yield from _about_devices(report)


def cautions(report: Report) -> Iterator[str]:
    """Yield what makes the figures less certain, and what could not be counted."""
    if report.load > report.processors:
        yield (
            f"This host is busy: {report.load:.1f} programs wanted its {report.processors} processors when this began. "
            "Ratios say more than times."
        )
    if report.waited is not None and report.waited > BUSY:
        yield f"The guest's processor waited for one of the host's in {words.part(report.waited)} of its time."
    yield from report.missing
    for side, facts in (("host", report.host), ("guest", report.guest)):
        reason = facts.get("tlb-counter", "yes")
        if reason != "yes":
            yield f"misses of the TLB, {side}: the kernel offers no counter ({reason})"


def columns(report: Report) -> list[Column]:
    """Return the columns of the table of costs that have anything in them."""
    every = [
        Column("vCPU", lambda result: _seconds(result.costs, PROCESSOR)),
        Column("beside", lambda result: _seconds(result.costs, BESIDE)),
        Column("exits", lambda result: _count(result.costs, "exits")),
        Column("most for", _main_reason),
        Column("pages filled", lambda result: _count(result.costs, "pf_fixed")),
        Column("TLB flushes", lambda result: _count(result.costs, "tlb_flush")),
        Column("TLB flushes", lambda result: _flushes(result.costs)),
        Column("TLB misses host", lambda result: _misses(result, guest=False)),
        Column("guest", lambda result: _misses(result, guest=True)),
    ]
    return [column for column in every if any(column.cell(result) not in ("", "0") for result in report.results)]


def reasons(result: Result) -> list[tuple[str, float]]:
    """Return why the guest left its processor in one operation, and how often, the most frequent first."""
    found = [(name.removeprefix(REASON), count) for name, count in result.costs.items() if name.startswith(REASON)]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def _about_paging(report: Report) -> Iterator[str]:
    fault, fresh = report.result("page-fault"), report.result("first-fault")
    if report.accelerator != "kvm" or fault is None or "exits" not in fault.costs:
        return
    exits = fault.costs["exits"]
    seen = "shadow" if exits > SHADOWED else "nested"
    agree = "as its settings say" if seen == report.paging else "which is what its counters show"
    yield f"Paging is {seen}, {agree}: a page fault in the guest makes {words.count(exits)} exits to the host."
    if fresh is not None and fresh.costs.get("pf_fixed"):
        yield (
            "Memory that is new to the guest is new to the host: "
            f"{words.count(fresh.costs['pf_fixed'])} pages were filled there for each that the guest touched."
        )


def _about_emulation(report: Report) -> Iterator[str]:
    arithmetic, call = report.result("arithmetic"), report.result("system-call")
    if arithmetic is not None and arithmetic.times is not None:
        yield (
            "Nothing of the guest runs on the processor itself, since each instruction is translated: plain arithmetic "
            f"takes {words.times(arithmetic.times)} as long."
        )
    if call is not None and call.times is not None:
        yield (
            f"What enters a kernel takes {words.times(call.times)} as long: the emulator does in many steps what "
            "hardware does in one."
        )


def _about_translations(report: Report) -> Iterator[str]:
    small, large = report.result("memory-4k"), report.result("memory-2m")
    if small is None or large is None:
        return
    for side in ("host", "guest"):
        one, other = getattr(small, side), getattr(large, side)
        if one is not None and other is not None:
            more = one.summary.nanoseconds - other.summary.nanoseconds
            verb = f"costs {words.time(more)}" if more > 0 else "costs nothing that shows"
            yield f"A translation that the TLB lacks {verb} in the {side} (pages of 4 KiB against 2 MiB)."


def _about_devices(report: Report) -> Iterator[str]:
    for name, what in (("disk-read", "A read from the disk"), ("network-round-trip", "A round trip of the network")):
        result = report.result(name)
        if result is None or result.host is None or result.guest is None:
            continue
        more = result.guest.summary.nanoseconds - result.host.summary.nanoseconds
        beside = result.costs.get(BESIDE, 0.0) * 1e9
        yield (
            f"{what} takes {words.time(max(more, 0.0))} more in the guest, beside which QEMU's own threads work "
            f"{words.time(beside)} for it."
        )


def _main_reason(result: Result) -> str:
    found = reasons(result)
    return found[0][0] if found and found[0][1] >= 0.0005 else ""


def _seconds(costs: Mapping[str, float], name: str) -> str:
    return words.time(costs[name] * 1e9) if costs.get(name) else ""


def _count(costs: Mapping[str, float], name: str) -> str:
    return words.count(costs[name]) if name in costs else ""


def _flushes(costs: Mapping[str, float]) -> str:
    return words.count(sum(costs.get(name, 0.0) for name in FLUSHES)) if costs.keys() & set(FLUSHES) else ""


def _misses(result: Result, *, guest: bool) -> str:
    side = result.guest if guest else result.host
    return "" if side is None or side.tlb_misses is None else words.count(side.tlb_misses)
