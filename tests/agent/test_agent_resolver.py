import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.agent import resolver
from jeos.agent.loop import Loop
from jeos.agent.resolver import HEAD, settings


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        (
            "# private\nOPER_STATE=routable\nDNS=192.0.2.3 2001:db8::3\nNTP=\nDOMAINS=example.org lab.example\n",
            "nameserver 192.0.2.3\nnameserver 2001:db8::3\nsearch example.org lab.example\n",
        ),
        (
            "DNS=192.0.2.1:5353#dns.example [2001:db8::1]:53#dns.example fe80::1%eth0\n",
            "nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver fe80::1%eth0\n",
        ),
        (
            "DNS=192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4\n",
            "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n",
        ),
        ("OPER_STATE=no-carrier\n", ""),
        ("", ""),
    ],
)
def test_the_state_becomes_resolver_settings(state: str, lines: str) -> None:
    assert settings(state) == HEAD + lines


@given(st.text(max_size=200))
def test_any_state_becomes_lines_that_the_resolver_knows(state: str) -> None:
    for line in settings(state).splitlines():
        assert line.split(" ")[0] in ("#", "nameserver", "search")


def test_update_writes_only_what_is_new(tmp_path: Path) -> None:
    state, target = tmp_path / "state", tmp_path / "run" / "resolv.conf"
    assert resolver.update(str(state), str(target))
    assert target.read_text() == HEAD
    state.write_text("DNS=192.0.2.3\n")
    assert resolver.update(str(state), str(target))
    assert not resolver.update(str(state), str(target))
    assert target.read_text() == f"{HEAD}nameserver 192.0.2.3\n"
    assert target.stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals need the main thread")
def test_a_folder_that_comes_and_changes_is_seen_without_polling(tmp_path: Path) -> None:
    folder = tmp_path / "netif"
    loop = Loop()
    seen: list[str] = []
    resolver.watch(loop, lambda: seen.append("".join(path.name for path in folder.glob("state"))), folder=str(folder))
    assert seen == [""]
    folder.mkdir()
    while len(seen) < 3:  # once more when the folder is found, and once watched
        loop.turn()
    for _ in range(3):
        before = len(seen)
        (folder / ".new").write_text("DNS=192.0.2.3\n")
        os.rename(folder / ".new", folder / "state")  # as networkd does
        while len(seen) == before:
            loop.turn()
    assert seen[-1] == "state"
