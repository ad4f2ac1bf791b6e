"""A machine that updates itself over HTTP on the real boot path: to a good release, back from a broken one, offline."""

import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jeos.core.run import run
from jeos_command import EXAMPLE, Jeos, copy_recipe
from machine_use import BOOT, free_port, inside, status_of
from qemu_door import HOST, QemuDoor

pytestmark = [pytest.mark.network, pytest.mark.vm]
NAME = "hello-updates"
MOST_MEMORY = 64  # MiB that a pass may take
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
OVERRIDES = "/etc/jeos/update.toml"
ADMINISTRATOR = {**os.environ, "PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}"}


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
    page: int
    disk: Path  # that is attached to the machine, with nothing on it
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
        return status_of(self.jeos, NAME)

    def title(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/", timeout=30) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def world(jeos: Jeos) -> Iterator[World]:
    """A machine that runs 1.0, while its vendor's channel has 1.1."""
    recipe = copy_recipe(EXAMPLE, jeos.folder / "updates")
    (recipe / "appliance.lock").unlink(missing_ok=True)
    disk = jeos.folder / "attached.img"
    with disk.open("wb") as file:
        file.truncate(96 << 20)
    attached = ("-drive", f"if=none,id=attached,format=raw,file={disk}", "-device", "virtio-blk-pci,drive=attached")
    jeos = QemuDoor.make(jeos.folder / "door", jeos).jeos(more=attached).having(JEOS_PASSPHRASE="of a test")
    jeos.run("keys", "new", "--keys", recipe / "keys")
    asked: list[str] = []
    with serving(recipe / "channel", asked) as port:
        text = (recipe / "appliance.toml").read_text()
        text += f'\n[update]\nchannel = "http://{HOST}:{port}/"\nroot = "keys/root.json"\nhold = "3s"\n'
        (recipe / "appliance.toml").write_text(text)
        one = World(jeos, recipe, free_port(), disk, asked)
        one.release("1.0")
        words = ["--name", NAME, "--port", f"{one.page}:80", "--accel", "tcg", "--detach", "--wait", "healthy"]
        jeos.run("run", recipe, *words, "--timeout", str(BOOT))
        one.release("1.1")
        try:
            yield one
        finally:
            jeos.run("rm", "--force", NAME)


@contextmanager
def serving(channel: Path, asked: list[str], *, certificate: Path | None = None) -> Iterator[int]:
    """Serve a channel, with TLS if there is a certificate; yield the port."""

    class Handler(Channel):
        def __init__(self, *args: Any, **more: Any) -> None:
            self.asked = asked
            super().__init__(*args, directory=str(channel), **more)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
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
    assert 0 < memory(done.stderr) <= MOST_MEMORY


def memory(words: str) -> int:
    """Return the MiB that a pass says it had at once."""
    [found] = re.findall(r"at most ([0-9]+) MiB of memory were in use", words)
    return int(found)


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


def test_operator_moves_the_channel_to_https_with_a_certificate_of_the_house(world: World, tmp_path: Path) -> None:
    certificate = made_certificate(tmp_path)
    asked: list[str] = []
    with serving(world.channel, asked, certificate=certificate) as port:
        inside(world.jeos, NAME, "mkdir", "-p", OVERRIDES.rpartition("/")[0], CERTIFICATES.rpartition("/")[0])
        write(world, OVERRIDES, f'channel = "https://{HOST}:{port}/"')
        assert check(world)["words"].startswith(f"failed: there are no certificates at {CERTIFICATES}")
        write(world, CERTIFICATES, certificate.with_name("certificate.pem").read_text())
        assert check(world)["words"].startswith("1.2 failed here: ")
    assert asked[-1] == "/metadata/timestamp.json"
    inside(world.jeos, NAME, "rm", OVERRIDES)


def made_certificate(folder: Path) -> Path:
    """Return a certificate of this host, as guests see it, that vouches for itself, with its key in the same file."""
    place = folder / "server.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch"]
    words += ["-subj", "/CN=house", "-addext", f"subjectAltName=IP:{HOST}", "-days", "2"]
    run([*words, "-keyout", place, "-out", place.with_name("certificate.pem")])
    place.write_bytes(place.read_bytes() + place.with_name("certificate.pem").read_bytes())
    return place


def write(world: World, path: str, content: str) -> None:
    """Write a file in the machine."""
    inside(world.jeos, NAME, "sh", "-c", 'printf "%s\\n" "$1" > "$2"', "sh", content, path)


def check(world: World) -> dict[str, str]:
    """Return what comes of a look into the channel."""
    return dict(json.loads(inside(world.jeos, NAME, "sh", "-c", "jeos-agent update --check --json || true")))


def test_attached_disk_goes_before_the_channel(world: World, tmp_path: Path) -> None:
    """By the timer's service, which has few rights, with another command line, so that nothing has to be waited for."""
    world.release("1.3")
    attach(world, tmp_path / "disk.img")
    again = "/run/systemd/system/jeos-update.service.d/again.conf"
    script = f"""
        mkdir -p {again.rpartition("/")[0]} {OVERRIDES.rpartition("/")[0]}
        echo 'restart = false' > {OVERRIDES}
        printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/jeos-agent update\\n' > {again}
        systemctl daemon-reload
        systemctl start jeos-update.service
        journalctl --boot --unit jeos-update.service --output cat
        systemctl show --property MemoryPeak jeos-update.service
    """
    asked = len(world.asked)
    said = inside(world.jeos, NAME, "sh", "-e", "-c", script)
    status = world.status()
    assert status["version"] == "1.1"
    assert status["update"]["said"] == "1.3 is in place, and starts when the operator restarts the machine", said
    assert len(world.asked) == asked
    assert 0 < memory(said) <= MOST_MEMORY, said


def attach(world: World, image: Path) -> None:
    """Put the channel onto the machine's second disk, as if one that is labelled for it had been plugged in."""
    options = ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-L", "jeos-update", "-d", str(world.channel)]
    run(["mke2fs", *options, image, f"{world.disk.stat().st_size >> 20}M"], env=ADMINISTRATOR)
    with world.disk.open("r+b") as disk, image.open("rb") as source:
        shutil.copyfileobj(source, disk)
    inside(world.jeos, NAME, "udevadm", "trigger", "--settle", "--subsystem-match=block")
    assert inside(world.jeos, NAME, "readlink", "-f", "/dev/disk/by-label/jeos-update").startswith("/dev/vd")
