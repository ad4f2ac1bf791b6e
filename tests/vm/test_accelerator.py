import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jeos.core.errors import HostError
from jeos.vm import accelerator
from jeos.vm.accelerator import Accelerator, Signs, decide
from jeos.vm.kvm_timing import CONTROL, special_registers


def test_decide_without_a_device() -> None:
    assert decide(Signs(present=False)) == Accelerator(kind="tcg", reason="there is no /dev/kvm")


def test_decide_with_a_device_that_fails() -> None:
    found = decide(Signs(error="Device or resource busy"))
    assert found == Accelerator(kind="tcg", reason="/dev/kvm cannot be used: Device or resource busy")


def test_decide_with_an_emulating_kvm_names_every_sign() -> None:
    assert decide(Signs(nanoseconds=1247.3)) == Accelerator(
        kind="tcg",
        reason="/dev/kvm opens but emulates every instruction, 1,247 ns for two of them (the processor has neither svm "
        "nor vmx, neither kvm_amd nor kvm_intel is loaded): no kernel would come up on it",
        nanoseconds=1247.3,
    )


@pytest.mark.parametrize(("letter", "paging"), [("Y", "nested"), ("N", "shadow"), ("", "")])
def test_decide_with_hardware(letter: str, paging: str) -> None:
    found = decide(Signs(nanoseconds=26.9, modules=("kvm_amd",), flags=("svm",), paging=letter))
    assert (found.kind, found.paging, found.nanoseconds) == ("kvm", paging, 26.9)


def test_decide_at_the_threshold() -> None:
    assert decide(Signs(nanoseconds=199.9)).kind == "kvm"
    assert decide(Signs(nanoseconds=200.0)).kind == "tcg"


@pytest.mark.parametrize(("flags", "words"), [(("vmx",), ""), (("hypervisor", "vmx"), ", nested in another machine")])
def test_decide_tells_a_processor_from_a_virtual_one(flags: tuple[str, ...], words: str) -> None:
    found = decide(Signs(nanoseconds=3.1, modules=("kvm_intel",), flags=flags, paging="N", nesting="Y"))
    assert found == Accelerator(
        kind="kvm",
        reason=f"/dev/kvm runs code at the processor's speed, with shadow paging{words}",
        paging="shadow",
        nanoseconds=3.1,
        nested=bool(words),
        nests=True,
    )


