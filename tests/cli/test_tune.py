import json
from pathlib import Path

import pytest

from jeos.cli import tune as verb
from jeos.cli.main import main
from jeos.measure.tune import Found, Judged, Trial, Verdict
from jeos.model.tuning import Profile, Tuning
from jeos.vm import host_profile


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_STATE_DIR", str(tmp_path / "state"))


def judged(quantity: str, times: float, quicker: int, verdict: Verdict) -> Judged:
    return Judged(quantity, times, quicker, 12, 0.03, verdict)


def test_trials_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    better = judged("disk-read", 0.8, 12, Verdict.BETTER)
    same = judged("disk-write", 1.01, 5, Verdict.SAME)
    trials = (
        Trial("iothread", "a thread of their own for disks", (better, same), kept=True),
        Trial("huge", "memory in pages of 2 MiB", why_not="3 such pages are free"),
    )
    verb.show(Found(Tuning(iothread=True), trials, control=(same,), rounds=12, accelerator="kvm"))
    assert capsys.readouterr().out == (
        "12 rounds of each comparison, kvm\n"
        "\n"
        "SETTING                                MEASURED BY        TIMES  QUICKER IN  SAYS\n"
        "a thread of their own for disks: kept  disk, read 4 KiB    0.80    12 of 12  better\n"
        "                                       disk, write 4 KiB   1.01     5 of 12  same\n"
        "\n"
        "memory in pages of 2 MiB: not tried, 3 such pages are free\n"
        "\n"
        "Two guests that are alike must differ by more than: disk, write 4 KiB 3%.\n"
    )


def test_too_few_rounds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "--rounds", "4"]) != 0
    assert "tells nothing from chance" in capsys.readouterr().err


def test_what_machines_start_with_is_shown_and_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "--show"]) == 0
    assert "nothing was measured" in capsys.readouterr().out
    kernel, qemu = host_profile.measured_with()
    host_profile.write(Profile(Tuning(iothread=True), taken=1, kernel=kernel, qemu=qemu))
    assert main(["tune", "--show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["profile"]["tuning"]["iothread"] is True
    assert shown["unused"] == ""
    host_profile.write(Profile(Tuning(iothread=True), taken=1, kernel="0.1", qemu=qemu))
    assert main(["tune", "--show"]) == 0
    out = capsys.readouterr().out
    assert "iothread  true" in out
    assert "not used: it was measured with the kernel 0.1" in out
    assert main(["tune", "--reset"]) == 0
    assert host_profile.read() is None
