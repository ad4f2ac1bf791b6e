"""`jeos publish` and `jeos channel`, from keys made by `jeos keys` to what a machine of the appliance sees."""

import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import channel_builds
from jeos.build.outputs import Outputs
from jeos.cli import main

COMMON = {"usr/bin/app": b"".join(b"line %d\n" % number for number in range(5000))}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make keys once: their passphrase costs time on purpose."""
    folder = tmp_path_factory.mktemp("keys") / "keys"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JEOS_PASSPHRASE", "correct horse")
        assert main.main(["-q", "keys", "new", "--keys", str(folder)]) == 0
    return folder


@pytest.fixture
def recipe(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a recipe's folder with keys in it, be in it, and keep all else of jeos below it."""
    folder = tmp_path / "hello"
    folder.mkdir()
    for variable in ("JEOS_CACHE_DIR", "JEOS_STATE_DIR", "JEOS_TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("JEOS_PASSPHRASE", "correct horse")
    monkeypatch.chdir(folder)
    shutil.copytree(keys, folder / "keys")
    return folder


def build(recipe: Path, version: str, **wanted: bytes) -> Outputs:
    return channel_builds.build(
        recipe / "build",
        version=version,
        trust=(recipe / "keys/root.json").read_bytes(),
        contents={**COMMON, "etc/version": version.encode(), **wanted},
    )


def jeos(*words: str, capfd: pytest.CaptureFixture[str], status: int = 0) -> tuple[str, str]:
    """Run a command line and return what it printed on standard output and standard error."""
    capfd.readouterr()
    found = main.main([*words])
    out, err = capfd.readouterr()
    assert found == status, err
    return out, err


def test_publish_show_promote_withdraw_and_verify(recipe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build(recipe, "1.0")
    _, said = jeos("publish", capfd=capfd)
    assert "hello 1.0: for 100 % of the ring stable" in said
    build(recipe, "1.1")
    out, _ = jeos("publish", "--ring", "beta", "--percent", "10", "--json", capfd=capfd)
    listed = json.loads(out)
    assert (listed["version"], listed["ring"], listed["percent"]) == ("1.1", "beta", 10)
    out, said = jeos("channel", "show", capfd=capfd)
    assert [line.split()[:4] for line in out.splitlines()[1:3]] == [
        ["1.1", "beta", "10", "%"],
        ["1.0", "stable", "100", "%"],
    ]
    assert "1.0 (" in out.splitlines()[1]
    assert "fresh until" in out
    assert said == ""
    jeos("channel", "promote", "1.1", "--ring", "stable", "--percent", "100", "--critical", capfd=capfd)
    jeos("channel", "withdraw", "1.0", capfd=capfd)
    out, _ = jeos("channel", "show", "--json", capfd=capfd)
    shown = json.loads(out)
    assert shown["proved"]
    assert [
        (one["version"], one["ring"], one["percent"], one["critical"], one["withdrawn"]) for one in shown["releases"]
    ] == [
        ("1.1", "stable", 100, True, False),
        ("1.0", "stable", 100, False, True),
    ]
    out, _ = jeos("channel", "verify", capfd=capfd)
    assert "2 releases" in out
    assert out.endswith("all as signed\n")


def test_publish_for_sysupdate_lists_what_everybody_may_have(recipe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build(recipe, "1.0")
    jeos("publish", "--sysupdate", "--percent", "50", capfd=capfd)
    sums = recipe / "channel/SHA256SUMS"
    assert sums.read_text() == ""
    jeos("channel", "promote", "1.0", "--percent", "100", capfd=capfd)
    names = {line.split()[1].rpartition("_")[2].partition(".")[2] for line in sums.read_text().splitlines()}
    assert names == {"0.efi", "root.xz", "root-verity.xz"}
    build(recipe, "1.1")
    jeos("publish", "--sysupdate", capfd=capfd)
    assert len(sums.read_text().splitlines()) == 6
    jeos("channel", "withdraw", "1.1", capfd=capfd)
    assert "hello_1.1" not in sums.read_text()
    assert jeos("channel", "verify", capfd=capfd)[0].startswith("2 releases")


def test_publish_again_says_that_it_was(recipe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build(recipe, "1.0")
    jeos("publish", capfd=capfd)
    _, said = jeos("publish", capfd=capfd)
    assert "hello 1.0 was published already; nothing changed" in said


def test_publish_by_path_takes_keys_and_channel_beside_the_recipe(
    recipe: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(recipe, "1.0")
    monkeypatch.chdir(recipe.parent)
    jeos("publish", "hello", capfd=capfd)
    assert (recipe / "channel/metadata/timestamp.json").exists()


def test_verify_names_what_is_damaged(recipe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build(recipe, "1.0")
    jeos("publish", capfd=capfd)
    blob = next(path for path in (recipe / "channel/data").rglob("*") if path.is_file())
    content = blob.read_bytes()
    blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    out, _ = jeos("channel", "verify", "--json", capfd=capfd, status=6)
    found = json.loads(out)
    assert not found["sound"]
    assert found["problems"][0]["what"] == f"data/{blob.parent.name}/{blob.name}"
    out, _ = jeos("channel", "verify", capfd=capfd, status=6)
    assert blob.name in out


def test_retire_and_refresh(recipe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for version in ("1.0", "1.1"):
        build(recipe, version)
        jeos("publish", capfd=capfd)
    out, _ = jeos("channel", "retire", "--keep", "1", "--dry-run", capfd=capfd)
    assert "releases would be taken off: 1.0" in out
    out, _ = jeos("channel", "retire", "--keep", "1", "--grace", "0", capfd=capfd)
    assert "releases taken off: 1.0" in out
    out, _ = jeos("channel", "refresh", "--expires", "90d", "--json", capfd=capfd)
    assert json.loads(out)["expires"] > 0
    assert jeos("channel", "verify", capfd=capfd)[0].startswith("1 releases")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("channel", "show"), 2, "there is no channel at channel"),
        (("channel", "promote", "1.0"), 2, "nothing to change"),
        (
            ("channel", "promote", "1.0", "--percent", "5", "--channel", "https://updates.example/x"),
            2,
            "cannot be changed at",
        ),
        (("channel", "retire", "--keep", "0"), 2, "--keep 0 would leave no release"),
        (("channel", "serve"), 2, "there is no folder channel"),
        (("channel", "serve", "--channel", ".", "--listen", "here"), 2, "here is no address to listen at"),
        (("channel", "verify", "--root", "none.json", "--channel", "."), 2, "there is no none.json"),
        (("channel", "verify", "--channel", "."), 3, "there is no channel at ."),
        (("publish", "--keys", "none"), 3, "none is no folder of keys"),
    ],
)
def test_channel_says_what_is_wrong(
    recipe: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], status: int, message: str
) -> None:
    build(recipe, "1.0")
    assert message in jeos(*words, capfd=capfd, status=status)[1]


def test_serve_gives_out_the_channel_until_it_is_stopped(recipe: Path) -> None:
    folder = recipe / "channel"
    folder.mkdir()
    (folder / "SHA256SUMS").write_text("served")
    command = [sys.executable, "-m", "jeos", "channel", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            with urllib.request.urlopen(f"{address}/SHA256SUMS", timeout=60) as answer:
                assert answer.read() == b"served"
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