def test_decide_believes_no_sign_but_time() -> None:
    lie = Signs(nanoseconds=1188.0, modules=("kvm_amd",), flags=("svm",), paging="Y", nesting="Y")
    assert decide(lie) == Accelerator(
        kind="tcg",
        reason="/dev/kvm opens but emulates every instruction, 1,188 ns for two of them: no kernel would come up on it",
        nanoseconds=1188.0,
    )
    assert "neither svm nor vmx" in decide(Signs(nanoseconds=1188.0, flags=("hypervisor",))).reason


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_probe_of_this_host_decides_with_a_reason_and_little_cpu_time(runtime: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = accelerator.probe()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert found.kind in ("kvm", "tcg")
    assert "/dev/kvm" in found.reason
    hardware = {"svm", "vmx"} & set(Path("/proc/cpuinfo").read_text().split())
    if not hardware:
        assert found.kind == "tcg"
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 0.3


def lying_host(folder: Path, monkeypatch: pytest.MonkeyPatch, *, npt: str = "Y", nested: str = "1") -> None:
    """Let everything that a host says of itself speak for KVM: flags, module, parameters."""
    parameters = folder / "module/kvm_amd/parameters"
    parameters.mkdir(parents=True, exist_ok=True)
    (parameters / "npt").write_text(f"{npt}\n")
    (parameters / "nested").write_text(f"{nested}\n")
    (folder / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu lm svm npt\nbogomips\t: 5000.00\n")
    monkeypatch.setattr(accelerator, "MODULES", folder / "module")
    monkeypatch.setattr(accelerator, "PROCESSOR", folder / "cpuinfo")


@pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="no right to open /dev/kvm")
def test_probe_times_this_hosts_own_kvm_whatever_else_speaks_for_it(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = accelerator.probe()
    (runtime / "accelerator.json").unlink(missing_ok=True)
    lying_host(runtime, monkeypatch)
    found = accelerator.probe()
    assert found.kind == honest.kind  # no sign but time changes it
    if found.kind == "tcg" and found.nanoseconds is not None:
        assert found.reason.startswith("/dev/kvm opens but emulates every instruction")
        assert "neither" not in found.reason


TIMINGS = {
    "emulates": ("echo '{\"nanoseconds\": 1203.5}'", "emulates every instruction, 1,204 ns for two of them: no kernel"),
    "leaves the loop": ('echo \'{"error": "the loop ended with exit reason 17"}\'', "ended with exit reason 17"),
    "crashes": ("kill -SEGV $$", "the probe ended with status -11"),
    "never comes back": ("kill -PROF $$", accelerator.HUNG),
}


@pytest.mark.parametrize(("script", "words"), TIMINGS.values(), ids=TIMINGS)
def test_probe_refuses_kvm_that_lies_in_every_other_way(
    script: str, words: str, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying_host(runtime, monkeypatch)
    timing = runtime / "python"
    timing.write_text(f"#!/bin/sh\n{script}\n")
    timing.chmod(0o755)
    monkeypatch.setattr(accelerator, "DEVICE", Path("/dev/null"))
    monkeypatch.setattr(sys, "executable", str(timing))
    found = accelerator.probe()
    assert found.kind == "tcg"
    assert words in found.reason


def test_probe_reads_anew_how_a_module_was_loaded(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "DEVICE", Path("/dev/null"))
    monkeypatch.setattr(accelerator, "_measure", lambda: (2.0, ""))
    lying_host(runtime, monkeypatch)
    first = accelerator.probe()
    lying_host(runtime, monkeypatch, npt="N", nested="0")
    monkeypatch.setattr(accelerator, "_measure", lambda: (1e9, "not asked again"))
    second = accelerator.probe()
    assert [(one.paging, one.nests, one.nanoseconds) for one in (first, second)] == [
        ("nested", True, 2.0),
        ("shadow", False, 2.0),
    ]


@pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="no right to open /dev/kvm")
def test_probe_measures_once_per_boot(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = accelerator.probe()
    if first.nanoseconds is None:
        pytest.skip("this KVM cannot be timed")
    monkeypatch.setattr(accelerator, "_measure", lambda: (1.5, ""))
    assert accelerator.probe() == first
    remembered = json.loads((runtime / "accelerator.json").read_text())
    remembered["boot"] = "another boot"
    (runtime / "accelerator.json").write_text(json.dumps(remembered))
    assert accelerator.probe().nanoseconds == 1.5


@pytest.mark.parametrize(
    ("loop", "status", "said"),
    [("while True: pass", -signal.SIGPROF, ""), ("time.sleep(0.3); return 2.0", 0, '{"nanoseconds": 2.0}\n')],
    ids=["computes", "waits"],
)
def test_timing_gives_up_by_the_time_that_it_computes(loop: str, status: int, said: str) -> None:
    program = f"import kvm_timing, sys, time\ndef measure(device):\n {loop}\n"
    program += "kvm_timing.measure = measure; kvm_timing.GIVE_UP_SECONDS = 0.1\nsys.exit(kvm_timing.main())"
    folder = Path(accelerator.__file__).parent
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (status, said)


@pytest.mark.parametrize("content", ["", "[]", '{"boot": 1}', '{"boot": "x", "signs": {"modules": 3}}'])
def test_probe_ignores_a_damaged_memory(runtime: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (runtime / "accelerator.json").write_text(content)
    monkeypatch.setattr(accelerator, "DEVICE", Path("/dev/null"))
    found = accelerator.probe()
    assert found.kind == "tcg"
    assert found.reason.startswith("/dev/null cannot be used: Inappropriate ioctl for device")


def test_probe_kills_a_measurement_that_never_ends(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = runtime / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(accelerator, "DEVICE", Path("/dev/null"))
    monkeypatch.setattr(accelerator, "DEADLINE", 0.2)
    monkeypatch.setattr(sys, "executable", str(hanging))
    assert accelerator.probe().reason == f"/dev/kvm cannot be used: {accelerator.HUNG}".replace("/dev/kvm", "/dev/null")
    assert not (runtime / "accelerator.json").exists()


def test_choose_refuses_kvm_that_does_not_work(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "DEVICE", runtime / "kvm")
    with pytest.raises(HostError, match="KVM does not work here: there is no"):
        accelerator.choose("kvm")
    assert accelerator.choose("auto").kind == "tcg"
    assert accelerator.choose("tcg") == Accelerator(kind="tcg", reason="asked for")


def test_host_tsc_is_near_the_clock_that_the_kernel_names() -> None:
    khz = accelerator.host_tsc_khz()
    assert 500_000 < khz < 10_000_000


def test_special_registers_ask_for_long_mode_with_paging() -> None:
    sregs = special_registers(bytes(0x138))
    control = [int.from_bytes(sregs[CONTROL + 8 * i : CONTROL + 8 * i + 8], "little") for i in range(6)]
    assert len(sregs) == 0x138
    assert control == [0x80000011, 0, 0x2000, 0x20, 0, 0x500]
