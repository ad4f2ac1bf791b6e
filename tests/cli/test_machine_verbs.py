"""The verbs that deal with machines, as programs, with a QEMU that runs a guest of 70 bytes."""

import argparse
import json
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.cli import cp, logs, ls, run, top
from jeos.cli.backup import boot
from jeos.core.errors import InputError, UsageError
from jeos.model.machine import Channel, Device, Limits, Machine, State, machine_text, parse_forward
from jeos.vm import session, supervisor
from jeos.vm.places import places_of
from screens import Screen

pytestmark = pytest.mark.usefixtures("own_machines")
DEADLINE = 30.0  # seconds
COMMAND = [sys.executable, "-c", "from jeos.cli.main import entry; entry()"]


def jeos(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def tiny(tmp_path: Path) -> Machine:
    return tiny_guest.machine(tmp_path)


def test_ls_without_machines_prints_a_header_or_an_empty_list() -> None:
    header = ["NAME", "STATUS", "FOR", "APPLIANCE", "MEMORY", "QEMU", "JEOS", "PORTS", "WHY"]
    assert jeos("ls").stdout.split() == header
    assert json.loads(jeos("ls", "--json").stdout) == []


@pytest.mark.parametrize(("running", "shown"), [("", "shop 1.0"), ("1.1", "shop 1.1")])
def test_ls_shows_the_version_that_runs_once_the_agent_told_it(running: str, shown: str) -> None:
    machine = Machine(name="tiny", disk="/x.img", appliance="shop", version="1.0")
    assert ls.row(session.Seen(machine, State(version=running)))[3] == shown


def test_version_that_ran_is_known_at_the_next_start() -> None:
    places = places_of("tiny")
    assert supervisor.last_version(places) == ""
    places.folder.mkdir(parents=True)
    supervisor.write_state(places, State(version="1.1"))
    assert supervisor.last_version(places) == "1.1"
    places.state.write_text("{")
    assert supervisor.last_version(places) == ""


@pytest.mark.parametrize(
    "words", [["stop"], ["rm"], ["console"], ["logs"], ["pause"], ["resume"], ["kill"], ["top", "--once"]]
)
def test_verbs_name_a_machine_that_there_is_not(words: list[str]) -> None:
    done = jeos(*words, "nobody")
    assert (done.returncode, done.stdout) == (9, "")
    assert done.stderr.startswith("error: there is no machine nobody\nhint: ")


@pytest.mark.parametrize("words", [["stop"], ["rm"], ["rm", "--force"]])
def test_every_machine_that_there_is_not_is_named_once(words: list[str]) -> None:
    done = jeos(*words, "first", "second", "first")
    assert (done.returncode, done.stdout) == (9, "")
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert said == ["error: there is no machine first", "error: there is no machine second"]


@pytest.mark.parametrize(
    "words",
    [["stop", "--timeout"], ["run", "--timeout"], ["exec", "--wait"], ["shell", "--wait"]],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("text", ["inf", "nan", "-1", "1e9", "soon", "", "٣", "99999999w"])
def test_a_wait_without_an_end_is_refused(words: list[str], text: str) -> None:
    done = jeos(*words[:1], f"{words[1]}={text}", "nobody", "true")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: argument {words[1]}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_run_of_nothing_says_what_it_could_be() -> None:
    done = jeos("run", "nobody")
    assert done.returncode == 2
    assert done.stderr.startswith("error: nobody is neither a file or folder here nor a machine\nhint: ")


@pytest.mark.parametrize(
    ("text", "size"),
    [("512", 512 << 20), ("512M", 512 << 20), ("2GiB", 2 << 30), ("64k", 64 << 10), ("1048576", 1 << 20)],
)
def test_parse_size(text: str, size: int) -> None:
    assert run.parse_size(text, option="--memory") == size


@pytest.mark.parametrize("text", ["", "M", "1.5G", "-1", "1X"])
def test_parse_size_refuses(text: str) -> None:
    with pytest.raises(UsageError, match=f"--disk {text} is not a size"):
        run.parse_size(text, option="--disk")


@pytest.mark.parametrize(("text", "percent"), [("150%", 150), ("1.5", 150), ("1", 100), ("0.25", 25), ("7%", 7)])
def test_parse_share(text: str, percent: int) -> None:
    assert run.parse_share(text) == percent


@pytest.mark.parametrize("text", ["", "0", "0%", "half", "-1", "1e3", "50 %", "0.001"])
def test_parse_share_refuses(text: str) -> None:
    with pytest.raises(UsageError, match="is not a share of processors"):
        run.parse_share(text)


def test_limits_are_kept_until_they_are_lifted() -> None:
    def asked(before: Limits, **words: str) -> Limits:
        options = {"limit_cpu": None, "limit_memory": None, "limit_io": None, **words}
        return run.limits(before, argparse.Namespace(**options), memory=512)

    found = asked(Limits(), limit_cpu="50%", limit_memory="1G", limit_io="20M")
    assert found == Limits(cpu=50, memory=1 << 30, io=20 << 20)
    assert asked(found) == found
    assert asked(found, limit_memory="none", limit_cpu="2") == Limits(cpu=200, io=20 << 20)
    with pytest.raises(UsageError) as caught:
        asked(found, limit_memory="512M")
    assert caught.value.message == "a machine with 512 MiB of memory needs more than 512 MiB of this host's"


def test_given_values_come_from_words_and_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct horse\n")
    values = run.given_values(["title=a=b", "empty="], [f"password={tmp_path}/secret"])
    assert values == {"title": "a=b", "empty": "", "password": "correct horse"}
    with pytest.raises(UsageError, match="--set title is not of the form"):
        run.given_values(["title"], [])
    with pytest.raises(InputError, match=r"--set-file password: .*/none cannot be read: No such file"):
        run.given_values([], [f"password={tmp_path}/none"])


def test_changed_checks_what_is_asked_for(tiny: Machine) -> None:
    def asked(*words: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        run.configure(parser)
        return parser.parse_args([".", *words])

    machine = run.changed(tiny, asked("--memory", "64", "--cpus", "2", "--port", "0:80", "--accel", "auto"))
    assert machine == replace(
        tiny, memory=64, cpus=2, forwards=(parse_forward("0:80"),), accelerator="auto", disk_size=0
    )
    with_device = run.changed(tiny, asked("--device", "03:00.0,bind", "--channel", "serial"))
    assert with_device == replace(tiny, devices=(Device("0000:03:00.0", bind=True),), channel=Channel.SERIAL)
    assert run.changed(with_device, asked()) == with_device
    assert run.changed(with_device, asked("--device", "none")) == replace(with_device, devices=())
    alone = run.changed(replace(tiny, forwards=(parse_forward("0:80"),)), asked("--net", "none"))
    assert alone == replace(tiny, forwards=(), isolated=True)
    assert run.changed(alone, asked()) == alone
    assert run.changed(alone, asked("--net", "user")) == tiny
    with pytest.raises(UsageError, match="leads nowhere without a network"):
        run.changed(alone, asked("--port", "0:80"))
    for words in (["--memory", "16M"], ["--cpus", "0"], ["--port", "80"], ["--device", "03:00"]):
        with pytest.raises(UsageError):
            run.changed(tiny, asked(*words))
    with pytest.raises(UsageError, match="names a device twice"):
        run.changed(tiny, asked("--device", "03:00.0", "--device", "0000:03:00.0"))


def test_changed_leaves_what_a_machine_from_a_backup_is_not_asked_for(tiny: Machine) -> None:
    parser = argparse.ArgumentParser()
    boot.configure(parser)
    args = parser.parse_args(["web@latest"])
    args.disk = None  # it is as large as it was
    assert run.changed(tiny, args) == tiny


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (172800, "2 d")]
)
def test_age(seconds: float, text: str) -> None:
    assert ls.age(seconds) == text


def wait_for_log(text: bytes) -> None:
    deadline = time.monotonic() + DEADLINE
    while text not in logs.said(places_of("tiny"), supervisor=False):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.vm
def test_verbs_from_list_to_removal(tiny: Machine) -> None:
    session.run(tiny)
    wait_for_log(b"ready\n")
    row = jeos("ls").stdout.splitlines()[1].split()
    assert row[:2] == ["tiny", "running"]
    assert jeos("logs", "tiny").stdout == "ready\n"
    assert jeos("logs", "-n", "0", "tiny").stdout == ""
    assert jeos("rm", "tiny").returncode == 9
    typed = subprocess.Popen([*COMMAND, "console", "tiny"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert typed.stdin is not None
    typed.stdin.write(b"xyzo")  # "o" lets the guest power itself off, so that the console ends
    typed.stdin.flush()
    assert typed.communicate(timeout=DEADLINE)[0] == b"ready\nxyz"
    assert jeos("stop", "tiny").returncode == 0
    (found,) = json.loads(jeos("ls", "--json").stdout)
    assert (found["state"]["status"], found["state"]["reason"]) == ("stopped", "the guest powered itself off")
    assert jeos("console", "tiny").stderr.startswith(
        "error: the machine tiny is stopped: the guest powered itself off\n"
    )
    assert jeos("rm", "tiny").returncode == 0
    assert session.all_seen() == []


@pytest.mark.vm
def test_pause_resume_top_and_kill_as_a_user_types_them(tiny: Machine) -> None:
    session.run(tiny)
    assert jeos("pause", "tiny").returncode == 0
    assert jeos("ls").stdout.splitlines()[1].split()[:2] == ["tiny", "paused"]
    refused = jeos("exec", "tiny", "--", "true")
    assert (refused.returncode, refused.stderr) == (
        9,
        "error: the machine tiny stands still: paused\nhint: jeos resume tiny\n",
    )
    assert jeos("resume", "tiny").returncode == 0
    shown = jeos("top", "--interval", "0.2").stdout.splitlines()  # no terminal: once
    assert " ".join(shown[0].split()) == "NAME STATUS CPU MEMORY GUEST QEMU JEOS DISK IN DISK OUT NET IN NET OUT"
    assert shown[1].split()[:2] == ["tiny", "running"]
    (found,) = json.loads(jeos("top", "--json", "--interval", "0.2", "tiny").stdout)
    assert (found["name"], found["rates"]["read"], found["rates"]["sent"]) == ("tiny", 0.0, None)
    assert found["memory"]["supervisor"] > 1 << 20
    assert jeos("kill", "tiny", "tiny").returncode == 0
    assert jeos("kill", "tiny").stderr == "tiny does not run\n"
    assert session.state("tiny").status == "stopped"


@pytest.mark.vm
def test_top_on_a_terminal_goes_on_until_it_is_interrupted(tiny: Machine) -> None:
    session.run(tiny)
    screen = Screen([*COMMAND, "top", "--interval", "0.1"], rows=24, columns=120)
    for _ in range(2):
        screen.until(b"every 0.1 s; Ctrl-C ends it", patience=DEADLINE)
    screen.type(b"\x03")
    assert screen.end() == 0
    assert screen.said.startswith(top.OTHER_SCREEN.encode())
    assert screen.said.endswith(top.OWN_SCREEN.encode())


@pytest.mark.parametrize(
    "words",
    [["a", "b"], ["web:/a", "db:/b"], ["web:/a", "here", "web:/b"], ["--owner", "0", "web:/a", "here"]],
)
def test_cp_needs_one_side_here_and_one_in_a_machine(words: list[str]) -> None:
    assert jeos("cp", *words).returncode == 2


def test_a_path_of_this_host_may_have_a_colon() -> None:
    words = ["web:/etc/hosts", "./web:1", "/a:b", "Web:/x", "web"]
    assert [cp.remote(word) for word in words] == [("web", "/etc/hosts"), None, None, None, None]


@pytest.mark.vm
def test_one_machine_that_fails_does_not_hold_up_the_others(tiny: Machine) -> None:
    session.run(tiny)
    session.run(replace(tiny, name="other"))
    stopped = jeos("stop", "--force", "nobody", "tiny", "other")
    assert (stopped.returncode, stopped.stderr.count("error: ")) == (9, 1)
    assert [seen.state.status for seen in session.all_seen()] == ["stopped", "stopped"]
    session.run(tiny)
    removed = jeos("rm", "tiny", "other")  # the first still runs
    assert (removed.returncode, removed.stderr.count("error: ")) == (9, 1)
    assert [seen.machine.name for seen in session.all_seen()] == ["tiny"]


@pytest.mark.vm
def test_logs_follow_goes_on_until_the_machine_ends(tiny: Machine) -> None:
    session.run(tiny)
    following = subprocess.Popen([*COMMAND, "logs", "-f", "tiny"], stdout=subprocess.PIPE)
    assert following.stdout is not None
    assert following.stdout.readline() == b"ready\n"
    session.stop("tiny", within=0)
    assert following.communicate(timeout=DEADLINE)[0] == b""
    assert following.returncode == 0


def test_logs_show_what_a_terminal_obeys_only_if_asked(tiny: Machine) -> None:
    places = places_of("tiny")
    places.folder.mkdir(parents=True)
    places.machine.write_text(machine_text(tiny))
    places.console_log.write_bytes(b"\x1b[32m  OK  \x1b[0m\x1b]0;mine\x07 up\r\n")
    assert jeos("logs", "tiny").stdout == "  OK   up\n"
    raw = subprocess.run([*COMMAND, "logs", "--raw", "tiny"], capture_output=True, check=True).stdout
    assert raw == places.console_log.read_bytes()


def test_verbs_work_without_standard_input() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "run", "nobody"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.partition(b":")[0]) == (2, b"error")


@pytest.mark.vm
def test_console_on_a_terminal_detaches_by_key_and_sets_the_terminal_back(tiny: Machine) -> None:
    session.run(tiny)
    ours, theirs = pty.openpty()
    attached = subprocess.Popen([*COMMAND, "console", "tiny"], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
    assert attached.stdout is not None
    assert attached.stdout.readline() == b"ready\n"
    os.write(ours, b"\x03")  # Ctrl-C is the guest's
    assert attached.stdout.read(1) == b"\x03"
    os.write(ours, b"\x1d")
    assert attached.wait(timeout=DEADLINE) == 0
    assert session.seen("tiny").state.status == "running"
    attached.stdout.close()
    os.close(ours)
    os.close(theirs)


RUN_FOREGROUND = """
import sys
from pathlib import Path
import tiny_guest
from jeos.cli.run import announce, stay
from jeos.core.errors import JeosError
from jeos.vm import session
from jeos.vm.places import places_of
machine = tiny_guest.machine(Path(sys.argv[1]))
announce(machine, session.run(machine))
sys.exit(stay(machine, remove=True, within=0.1))
"""


@pytest.mark.vm
def test_interrupted_run_stops_its_machine_and_removes_it_if_asked(tiny: Machine, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = subprocess.Popen(
        [sys.executable, "-c", RUN_FOREGROUND, str(tmp_path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    running.send_signal(signal.SIGINT)
    output = running.communicate(timeout=60)
    assert running.returncode == 0
    assert b"stopped without the guest" in output[1]
    assert session.all_seen() == []
