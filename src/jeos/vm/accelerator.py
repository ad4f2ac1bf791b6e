"""Whether machines run on this host's hardware (KVM) or are emulated (TCG), found out by trying.

    probe()   # Accelerator(kind="tcg", reason="/dev/kvm opens but …", paging="", nanoseconds=1247.0)

A KVM that opens is not a KVM that works: without hardware behind it, it emulates each instruction and no kernel comes
up. So a loop is timed in it, once per boot of the host (see `kvm_timing`); everything else is only said in the reason.
"""

import functools
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from jeos.core import files
from jeos.core.errors import HostError, ProcessError
from jeos.core.run import run
from jeos.core.settings import runtime_dir

KVM = "kvm"
TCG = "tcg"

DEVICE = Path("/dev/kvm")
MODULES = Path("/sys/module")
PROCESSOR = Path("/proc/cpuinfo")
EMULATED_NANOSECONDS = 200.0  # a turn takes 0 to 27 ns on hardware, nested or not, and over 1,000 ns when emulated
DEADLINE = 60.0  # seconds of wall time for a measurement that takes 0.05 s of CPU time: busy hosts need 20
PAGING_PARAMETERS = {"kvm_amd": "npt", "kvm_intel": "ept"}  # second-level address translation, by module
NESTING = "nested"  # the parameter of both modules that lets machines run machines
HUNG = "a loop of a few thousand instructions did not end within seconds"
CACHE = "accelerator.json"


@dataclass(frozen=True, slots=True)
class Signs:
    """What was seen of this host's KVM.

    `nanoseconds` is the time of one turn of the loop, `error` why there is none; `modules` are the loaded KVM modules
    of a kind of hardware, `flags` the processor's "svm" or "vmx", and "hypervisor" if it is a virtual one. `paging` is
    "Y", "N" or "" (unknown); so is `nesting`, whether machines may run machines.
    """

    present: bool = True
    nanoseconds: float | None = None
    error: str = ""
    modules: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    paging: str = ""
    nesting: str = ""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """How machines run here: `kind` is "kvm" or "tcg"; `paging` is "nested", "shadow" or "" where not known.

    With `nested` this host is a virtual machine itself. Its machines may run machines if it `nests`.
    """

    kind: str
    reason: str
    paging: str = ""
    nanoseconds: float | None = None
    nested: bool = False
    nests: bool = False


def decide(signs: Signs) -> Accelerator:
    """Choose the accelerator from what was seen, with the reason in one line."""
    if not signs.present:
        return Accelerator(kind=TCG, reason=f"there is no {DEVICE}")
    if signs.nanoseconds is None:
        return Accelerator(kind=TCG, reason=f"{DEVICE} cannot be used: {signs.error or 'unknown reason'}")
    if signs.nanoseconds >= EMULATED_NANOSECONDS:
        lacks = [] if {"svm", "vmx"} & set(signs.flags) else ["the processor has neither svm nor vmx"]
        lacks += [] if signs.modules else ["neither kvm_amd nor kvm_intel is loaded"]
        because = f" ({', '.join(lacks)})" if lacks else ""
        return Accelerator(
            kind=TCG,
            reason=f"{DEVICE} opens but emulates every instruction, {signs.nanoseconds:,.0f} ns for two of "
            f"them{because}: no kernel would come up on it",
            nanoseconds=signs.nanoseconds,
        )
    paging = {"Y": "nested", "N": "shadow"}.get(signs.paging, "")
    nested = "hypervisor" in signs.flags
    within = ", nested in another machine" if nested else ""
    return Accelerator(
        kind=KVM,
        reason=f"{DEVICE} runs code at the processor's speed{f', with {paging} paging' if paging else ''}{within}",
        paging=paging,
        nanoseconds=signs.nanoseconds,
        nested=nested,
        nests=signs.nesting == "Y",
    )


