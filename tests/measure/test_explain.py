import pytest

from jeos.measure import explain
from jeos.measure.report import Report
from overhead_reports import emulated, on_kvm


@pytest.mark.parametrize(
    ("report", "first"),
    [
        (on_kvm("nested", exits=0.01), "Paging is nested, as its settings say"),
        (on_kvm("shadow", exits=2.5), "Paging is shadow, as its settings say"),
        (on_kvm("", exits=2.5), "Paging is shadow, which is what its counters show"),
        (on_kvm("nested", exits=2.5), "Paging is shadow, which is what its counters show"),
    ],
)
def test_paging_is_named_and_held_against_the_counters(report: Report, first: str) -> None:
    assert next(explain.sentences(report)).startswith(first)


def test_sentences_of_kvm() -> None:
    assert list(explain.sentences(on_kvm("nested", exits=0.01)))[1:] == [
        "Memory that is new to the guest is new to the host: 0.980 pages were filled there for each that the guest "
        "touched.",
        "A translation that the TLB lacks costs 20.0 ns in the host (pages of 4 KiB against 2 MiB).",
        "A translation that the TLB lacks costs 40.0 ns in the guest (pages of 4 KiB against 2 MiB).",
    ]
    assert list(explain.cautions(on_kvm("nested", exits=0.01))) == []


def test_sentences_of_emulation() -> None:
    assert list(explain.sentences(emulated())) == [
        "Nothing of the guest runs on the processor itself, since each instruction is translated: plain arithmetic "
        "takes 3.00 x as long.",
        "What enters a kernel takes 8.00 x as long: the emulator does in many steps what hardware does in one.",
        "A read from the disk takes 149 µs more in the guest, beside which QEMU's own threads work 100 µs for it.",
    ]
    assert list(explain.cautions(emulated())) == [
        "This host is busy: 9.0 programs wanted its 2 processors when this began. Ratios say more than times.",
        "The guest's processor waited for one of the host's in 40 % of its time.",
        "misses of the TLB, host: the kernel offers no counter (No such file or directory)",
    ]


def test_columns_are_those_that_something_was_counted_for() -> None:
    assert [column.head for column in explain.columns(emulated())] == ["vCPU", "beside", "TLB flushes"]
    report = on_kvm("nested", exits=0.5)
    columns = explain.columns(report)
    heads = ["vCPU", "exits", "most for", "pages filled", "TLB misses host", "guest"]
    assert [column.head for column in columns] == heads
    assert [column.cell(report.results[1]) for column in columns] == [
        "2.00 µs",
        "0.500",
        "nested page table",
        "",
        "",
        "",
    ]


def test_reasons_come_by_their_number() -> None:
    fault = on_kvm("nested", exits=0.5).result("page-fault")
    assert fault is not None
    assert explain.reasons(fault) == [("nested page table", 0.5), ("halt", 0.25)]
