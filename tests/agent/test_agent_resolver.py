"""The resolver's script, run by the shell that Debian runs it with."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "src/jeos/agent/resolver.sh"
HEAD = "# Written by jeos from what the network says; changes are lost.\n"


def write(folder: Path, state: str | None) -> str:
    place = folder / "state"
    if state is not None:
        place.write_text(state)
    subprocess.run(["sh", SCRIPT, str(place), str(folder)], check=True)
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []
    return (folder / "resolv.conf").read_text()


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        ("OPER_STATE=routable\nDNS=192.0.2.3 2001:db8::3\nNTP=\nDOMAINS=example.org lab.example\n",
         "nameserver 192.0.2.3\nnameserver 2001:db8::3\nsearch example.org lab.example\n"),
        ("DNS=192.0.2.1:5353#dns.example [2001:db8::1]:53#dns.example fe80::1%eth0\n",
         "nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver fe80::1%eth0\n"),
        ("DNS=192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4\n",
         "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"),
        ("OPER_STATE=no-carrier\n", ""),
        ("", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_the_state_becomes_resolver_settings(tmp_path: Path, state: str | None, lines: str) -> None:
    assert write(tmp_path, state) == HEAD + lines


def test_the_agent_is_told_of_a_change_and_nobody_waits_without_one(tmp_path: Path) -> None:
    pipe = tmp_path / "changed"
    os.mkfifo(pipe)
    write(tmp_path, "DNS=192.0.2.3\n")  # without a reader it would wait for ever
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    write(tmp_path, "DNS=192.0.2.4\n")
    assert os.read(descriptor, 10) == b"\n"
    os.close(descriptor)


def test_everybody_may_read_it(tmp_path: Path) -> None:
    os.umask(0o022)
    write(tmp_path, "")
    assert (tmp_path / "resolv.conf").stat().st_mode & 0o777 == 0o644
