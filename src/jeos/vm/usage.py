"""What machines use just now: processors, memory, disks and network, as counts and as rates between two of them.

before = count(seen)
…
rates(before, count(seen))      # Rates(processor=0.83, read=0.0, written=4096.0, received=…, sent=…)

The host's kernel counts processor time, QEMU what the guest reads and writes. What goes over the network nobody on this
host counts for a router in user space: the guest's agent tells it, so it is the guest's word, or None.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import JeosError
from jeos.vm import orders
from jeos.vm.places import places_of
from jeos.vm.session import Seen

TICK = os.sysconf("SC_CLK_TCK")  # of processor time a second
PATIENCE = 10.0  # seconds for a supervisor's answer; it asks the guest, which gets less
AT_ONCE = 16  # supervisors that are asked side by side


@dataclass(frozen=True, slots=True)
class Count:
    """What a machine has used since its start: seconds of processor time, and bytes; None is not known."""

    at: float
    processor: float
    read: int | None = None
    written: int | None = None
    received: int | None = None
    sent: int | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """What a machine uses a second: processors (1.0 is one that is fully used) and bytes; None is not known."""

    processor: float
    read: float | None = None
    written: float | None = None
    received: float | None = None
    sent: float | None = None


def count(seen: Seen) -> Count:
    """Return what a machine that runs has used so far; raises nothing: what nobody answers is not known."""
    spent = processor_seconds(seen.state.qemu) + processor_seconds(seen.state.supervisor)
    at = time.monotonic()
    try:
        said = orders.ask(places_of(seen.machine.name).control, {"order": "usage"}, patience=PATIENCE)
    except JeosError:
        return Count(at=at, processor=spent)
    return Count(
        at=at,
        processor=spent,
        read=_number(said, "read"),
        written=_number(said, "written"),
        received=_number(said, "received"),
        sent=_number(said, "sent"),
    )


def count_all(machines: Sequence[Seen]) -> list[Count]:
    """Return what machines have used so far, asking them side by side: one that hangs does not hold up the others."""
    from concurrent.futures import ThreadPoolExecutor  # which not all need who count

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(count, machines))


def rates(before: Count, after: Count) -> Rates:
    """Return what was used a second between two counts."""
    seconds = max(after.at - before.at, 1 / TICK)

    def rate(first: int | None, last: int | None) -> float | None:
        """Leave out what is not known, and a counter that began anew because the guest did."""
        return None if first is None or last is None or last < first else (last - first) / seconds

    return Rates(
        processor=max(0.0, after.processor - before.processor) / seconds,
        read=rate(before.read, after.read),
        written=rate(before.written, after.written),
        received=rate(before.received, after.received),
        sent=rate(before.sent, after.sent),
    )


def processor_seconds(process: int) -> float:
    """Return the processor time of a process, user and system; 0 if it has ended. Source: proc(5), `stat`."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def block_bytes(stats: object) -> dict[str, object]:
    """Return the bytes that a guest has read and written, of what QEMU answers to query-blockstats."""
    devices = [one for one in stats if isinstance(one, dict)] if isinstance(stats, list) else []
    found = [one["stats"] for one in devices if isinstance(one.get("stats"), dict)]
    return {"read": sum(one["rd_bytes"] for one in found), "written": sum(one["wr_bytes"] for one in found)}


def _number(said: Mapping[str, object], key: str) -> int | None:
    value = said.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
