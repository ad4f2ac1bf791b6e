"""A machine that updates itself over HTTP on the real boot path: to a good release, back from a broken one, offline."""

import json
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jeos_command import EXAMPLE, Jeos, copy_recipe
from machine_use import BOOT, free_port, inside

pytestmark = [pytest.mark.network, pytest.mark.vm]
HOST = "10.0.2.2"  # this machine, as a guest behind QEMU's own router sees it
NAME = "hello-updates"


class Channel(SimpleHTTPRequestHandler):
    """A plain web server without ranges, which notes what is asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        with suppress(OSError):
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass
class World:
    """A vendor with keys, a recipe and a channel that is served; and a machine with the first release."""

    jeos: Jeos
    recipe: Path
    port: int
    page: int
    asked: list[str] = field(default_factory=list)

    @property
    def channel(self) -> Path:
        return self.recipe / "channel"

    def release(self, version: str, *, nginx: str = "") -> None:
        """Build and publish a version, whose page names it."""
        recipe = self.recipe / "appliance.toml"
        recipe.write_text(re.sub(r'(?m)^version = ".*"', f'version = "{version}"', recipe.read_text()))
        (self.recipe / "site/index.html").write_text(f"<title>{version}</title>\n")
        (self.recipe / "nginx.conf").write_text(nginx or (EXAMPLE / "nginx.conf").read_text())
        self.jeos.run("build", self.recipe)
        self.jeos.run("publish", "--keys", self.recipe / "keys", "--channel", self.channel, self.recipe)

    def update(self, *options: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        return self.jeos.run("update", NAME, *options, status=status, timeout=900)

    def status(self) -> dict[str, Any]:
        return dict(json.loads(inside(self.jeos, NAME, "jeos-agent", "status", "--json")))

    def title(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/", timeout=30) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def world(jeos: Jeos) -> Iterator[World]:
    """A machine that runs 1.0, while its vendor's channel has 1.1."""
    recipe = copy_recipe(EXAMPLE, jeos.folder / "updates")
    (recipe / "appliance.lock").unlink(missing_ok=True)
    jeos = jeos.having(JEOS_PASSPHRASE="of a test")
    jeos.run("keys", "new", "--keys", recipe / "keys")
    asked: list[str] = []

    class Handler(Channel):
        def __init__(self, *args: Any, **more: Any) -> None:
            self.asked = asked
            super().__init__(*args, directory=str(recipe / "channel"), **more)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        text = (recipe / "appliance.toml").read_text()
        text += f'\n[update]\nchannel = "http://{HOST}:{port}/"\nroot = "keys/root.json"\nhold = "3s"\n'
        (recipe / "appliance.toml").write_text(text)
        one = World(jeos, recipe, port, free_port(), asked)
        one.release("1.0")
        words = ["--name", NAME, "--port", f"{one.page}:80", "--accel", "tcg", "--detach", "--wait", "healthy"]
        jeos.run("run", recipe, *words, "--timeout", str(BOOT))
        one.release("1.1")
        try:
            yield one
        finally:
            jeos.run("rm", "--force", NAME)
            server.shutdown()


def test_machine_updates_itself_and_confirms_its_health(world: World) -> None:
    before = world.status()
    assert (before["version"], before["slot"]) == ("1.0", "A")
    assert world.update("--check").stdout == f"{NAME}: 1.1 is newer than 1.0\n"
    assert world.status()["version"] == "1.0"
    done = world.update("--now")
    assert done.stdout == f"{NAME}: 1.1 runs, and is confirmed\n"
    after = world.status()
    assert (after["version"], after["slot"], after["update"]["said"]) == ("1.1", "B", "1.1 is confirmed")
    assert world.title() == "<title>1.1</title>\n"
    assert listed(world) == ("hello", "1.0", "1.1")
    blobs = {path.rpartition("/")[2] for path in world.asked if path.startswith("/data/")}
    assert blobs == {patch_of(world, "1.1")}, done.stderr
    assert world.update("--check").stdout == f"{NAME}: 1.1 is the newest\n"


def listed(world: World) -> tuple[str, str, str]:
    """Return what `jeos ls` says of the machine: appliance, version of its image, and the one that runs."""
    [seen] = json.loads(world.jeos.run("ls", "--json").stdout)
    return seen["machine"]["appliance"], seen["machine"]["version"], seen["state"]["version"]


def patch_of(world: World, version: str) -> str:
    """Return the digest of the one patch to a version."""
    found = next(world.channel.glob(f"targets/releases/*_{version}.json"))
    return str(json.loads(found.read_bytes())["patches"][0]["blob"]["sha256"])


def test_broken_release_is_left_and_says_why(world: World) -> None:
    world.release("1.2", nginx="this is no configuration\n")
    done = world.update("--now", status=9)
    assert f"{NAME} went back to 1.1: " in done.stderr
    assert "page: " in done.stderr
    after = world.status()
    assert (after["version"], after["slot"], after["health"]) == ("1.1", "B", "healthy")
    assert [one["version"] for one in after["update"]["failed"]] == ["1.2"]
    assert world.title() == "<title>1.1</title>\n"
    assert world.update("--now").stdout.startswith(f"{NAME}: 1.2 failed here: ")


def test_offline_folder_updates_a_machine_without_its_channel(world: World) -> None:
    world.release("1.3")
    inside(world.jeos, NAME, "mkdir", "-p", "/var/offline")
    packed = ["tar", "-C", str(world.channel), "-c", "metadata", "targets", "data"]
    with subprocess.Popen(packed, stdout=subprocess.PIPE) as tar:
        command = [sys.executable, "-m", "jeos", "exec", NAME, "--", "tar", "-x", "-C", "/var/offline"]
        subprocess.run(command, stdin=tar.stdout, env=dict(world.jeos.environment), check=True, timeout=300)
    asked = len(world.asked)
    said = json.loads(inside(world.jeos, NAME, "jeos-agent", "update", "--check", "--json", "--from", "/var/offline"))
    assert (said["words"], said["version"], said["error"]) == ("1.3 is newer than 1.1", "1.3", "")
    assert len(world.asked) == asked


def test_sandboxed_service_puts_a_release_in_place_and_leaves_the_restart_to_the_operator(world: World) -> None:
    """The timer's service has few rights; this gives it another command line, so that nothing has to be waited for."""
    again = "/run/systemd/system/jeos-update.service.d/again.conf"
    script = f"""
        mkdir -p /etc/jeos {again.rpartition("/")[0]}
        echo 'restart = false' > /etc/jeos/update.toml
        printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/jeos-agent update\\n' > {again}
        systemctl daemon-reload
        systemctl start jeos-update.service
    """
    inside(world.jeos, NAME, "sh", "-e", "-c", script)
    status = world.status()
    assert status["version"] == "1.1"
    assert status["update"]["said"] == "1.3 is in place, and starts when the operator restarts the machine"
