from jeos.measure import exit_reasons

# As Linux 6.12 writes it (kernel/trace/trace_events_hist.c), with the counts of a guest.
HISTOGRAM = """\
# event histogram
#
# trigger info: hist:keys=exit_reason:vals=hitcount:sort=hitcount:size=2048 if common_pid == 812 [active]
#

{ exit_reason:        114 } hitcount:          2
{ exit_reason:       1024 } hitcount:        171
{ exit_reason:         16 } hitcount:          5
{ exit_reason:          3 } hitcount:          7
{ exit_reason:        999 } hitcount:          1

Totals:
    Hits: 186
    Entries: 5
    Dropped: 0
"""


def test_histogram_by_name_on_amd() -> None:
    assert exit_reasons.parse(HISTOGRAM, names=exit_reasons.amd_name) == {
        "cpuid": 2,
        "nested page table": 171,
        "control register": 12,
        "reason 0x3e7": 1,
    }


def test_histogram_by_name_on_intel() -> None:
    text = "{ exit_reason:  48 } hitcount:  3\n{ exit_reason: 2147483681 } hitcount: 1\n"
    assert exit_reasons.parse(text, names=exit_reasons.intel_name) == {"nested page table": 3, "reason 33": 1}


def test_nothing_counted_yet() -> None:
    assert exit_reasons.parse("# event histogram\n\nTotals:\n    Hits: 0\n", names=exit_reasons.amd_name) == {}
