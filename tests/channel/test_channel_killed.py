"""`jeos publish` killed by the kernel while it works, and two of them at once: the channel stays whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import channel_builds
from jeos.build.outputs import Outputs
from jeos.channel import catalogue, metadata, verify
from jeos.channel.folder import FolderBackend

DEADLINE = 120.0  # seconds for what takes one on an idle machine


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("JEOS_CACHE_DIR", "JEOS_STATE_DIR", "JEOS_TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("JEOS_PASSPHRASE", "correct horse")
    monkeypatch.chdir(tmp_path)
    assert publish("keys", "new").wait(DEADLINE) == 0
    return tmp_path


def build(recipe: Path, version: str) -> Outputs:
    return channel_builds.build(
        recipe / f"build-{version}",
        version=version,
        trust=(recipe / "keys/root.json").read_bytes(),
        contents={f"usr/share/{number}": os.urandom(2000) + version.encode() for number in range(50)},
    )


def publish(*words: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jeos", *(str(word) for word in words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def described(outputs: Outputs) -> Path:
    return outputs.folder / f"{outputs.image.name}_{outputs.image.version}.json"


def versions(recipe: Path) -> list[str]:
    backend = FolderBackend(recipe / "channel")
    roots = [(recipe / "keys/root.json").read_bytes()]
    return [one.version for one in catalogue.catalogue(backend, metadata.look(backend, roots=roots).targets())]


def problems(recipe: Path, name: str) -> list[verify.Problem]:
    work = recipe / f"verify-{name}"
    work.mkdir()
    root = (recipe / "keys/root.json").read_bytes()
    return verify.verify(FolderBackend(recipe / "channel"), root=root, folder=work, now=time.time()).problems


def files(recipe: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(recipe / "channel"))


def test_killed_publishing_leaves_a_whole_channel_and_can_be_run_again(recipe: Path) -> None:
    old, new = build(recipe, "1.0"), build(recipe, "1.1")
    assert publish("publish", described(old), "--channel", "channel").wait(DEADLINE) == 0
    first = files(recipe)
    killed = 0
    for more in (1, 4, 8):
        process = publish("publish", described(new), "--channel", "channel")
        deadline = time.monotonic() + DEADLINE
        while process.poll() is None and files(recipe) < first + more:
            assert time.monotonic() < deadline
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        if process.stderr is not None:
            process.stderr.close()
        assert versions(recipe) in (["1.0"], ["1.1", "1.0"])
        assert problems(recipe, str(more)) == []
    assert killed > 0
    assert publish("publish", described(new), "--channel", "channel").wait(DEADLINE) == 0
    assert versions(recipe) == ["1.1", "1.0"]
    assert problems(recipe, "end") == []


def test_two_publishings_at_once_end_well_or_say_why_not(recipe: Path) -> None:
    builds = [build(recipe, version) for version in ("1.0", "1.1")]
    started = [publish("publish", described(one), "--channel", "channel", "--older") for one in builds]
    ended = [process.communicate(timeout=DEADLINE)[1] for process in started]
    done = [one.image.version for one, process in zip(builds, started, strict=True) if process.returncode == 0]
    for process, said in zip(started, ended, strict=True):
        assert process.returncode == 0 or "is being changed by another process" in said, said
    assert done != []
    assert sorted(versions(recipe)) == sorted(done)
    assert problems(recipe, "end") == []
