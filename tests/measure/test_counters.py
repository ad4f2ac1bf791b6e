import os
import threading
from pathlib import Path

from jeos.measure import counters

# As QEMU 7.2 answers `query-stats` for the processors.
KVM = [
    {
        "provider": "kvm",
        "qom-path": "/machine/unattached/device[0]",
        "stats": [
            {"name": "exits", "value": 4949},
            {"name": "pf_fixed", "value": 171},
            {"name": "guest_mode", "value": False},
            {"name": "halt_poll_success_hist", "value": [1, 2, 3]},
        ],
    },
    {"provider": "kvm", "qom-path": "/machine/unattached/device[1]", "stats": [{"name": "exits", "value": 51}]},
    {"provider": "other", "stats": [{"name": "exits", "value": 1}]},
]
JIT = """\
Translation buffer state:
gen code size       20566867/134213632
TB count            42391

Statistics:
TB flush count      0
TB invalidate count 1240
TLB full flushes    3
TLB partial flushes 12345
TLB elided flushes  678
"""


def test_kvm_counts_all_processors() -> None:
    assert counters.kvm(KVM) == {"exits": 5000, "pf_fixed": 171}
    assert counters.kvm(None) == {}


def test_emulation_counts_what_is_named() -> None:
    assert counters.emulation({"human-readable-text": JIT}) == {
        "code-invalidated": 1240,
        "tlb-full-flushes": 3,
        "tlb-partial-flushes": 12345,
        "tlb-elided-flushes": 678,
    }
    assert counters.emulation({}) == {}


def test_difference_names_what_grew() -> None:
    assert counters.difference({"a": 1, "b": 2, "c": 9}, {"a": 3, "b": 2, "c": 1, "d": 4}) == {"a": 2, "d": 4}


def test_threads_are_told_apart() -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        before = counters.threads(Path("/proc/self/task"), processor=threading.get_native_id())
        assert sum(range(300_000)) > 0
        after = counters.threads(Path("/proc/self/task"), processor=threading.get_native_id())
    finally:
        done.set()
        other.join()
    assert after["processor"] > before["processor"] > 0
    assert set(after) == {"processor", "beside", "waited", "in-guest"}


def test_thread_is_found_by_its_number_in_a_table_of_its_own(tmp_path: Path) -> None:
    for number, words in ((812, "812\t1"), (815, "815\t4"), (8154, "8154\t9")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "status").write_text(f"Name:\tqemu\nNSpid:\t{words}\nNSpgid:\t0\n")
    assert [counters.outside(tmp_path, number) for number in (1, 4, 9, 5)] == [812, 815, 8154, 5]
    own = threading.get_native_id()
    assert counters.outside(Path("/proc/self/task"), own) == own


def test_threads_of_a_process_that_has_ended() -> None:
    folder = Path(f"/proc/{os.getpid()}/no-such-folder")
    assert counters.threads(folder, processor=1) == {"processor": 0.0, "beside": 0.0}
