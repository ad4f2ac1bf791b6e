import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jeos.build import launch, user_network
from jeos.build.sandbox import Sandbox
from jeos.core.errors import HostError, ProcessError
from namespaces import call, make_root, ordinary_user

pytestmark = pytest.mark.root
DEADLINE = 20.0  # seconds for what should take a moment


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("sandbox") / "root")


@pytest.fixture(scope="module")
def user() -> Iterator[str]:
    with ordinary_user() as name:
        yield name


@pytest.fixture(scope="module", params=["root", "ordinary user"])
def shell(request: pytest.FixtureRequest, root: Path, user: str) -> "Shell":
    """Return a way to run shell commands in a sandbox, of root or of an ordinary user with a root of their own."""
    if request.param == "root":
        return Shell(root, "")
    own = Path(f"/home/{user}/root")
    subprocess.run(["cp", "-a", str(root), str(own)], check=True)
    subprocess.run(["chown", "-Rh", f"{user}:", str(own)], check=True)
    return Shell(own, user)


class Shell:
    """Runs commands in a sandbox, in the build's namespace."""

    def __init__(self, root: Path, user: str) -> None:
        self.sandbox, self.user = Sandbox(root, time=1_700_000_000), user

    def __call__(self, script: str, *, sandbox: Sandbox | None = None, check: bool = True, **more: object) -> str:
        """Run a script and return both its outputs."""

        def work() -> str:
            done = (sandbox or self.sandbox).run(["sh", "-c", f"exec 2>&1; {script}"], check=check, **more)  # type: ignore[arg-type]
            return done.text

        return call(work, user=self.user)


def running(mark: str) -> list[int]:
    """Return the processes of this machine whose command line holds a mark."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return [number for number in found if number != os.getpid()]


def wait_until_gone(mark: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while running(mark):
        assert time.monotonic() < deadline, f"{mark} still runs"
        time.sleep(0.02)


def test_files_of_the_host_are_not_there(shell: Shell) -> None:
    assert shell("ls /") == "\n".join(
        ["bin", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"]
    )
    assert shell("ls -A /sys /run /tmp /root /dev/shm").split() == ["/dev/shm:", "/root:", "/run:", "/sys:", "/tmp:"]
    mounts = [line.split()[1] for line in shell("cat /proc/mounts").splitlines()]
    assert [place for place in mounts if not place.startswith(("/dev", "/proc"))] == [
        "/", "/tmp", "/run", "/sys", "/usr/sbin/policy-rc.d", "/usr/sbin/start-stop-daemon",
    ]  # fmt: skip


def test_processes_of_the_host_are_not_there(shell: Shell) -> None:
    numbers = [int(name) for name in shell("cd /proc; ls").split() if name.isdecimal()]
    assert min(numbers) == 1
    assert len(numbers) <= 3
    assert "No such process" in shell(f"kill -0 {os.getpid() + 100000}", check=False)


def test_network_is_the_loopback_device_alone(shell: Shell) -> None:
    devices = [line.split(":")[0].strip() for line in shell("cat /proc/net/dev").splitlines()[2:]]
    assert devices == ["lo"]
    assert "00000000" not in shell("cat /proc/net/route")
    assert "No such file" in shell("cat /etc/resolv.conf", check=False)


def answering(address: str) -> socket.socket:
    """Listen on an address of this host and say "host" to the first who comes."""
    server = socket.create_server((address, 0))
    server.settimeout(DEADLINE)

    def answer() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as connection:
            connection.sendall(b"host")

    threading.Thread(target=answer, daemon=True).start()
    return server


def outward_address() -> str:
    """Return the address that this host has towards others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this host has no network")
        return str(probe.getsockname()[0])


def test_network_that_is_asked_for_reaches_others_but_not_the_hosts_own_services(shell: Shell) -> None:
    complaint = call(user_network.complaint, user=shell.user)
    if complaint:
        pytest.skip(complaint)
    devices = [line.split(":")[0].strip() for line in shell("cat /proc/net/dev", network=True).splitlines()[2:]]
    assert sorted(devices) == ["lo", "tap0"]
    assert shell("cat /etc/resolv.conf", network=True) == "nameserver 10.0.2.3"
    assert not (shell.sandbox.root / "etc/resolv.conf").exists()

    def ask(address: str, port: int) -> str:
        script = f"bash -c 'exec 3<>/dev/tcp/{address}/{port} && cat <&3' || echo refused"
        return shell(script, network=True).splitlines()[-1]

    with answering(outward_address()) as server:
        assert ask(*server.getsockname()) == "host"
    with answering("127.0.0.1") as server:
        port = server.getsockname()[1]
        assert [ask(address, port) for address in ("127.0.0.1", "10.0.2.2")] == ["refused", "refused"]
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as here:
            assert here.recv(4) == b"host"


