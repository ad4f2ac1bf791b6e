"""Programs of the guest: how they ended, and what they said last."""

import pytest

from jeos.update import programs

SHELL = "/bin/sh"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo out; echo err >&2", (0, "out\nerr\n")),
        ("echo no; exit 3", (3, "no\n")),
        ("kill -9 $$", (-9, "")),
        ('test -z "$NAME" || echo $NAME', (0, "value\n")),
        ("read line || echo empty", (0, "empty\n")),
    ],
)
def test_run_tells_how_it_ended_and_what_it_said(script: str, expected: tuple[int, str]) -> None:
    assert programs.run(
        [SHELL, "-c", script], seconds=30, environment={"NAME": "value"} if "NAME" in script else {}
    ) == (expected)


def test_run_keeps_the_end_of_what_is_said() -> None:
    status, words = programs.run(["/usr/bin/env", "seq", "100000"], seconds=30)
    assert status == 0
    assert len(words) == programs.LONGEST_WORDS
    assert words.endswith("\n99999\n100000\n")


def test_run_ends_what_does_not_end_in_time() -> None:
    assert programs.run([SHELL, "-c", "echo begun; sleep 1000"], seconds=0.5) == (None, "begun\n")


def test_run_passes_on_what_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    programs.run([SHELL, "-c", "echo heard"], seconds=30, echo=True)
    assert capfd.readouterr().err == "heard\n"


def test_run_of_what_is_not_there_raises() -> None:
    with pytest.raises(FileNotFoundError):
        programs.run(["/no/such/program"], seconds=1)
