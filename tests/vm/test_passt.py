import json
import socket
import subprocess
import time
from pathlib import Path

import pytest

from jeos.core.errors import MachineError
from jeos.model.machine import Forward
from jeos.vm import passt
from jeos.vm.passt_check import TinyGuest, checksum

UDP = Forward(host=5353, guest=53, protocol="udp", address="::1")


def test_argv_forwards_both_protocols_and_nothing_else() -> None:
    start = ["passt", "--foreground", "--quiet", "--fd", "7", *passt.ADDRESSES]
    assert passt.argv([Forward(host=8080, guest=80), UDP], descriptor=7) == [
        *start,
        "--tcp-ports",
        "127.0.0.1/8080:80",
        "--udp-ports",
        "::1/5353:53",
    ]
    assert passt.argv([], descriptor=7) == [*start, "--tcp-ports", "none", "--udp-ports", "none"]


@pytest.mark.parametrize(
    ("own", "upstream", "options"),
    [
        ("nameserver 192.0.2.1\n", None, ["--no-map-gw"]),
        ("# mine\nnameserver 127.0.0.1\nnameserver 192.0.2.1\n", None, ["--no-map-gw"]),
        ("search example\n", None, ["--no-map-gw"]),
        (None, None, ["--no-map-gw"]),
        (
            "nameserver 127.0.0.53\noptions edns0\n",
            "nameserver 192.0.2.7\nnameserver fe80::1%eth0\nnameserver 2001:db8::7\n",
            ["--no-map-gw", "--dns", "192.0.2.7", "--dns", "2001:db8::7"],
        ),
        ("nameserver 127.0.0.1\n", None, []),
        ("nameserver ::1\n", "nameserver 127.0.0.2\nnameserver\n", []),
    ],
)
def test_fence_keeps_guests_from_the_hosts_own_services_but_not_from_names(
    tmp_path: Path, own: str | None, upstream: str | None, options: list[str]
) -> None:
    for name, text in (("own", own), ("upstream", upstream)):
        if text is not None:
            (tmp_path / name).write_text(text)
    assert passt.fence(resolver=tmp_path / "own", upstream=tmp_path / "upstream") == options
    assert passt.argv([], descriptor=7, more=options)[5 + len(passt.ADDRESSES) :][: len(options)] == options


def test_checksum_of_the_example_in_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == bytes.fromhex("220d")


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


def install(program: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "passt").write_text(program)
    (folder / "passt").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_complaint_about_a_passt_that_ends_and_is_tried_once(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(f"#!/bin/sh\necho tried >> {tmp_path}/tries\nhead -c 1 <&$4 >/dev/null\n", tmp_path / "bin", monkeypatch)
    words = passt.complaint()
    assert words == "passt ended when it met a guest that asks where its gateway is"
    assert passt.complaint() == words
    assert (tmp_path / "tries").read_text() == "tried\n"
    install("#!/bin/sh\nexit 1\n", tmp_path / "bin", monkeypatch)
    assert passt.complaint() != ""
    assert (tmp_path / "tries").read_text() == "tried\n"


def test_complaint_where_another_network_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_NETWORK", "slirp")
    assert passt.complaint() == "JEOS_NETWORK is slirp"


def test_complaint_where_passt_is_missing(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passt, "PROGRAM", "passt-that-nobody-has")
    assert passt.complaint() == "passt is not installed"
    assert not runtime.exists()


def test_complaint_is_remembered_as_text(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("#!/bin/sh\nexit 1\n", tmp_path / "bin", monkeypatch)
    words = passt.complaint()
    assert json.loads((runtime / "passt.json").read_text())["complaint"] == words


def router(line: socket.socket, *, port: int) -> "subprocess.Popen[bytes]":
    """Return a QEMU without a machine that routes between a socket and its own network: a router that is known good."""
    words = ["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none"]
    words += [
        "-netdev",
        f"user,id=u,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:80",
        "-netdev",
        "hubport,id=h1,hubid=0,netdev=u",
    ]
    words += ["-netdev", f"stream,id=s,server=off,addr.type=fd,addr.str={line.fileno()}"]
    words += ["-netdev", "hubport,id=h2,hubid=0,netdev=s"]
    return subprocess.Popen(words, pass_fds=(line.fileno(),))


@pytest.mark.vm
def test_conversation_holds_with_a_router_that_is_known_good() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ours, theirs = socket.socketpair()
    process = router(theirs, port=port)
    theirs.close()
    try:
        wait_for_listener(port)
        with ours:
            TinyGuest(ours).converse(port)
    finally:
        process.kill()
        process.wait()


def wait_for_listener(port: int) -> None:
    deadline = time.monotonic() + 20
    needle = f"0100007F:{port:04X} 00000000:0000 0A"
    while needle not in Path("/proc/net/tcp").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_conversation_with_silence_ends_in_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(MachineError, match="does not answer a guest that asks where its gateway is"):
        TinyGuest(ours).converse(1)
