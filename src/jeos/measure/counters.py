"""What this host counts while the guest measures: exits, page tables, flushed translations, processor time.

before = await counters.read()
…
difference(before, await counters.read())     # {"exits": 38, "pf_fixed": 2, "processor": 0.0041, …}

KVM's counters come through QEMU (`query-stats`), so they need no rights; those of a QEMU that emulates from
`x-query-jit`. Reasons of exits are only in the kernel's trace, which wants root (`exit_reasons`).
Source: QEMU, qapi/stats.json, accel/tcg; Linux, Documentation/virt/kvm/api.rst 4.137, and
Documentation/scheduler/sched-stats.rst.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from jeos.core.errors import MachineError
from jeos.measure.exit_reasons import ExitReasons
from jeos.vm.qmp import Qmp

TICK = os.sysconf("SC_CLK_TCK")
PROCESSOR, WAITED, BESIDE, IN_GUEST = "processor", "waited", "beside", "in-guest"  # seconds
REASON = "exit: "  # before the name of an exit's reason
# Lines of QEMU's word on its translator, by the name that they have here.
EMULATION = {
    "TB invalidate count": "code-invalidated",
    "TLB full flushes": "tlb-full-flushes",
    "TLB partial flushes": "tlb-partial-flushes",
    "TLB elided flushes": "tlb-elided-flushes",
}
GUEST_TIME = 40  # index in /proc/PID/stat behind the program's name, of 43 in proc(5)


class Counters:
    """The counters of one running QEMU."""

    def __init__(self, qmp: Qmp, *, process: int, emulated: bool, thread: int, reasons: ExitReasons | None) -> None:
        self._qmp, self._process, self._emulated, self._thread = qmp, process, emulated, thread
        self._reasons = reasons

    async def read(self) -> dict[str, float]:
        """Return all counters by name; what this QEMU or kernel does not count is missing."""
        found = threads(Path(f"/proc/{self._process}/task"), processor=self._thread)
        try:
            if self._emulated:
                found |= emulation(await self._qmp.execute("x-query-jit"))
            else:
                for target in ("vm", "vcpu"):
                    found |= kvm(await self._qmp.execute("query-stats", {"target": target}))
        except MachineError:  # a QEMU that was made without it
            return found
        if self._reasons:
            found |= {REASON + name: count for name, count in self._reasons.read().items()}
        return found

    def close(self) -> None:
        """End what was begun for them."""
        if self._reasons:
            self._reasons.close()


async def open_counters(qmp: Qmp, *, process: int, emulated: bool) -> tuple[Counters, str]:
    """Return the counters of a QEMU whose guest has one processor, and why exits have no reasons ("" if they have)."""
    processors = await qmp.execute("query-cpus-fast")
    inside = int(processors[0]["thread-id"]) if isinstance(processors, list) else process
    thread = outside(Path(f"/proc/{process}/task"), inside)
    reasons, why = (None, "") if emulated else ExitReasons.open(thread)
    return Counters(qmp, process=process, emulated=emulated, thread=thread, reasons=reasons), why


def outside(folder: Path, number: int) -> int:
    """Return the number that a thread of a process has here, of the one that it has in its own table of processes.

    Machines that are fenced off have such a table. Source: Linux, Documentation/filesystems/proc.rst, `NSpid`.
    """
    for thread in folder.glob("*"):
        found = re.search(r"^NSpid:.*?(\d+)$", (thread / "status").read_text(), re.MULTILINE)
        if found and int(found[1]) == number:
            return int(thread.name)
    return number


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return by how much counters grew; those that did not are missing."""
    return {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}


def threads(folder: Path, *, processor: int) -> dict[str, float]:
    """Return the seconds that QEMU's threads ran: the guest's processor, and all others; and how long it waited."""
    found = {PROCESSOR: 0.0, BESIDE: 0.0}
    for thread in folder.glob("*"):
        try:
            ran, waited, _ = (int(word) / 1e9 for word in (thread / "schedstat").read_text().split())
            stat = (thread / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):  # it has ended, or this kernel does not count
            continue
        if thread.name == str(processor):
            found |= {PROCESSOR: ran, WAITED: waited, IN_GUEST: int(stat[GUEST_TIME]) / TICK}
        else:
            found[BESIDE] += ran
    return found


def kvm(said: object) -> dict[str, float]:
    """Return the counters that `query-stats` answers with, summed up over processors; histograms are left out."""
    found: dict[str, float] = {}
    for entry in said if isinstance(said, list) else ():
        if entry.get("provider") == "kvm":
            for one in entry["stats"]:
                if isinstance(one.get("value"), int) and not isinstance(one["value"], bool):
                    found[one["name"]] = found.get(one["name"], 0) + one["value"]
    return found


def emulation(said: object) -> dict[str, float]:
    """Return the counters of QEMU's translator, of what `x-query-jit` answers."""
    text = said.get("human-readable-text", "") if isinstance(said, dict) else ""
    found = {}
    for line, name in EMULATION.items():
        match = re.search(rf"^{line}\s+(\d+)", text, re.MULTILINE)
        if match:
            found[name] = float(match[1])
    return found
