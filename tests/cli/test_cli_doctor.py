"""`jeos doctor`: one screen, JSON, and an exit status that scripts can use."""

import json

import pytest

from jeos.build import host, host_facts
from jeos.build.host import Facts, Finding, State
from jeos.cli import doctor, main
from jeos.core.errors import HostError

FINDINGS = (
    Finding("host", "system", State.OK, "Debian"),
    Finding("build", "mirror", State.MISSING, "no Debian mirror is known", "set one"),
    Finding("build", "work", State.NOTE, "on disk", "use tmpfs"),
    Finding("run", "speed", State.OK, "kvm", "never shown"),
)


def test_report_is_a_table_with_what_mends() -> None:
    assert doctor.report(FINDINGS) == [
        "host   ok      system    Debian",
        "build  missing mirror    no Debian mirror is known",
        "                         mend: set one",
        "       note    work      on disk",
        "                         mend: use tmpfs",
        "run    ok      speed     kvm",
        "",
        "Appliances cannot be built and run here before this is mended: build mirror",
    ]
    assert doctor.report(FINDINGS[:1])[-1] == "Appliances can be built and run here."


@pytest.mark.parametrize(("findings", "status"), [(FINDINGS, HostError.exit_code), (FINDINGS[2:], 0)])
def test_exit_status_and_json(
    findings: tuple[Finding, ...], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def judge(facts: Facts) -> tuple[Finding, ...]:
        return findings

    monkeypatch.setattr(host, "judge", judge)
    monkeypatch.setattr(host_facts, "gather", lambda: None)
    assert main.main(["doctor"]) == status
    capsys.readouterr()
    assert main.main(["doctor", "--json"]) == status
    printed = json.loads(capsys.readouterr().out)
    assert printed["ready"] == (status == 0)
    assert [finding["name"] for finding in printed["findings"]] == [finding.name for finding in findings]
    assert set(printed["findings"][0]) == {"task", "name", "state", "value", "mend", "needed"}


def test_doctor_of_this_host_fits_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["doctor"]) in (0, HostError.exit_code)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 2 * len(host.CHECKS) + 2
    assert [line.split()[0] for line in lines if line[:1] not in ("", " ")][:6] == [
        "host",
        "build",
        "run",
        "convert",
        "sign",
        "test",
    ]
