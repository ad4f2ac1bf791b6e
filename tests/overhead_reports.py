"""Reports as measurements make them, for tests of what is shown."""

from collections.abc import Mapping

from jeos.measure.report import Measured, Report, Result
from jeos.measure.statistics import Summary


def side(nanoseconds: float, *, spread: float = 0.1, misses: float | None = None) -> Measured:
    summary = Summary(nanoseconds, least=nanoseconds, median=nanoseconds, spread=spread, repetitions=25)
    return Measured(summary, tlb_misses=misses)


def result(name: str, host: float, guest: float, costs: Mapping[str, float] | None = None) -> Result:
    return Result(name, host=side(host), guest=side(guest, spread=0.2), costs=costs or {})


def on_kvm(paging: str, *, exits: float) -> Report:
    """Return a report of a guest on KVM whose page faults make so many exits each."""
    exit_costs = {"exits": exits, "exit: nested page table": exits, "exit: halt": exits / 2, "processor": 2e-6}
    return Report(
        accelerator="kvm",
        reason="/dev/kvm runs code at the processor's speed",
        paging=paging,
        qemu="7.2.22 (Debian)",
        network="slirp",
        host={"processor": "AMD EPYC", "kernel": "6.12", "tlb-counter": "yes"},
        guest={"processor": "AMD EPYC", "kernel": "6.12", "tlb-counter": "yes"},
        results=(
            result("arithmetic", 1.0, 1.0),
            result("page-fault", 500, 600, exit_costs),
            result("first-fault", 500, 1500, {"pf_fixed": 0.98, "exits": 1.0}),
            Result("memory-4k", host=side(40, misses=0.9), guest=side(60, misses=0.91)),
            Result("memory-2m", host=side(20, misses=0), guest=side(20, misses=0)),
        ),
        load=0.5,
        processors=4,
        waited=0.001,
    )


def emulated() -> Report:
    """Return a report of an emulated guest on a busy host that lacks counters."""
    return Report(
        accelerator="tcg",
        reason="there is no /dev/kvm",
        paging="software",
        qemu="7.2.22 (Debian)",
        network="slirp",
        host={"processor": "AMD <EPYC>", "kernel": "6.12", "tlb-counter": "No such file or directory"},
        guest={"processor": "QEMU", "kernel": "6.12", "tlb-counter": "yes"},
        results=(
            result("arithmetic", 1.0, 3.0, {"processor": 3e-9, "beside": 4e-10}),
            result("system-call", 100, 800, {"processor": 9e-7}),
            result("switch", 3000, 90000, {"tlb-full-flushes": 1.0, "tlb-partial-flushes": 3.5}),
            result("disk-read", 1000, 150000, {"beside": 1e-4}),
            result("disk-stream", 100000, 50000),
            Result("network-send", host=side(4e5), lacks={"guest": "there is no network"}),
        ),
        load=9.0,
        processors=2,
        waited=0.4,
    )