def test_network_is_the_hosts_if_the_router_is_not_installed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("jeos.build.user_network.PROGRAM", "no-such-router")
    shell = Shell(root, "")
    here = [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    devices = [line.split(":")[0].strip() for line in shell("cat /proc/net/dev", network=True).splitlines()[2:]]
    assert devices == here
    assert shell("cat /etc/resolv.conf", network=True) == Path("/etc/resolv.conf").read_text().rstrip("\n")
    assert "a command gets all of this host's network" in capfd.readouterr().err


def test_router_is_not_used_without_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeos.build.user_network.TUN", "/dev/no-such-device")
    assert user_network.complaint() in ("/dev/no-such-device cannot be opened", "slirp4netns is not installed")


def test_router_that_fails_is_named_and_the_program_does_not_start(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "slirp4netns"
    broken.write_text("#!/bin/sh\necho no tun >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("jeos.build.user_network.TUN", "/dev/null")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(HostError, match="slirp4netns gives the sandbox no network: no tun"):
        Shell(root, "")("touch /started", network=True)
    assert not (root / "started").exists()


@pytest.mark.parametrize(
    "harm",
    [
        "mount -t tmpfs none /root",
        "unshare --user true",
        "unshare --mount true",
        "mknod /root/disk b 8 0",
        "hostname other",
        "echo 1 > /proc/sys/kernel/sysrq",
        "echo b > /proc/sysrq-trigger",
        "chmod 600 /dev/null",
        "touch /sys/x",
        "date -s 2001-01-01",
    ],
)
def test_harm_is_refused(shell: Shell, harm: str) -> None:
    before = os.stat("/dev/null").st_mode
    said = shell(f"{harm} && echo DONE", check=False)
    assert "DONE" not in said
    refusals = ("not permitted", "must be root", "Read-only", "denied", "nonexistent", "cannot create", "failed")
    assert any(refusal in said for refusal in refusals), said
    assert os.stat("/dev/null").st_mode == before


def test_devices_work(shell: Shell) -> None:
    assert shell("echo x > /dev/null; ls /dev; ls -l /dev/stdout") != ""
    names = shell("ls /dev").split()
    assert names == sorted([*launch.LINKS, *launch.DEVICES, "pts", "shm"])


def test_capabilities_are_few(shell: Shell) -> None:
    status = dict(line.split(":\t") for line in shell("cat /proc/self/status").splitlines() if ":\t" in line)
    assert (status["CapEff"], status["CapBnd"]) == ("00000000800405fb", "00000000800405fb")
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_owners_can_be_any_of_debians(shell: Shell) -> None:
    assert shell("touch /root/f; chown 65534:33 /root/f; stat -c %u:%g /root/f; rm /root/f") == "65534:33"


def test_environment_is_the_same_everywhere(shell: Shell) -> None:
    found = dict(line.split("=", 1) for line in shell("env").splitlines())
    expected = shell.sandbox.environment() | {"PWD": "/"}
    assert {name: found.get(name) for name in expected} == expected
    assert set(found) - set(expected) <= {"OLDPWD", "SHLVL", "_"}
    assert (found["SOURCE_DATE_EPOCH"], found["DEBIAN_FRONTEND"]) == ("1700000000", "noninteractive")
    assert shell("hostname") == "jeos"


def test_services_are_not_started(shell: Shell) -> None:
    assert shell("policy-rc.d; echo $?; start-stop-daemon --start --exec /no/such; echo $?") == "101\n0"
    assert not (shell.sandbox.root / "usr/sbin/policy-rc.d").exists()
    assert (shell.sandbox.root / "usr/sbin/start-stop-daemon").stat().st_size > 1000


def test_input_status_and_signal(shell: Shell) -> None:
    def work() -> tuple[object, ...]:
        run = shell.sandbox.run
        return (
            run(["cat"], stdin=b"x" * 200_000).stdout == b"x" * 200_000,
            run(["sh", "-c", "echo out; echo err >&2; exit 7"], check=False),
            run(["sh", "-c", "kill -TERM $$"], check=False).status,
        )

    same, done, killed = call(work, user=shell.user)
    assert same
    assert (done.status, done.stdout, done.stderr) == (7, b"out\n", b"err\n")  # type: ignore[attr-defined]
    assert killed == 128 + signal.SIGTERM


def test_failure_says_what_and_how(root: Path) -> None:
    with pytest.raises(ProcessError) as caught:
        call(lambda: Sandbox(root).run(["sh", "-c", "echo because >&2; exit 3"]))
    assert caught.value.message == "in the sandbox, sh -c 'echo because >&2; exit 3' failed with status 3\n  because"


def test_program_that_is_missing(root: Path) -> None:
    with pytest.raises(ProcessError) as caught:
        call(lambda: Sandbox(root).run(["no-such-program"]))
    assert caught.value.message == "in the sandbox, no-such-program: No such file or directory"


def test_root_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught:
        call(lambda: Sandbox(tmp_path / "none").run(["true"]))
    assert caught.value.message == (
        f"the sandbox cannot be made: mount {tmp_path}/none on {tmp_path}/none: No such file or directory"
    )


def test_log_takes_both_outputs(shell: Shell) -> None:
    log = shell.sandbox.root.parent / "log"
    said = shell("echo one; echo two", sandbox=replace(shell.sandbox, log=log))
    assert said == "one\ntwo"
    assert log.read_text() == "one\ntwo\n"
    log.unlink()


def test_files_of_the_host_can_be_shown_but_not_changed(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    shown = shell.sandbox.root.parent / "shown"
    shown.mkdir(exist_ok=True)
    (shown / "file").write_text("content")
    os.chmod(shown, 0o777)
    sandbox = replace(shell.sandbox, binds={"/run/shown": shown, "/run/one": shown / "file"})
    assert shell("cat /run/shown/file /run/one", sandbox=sandbox) == "contentcontent"
    assert "Read-only" in shell("echo x > /run/shown/new", sandbox=sandbox, check=False)
    assert not (shown / "new").exists()


def test_links_in_the_root_lead_nowhere_else(root: Path, tmp_path: Path) -> None:
    trap, outside = tmp_path / "trap", tmp_path / "outside"
    subprocess.run(["cp", "-a", str(root), str(trap)], check=True)
    outside.mkdir()
    (outside / "policy-rc.d").write_text("host")
    (trap / "usr/sbin/policy-rc.d").symlink_to(outside / "policy-rc.d")
    said = call(lambda: Sandbox(trap).run(["sh", "-c", "policy-rc.d; echo $?"]).text)
    assert said == "101"
    (trap / "tmp").rmdir()
    (trap / "tmp").symlink_to(outside)
    with pytest.raises(HostError) as caught:
        call(lambda: Sandbox(trap).run(["true"]))
    assert caught.value.message == "the sandbox cannot be made: /tmp of the root is a link"
    assert [path.read_text() for path in outside.iterdir()] == ["host"]


def test_daemon_does_not_survive(shell: Shell) -> None:
    mark = "31415.926"
    daemons = f"setsid sleep {mark} > /dev/null 2>&1 < /dev/null & setsid sh -c 'sleep {mark} & sleep {mark}' &"
    said = shell(f"{daemons} echo started")
    assert said == "started"
    assert running(mark) == []


def test_program_that_takes_too_long(shell: Shell) -> None:
    mark = "2718.2818"
    with pytest.raises(ProcessError) as caught:
        shell(f"setsid sleep {mark} & sleep {mark}", sandbox=replace(shell.sandbox, covers={}), timeout=0.5)
    assert caught.value.message == "a program in the sandbox did not end within 0.5 s"
    wait_until_gone(mark)


def test_nothing_survives_the_build(shell: Shell) -> None:
    mark = "1618.0339"
    child = os.fork()
    if child == 0:
        try:
            shell(f"setsid sleep {mark} & sleep {mark}", sandbox=replace(shell.sandbox, covers={}))
        finally:
            os._exit(1)
    deadline = time.monotonic() + DEADLINE
    while len(running(f"sleep\0{mark}")) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (builder,) = [int(pid) for pid in Path(f"/proc/{child}/task/{child}/children").read_text().split()]
    os.kill(builder, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_until_gone(mark)
