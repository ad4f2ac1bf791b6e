"""Why a guest leaves its processor for the host's kernel, counted by reason in that kernel's trace.

reasons, why = ExitReasons.open(thread)
reasons.read()                  # {"page tables": 12, "halt": 480, "timer": 497}

A histogram over the tracepoint `kvm_exit`, in an instance of its own, so that no other user of the trace is disturbed.
Source: Linux, Documentation/trace/histogram.rst; arch/x86/include/uapi/asm/vmx.h and svm.h (`EXIT_REASON_…`,
`SVM_EXIT_…`), described in Intel's SDM volume 3, appendix C, and AMD's APM volume 2, appendix C.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

TRACES = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
EVENT = Path("events/kvm/kvm_exit")
ENTRY = re.compile(r"exit_reason:\s+(\d+)\s.*?hitcount:\s+(\d+)")

INTEL = {
    0: "exception",
    1: "interrupt of the host",
    7: "interrupt can be delivered",
    10: "cpuid",
    12: "halt",
    14: "invlpg",
    18: "hypercall",
    28: "control register",
    29: "debug register",
    30: "port",
    31: "model-specific register, read",
    32: "model-specific register, write",
    40: "pause",
    44: "APIC",
    45: "interrupt acknowledged",
    48: "nested page table",
    49: "device's memory",
    52: "timer",
    55: "xsetbv",
    56: "APIC",
}
AMD = {
    0x4E: "page fault",
    0x60: "interrupt of the host",
    0x61: "interrupt of the host",
    0x64: "interrupt can be delivered",
    0x72: "cpuid",
    0x77: "pause",
    0x78: "halt",
    0x79: "invlpg",
    0x7A: "invlpg",
    0x7B: "port",
    0x7C: "model-specific register",
    0x81: "hypercall",
    0x8D: "xsetbv",
    0x400: "nested page table",
    0x401: "APIC",
    0x402: "APIC",
}
AMD_CONTROL_REGISTERS = range(0x20)  # reading and writing CR0 to CR15


class ExitReasons:
    """The exits of one thread of a QEMU, by reason, as long as it is open."""

    def __init__(self, folder: Path, trigger: str, names: Callable[[int], str]) -> None:
        self._folder, self._trigger, self._names = folder, trigger, names

    @classmethod
    def open(cls, thread: int) -> "tuple[ExitReasons | None, str]":
        """Begin to count; or return None and why that cannot be."""
        if os.geteuid() != 0:
            return None, "reasons of exits are in the kernel's trace, which only root can read"
        trace = next((place for place in TRACES if (place / EVENT).is_dir()), None)
        if trace is None:
            return None, "reasons of exits: this kernel has no trace of kvm_exit, or it is not mounted (tracefs)"
        folder = trace / "instances" / f"jeos-{os.getpid()}"
        trigger = f"hist:keys=exit_reason if common_pid == {thread}"
        try:
            folder.mkdir()
            (folder / EVENT / "trigger").write_text(trigger)
        except OSError as error:
            if folder.is_dir():
                folder.rmdir()
            return None, f"reasons of exits: the kernel's trace cannot be used: {error.strerror}"
        amd = Path("/sys/module/kvm_amd").is_dir()
        return cls(folder, trigger, amd_name if amd else intel_name), ""

    def read(self) -> dict[str, int]:
        """Return how often the guest left its processor so far, by reason."""
        return parse((self._folder / EVENT / "hist").read_text(), names=self._names)

    def close(self) -> None:
        """End counting."""
        (self._folder / EVENT / "trigger").write_text(f"!{self._trigger}")
        self._folder.rmdir()


def parse(text: str, *, names: Callable[[int], str]) -> dict[str, int]:
    """Return the counts of a histogram over reasons, by name."""
    found: dict[str, int] = {}
    for reason, count in ENTRY.findall(text):
        name = names(int(reason))
        found[name] = found.get(name, 0) + int(count)
    return found


def intel_name(reason: int) -> str:
    """Return what an Intel processor's basic exit reason is called."""
    basic = reason & 0xFFFF
    return INTEL.get(basic, f"reason {basic}")


def amd_name(reason: int) -> str:
    """Return what an AMD processor's exit code is called."""
    if reason in AMD_CONTROL_REGISTERS:
        return "control register"
    return AMD.get(reason, f"reason {reason:#x}")