def probe() -> Accelerator:
    """Find out how machines run on this host; costs 0.05 s of CPU time once per boot, and never hangs."""
    if not DEVICE.exists():
        return decide(Signs(present=False))
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        right = "no right to open it (add your user to the group kvm: sudo adduser $USER kvm)"
        return decide(Signs(error=right))
    return decide(_with_parameters(_remembered() or _look()))


def choose(wanted: str) -> Accelerator:
    """Return the accelerator for `wanted`, which is "auto", "kvm" or "tcg".

    Raises HostError if KVM is asked for and does not work here.
    """
    if wanted == TCG:
        return Accelerator(kind=TCG, reason="asked for")
    found = probe()
    if wanted == KVM and found.kind != KVM:
        raise HostError(f"KVM does not work here: {found.reason}", hint="leave --accel away, or say --accel tcg")
    return found


@functools.cache
def host_tsc_khz() -> int:
    """Return the rate of this host's time stamp counter in kHz, or 0 if it is not known.

    The kernel presets its delay loop from the counter's rate, so that "bogomips" is that rate in MHz, twice, with two
    digits after the point: good to a few parts in a million, where "cpu MHz" is only the current clock.
    Source: Linux, arch/x86/kernel/tsc.c (`lpj_fine`) and arch/x86/kernel/cpu/proc.c.
    """
    bogomips = _processor("bogomips")
    return round(float(bogomips) * 500) if bogomips else 0


def _look() -> Signs:
    """Measure, and remember a measurement until the host boots again."""
    nanoseconds, error = _measure()
    signs = Signs(
        nanoseconds=nanoseconds,
        error=error,
        modules=tuple(module for module in PAGING_PARAMETERS if (MODULES / module).is_dir()),
        flags=tuple(sorted({"svm", "vmx", "hypervisor"} & set(_processor("flags").split()))),
    )
    if nanoseconds is not None:
        files.write(_cache(), json.dumps({"boot": _boot(), "signs": asdict(signs)}), durable=False)
    return signs


def _with_parameters(signs: Signs) -> Signs:
    """Add what a module's parameters say: they are other ones when it has been loaded anew."""
    for module in signs.modules[:1]:
        paging, nesting = (
            _switch(MODULES / module / "parameters" / name) for name in (PAGING_PARAMETERS[module], NESTING)
        )
        return replace(signs, paging=paging, nesting=nesting)
    return signs


def _switch(parameter: Path) -> str:
    """Return "Y", "N" or "" for a parameter that is a number in some kernels and a letter in others."""
    value = _read(parameter)
    return {"1": "Y", "0": "N"}.get(value, value)


def _measure() -> tuple[float | None, str]:
    """Return the nanoseconds of a turn, or None and why."""
    program = Path(__file__).with_name("kvm_timing.py")
    try:
        done = run([sys.executable, "-I", "-S", program, DEVICE], timeout=DEADLINE, check=False)
    except ProcessError:
        return None, HUNG
    if done.status == -signal.SIGPROF:
        return None, HUNG
    if done.status != 0:
        return None, f"the probe ended with status {done.status}: {done.stderr.decode(errors='replace').strip()}"
    result = json.loads(done.stdout)
    return result.get("nanoseconds"), result.get("error", "")


def _remembered() -> Signs | None:
    """Return what was seen since the host booted, if anything."""
    try:
        known = json.loads(_cache().read_text())
        signs = known["signs"]
        if known["boot"] != _boot():
            return None
        return Signs(**{**signs, "modules": tuple(signs["modules"]), "flags": tuple(signs["flags"])})
    except (OSError, ValueError, KeyError, TypeError):  # never written, or not by this version: measure again
        return None


def _processor(name: str) -> str:
    """Return what /proc/cpuinfo says under a name about the first processor."""
    for line in _read(PROCESSOR).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _cache() -> Path:
    return runtime_dir() / CACHE


def _boot() -> str:
    return _read(Path("/proc/sys/kernel/random/boot_id"))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
