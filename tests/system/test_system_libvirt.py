"""A real appliance as a domain of a real libvirt: what needs its agent, and what only libvirt can do to it."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jeos.build.outputs import Outputs
from jeos.vm.domains import alone
from jeos.vm.domains.library import connected
from jeos_command import Jeos, wait_until
from libvirt_daemon import session_libvirt
from machine_use import BOOT, inside

pytestmark = [pytest.mark.network, pytest.mark.vm]
NAME = "hello"


@pytest.fixture
def uri() -> Iterator[str]:
    with session_libvirt() as found:
        yield found


def seen(jeos: Jeos) -> dict[str, Any]:
    (found,) = json.loads(jeos.run("ls", "--json").stdout)
    return dict(found["state"])


def page(state: dict[str, Any]) -> str:
    (forward,) = state["forwards"]
    with urllib.request.urlopen(f"http://{forward['address']}:{forward['host']}/", timeout=60) as answer:
        return str(answer.read().decode())


def test_an_appliance_lives_as_a_domain_of_libvirt(jeos: Jeos, web: Outputs, uri: str, tmp_path: Path) -> None:
    start = ("run", web.folder.parent, "--engine", f"libvirt={uri}", "--accel", "tcg", "--detach", "--port", "0:80")
    jeos.run(*start, "--wait", "healthy", "--timeout", str(BOOT))
    try:
        started = seen(jeos)
        assert (started["status"], started["accelerator"], started["channel"]) == ("healthy", "tcg", "serial")
        assert "<html" in page(started)
        note = tmp_path / "note"
        note.write_text("before")
        jeos.run("cp", note, f"{NAME}:/run/note")
        boot = inside(jeos, NAME, "cat", "/proc/sys/kernel/random/boot_id")

        jeos.run("pause", NAME)
        assert seen(jeos)["status"] == "paused"
        jeos.run("exec", NAME, "--", "true", status=9)
        jeos.run("resume", NAME)

        jeos.run("save", f"{NAME}@before")
        assert inside(jeos, NAME, "sh", "-c", "cat /run/note; echo after >/run/note") == "before"
        jeos.run("resize-memory", NAME, "200M")
        jeos.run("load", "--force", f"{NAME}@before")
        assert inside(jeos, NAME, "cat", "/run/note", "/proc/sys/kernel/random/boot_id") == f"before{boot}"
        assert "<html" in page(seen(jeos))

        os.kill(seen(jeos)["supervisor"], signal.SIGKILL)
        wait_until(lambda: seen(jeos)["reason"] == alone.ALONE)
        assert inside(jeos, NAME, "cat", "/proc/sys/kernel/random/boot_id") == boot
        wait_until(lambda: seen(jeos)["status"] == "healthy")
        assert "<html" in page(seen(jeos))

        jeos.run("stop", "--timeout", str(BOOT), NAME)
        assert (seen(jeos)["status"], seen(jeos)["reason"]) == ("stopped", "stopped")
    finally:
        jeos.run("rm", "--force", NAME)
    with connected(uri) as host:
        assert host.listAllDomains() == []  # type: ignore[attr-defined]
