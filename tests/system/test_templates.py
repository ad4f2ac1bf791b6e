"""What `jeos new` makes: each template builds as it is, becomes healthy, answers, and keeps its data."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos_command import Jeos
from machine_use import BOOT, inside

pytestmark = [pytest.mark.network, pytest.mark.vm]
PASSWORD = "it's a secret"
# What programs say; what the kernel says depends on the emulator and on how busy the host is.
COMPLAINTS = ("journalctl", "--boot", "--priority=warning", "--output=cat", "--no-pager")
PROGRAMS = ("_TRANSPORT=journal", "_TRANSPORT=stdout", "_TRANSPORT=syslog")


@pytest.fixture
def machine(jeos: Jeos, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Make, build and start a template; yield the machine's name, which is the template's."""
    template, options, *suite = request.param
    jeos.run("new", template, "--template", template, "--folder", tmp_path / template)
    recipe = tmp_path / template / "appliance.toml"
    recipe.write_text("".join(f'suite = "{name}"\n' for name in suite) + recipe.read_text())
    jeos.build(tmp_path / template)
    start(jeos, tmp_path / template, *options)
    yield template
    jeos.run("rm", "--force", template)


def start(jeos: Jeos, target: str | Path, *options: str) -> None:
    words = ["--detach", "--wait", "healthy", "--timeout", str(BOOT), "--accel", "tcg"]
    jeos.run("run", target, *words, *options)


def port_of(jeos: Jeos, name: str) -> int:
    seen = next(one for one in json.loads(jeos.run("ls", "--json").stdout) if one["machine"]["name"] == name)
    return int(seen["state"]["forwards"][0]["host"])


def assert_quiet(jeos: Jeos, name: str) -> None:
    """Fail if anything in the machine failed or complained, or if its console has control sequences."""
    assert inside(jeos, name, "systemctl", "--failed", "--plain", "--no-legend") == ""
    assert inside(jeos, name, *COMPLAINTS, *PROGRAMS) == ""
    console = jeos.run("logs", name).stdout
    assert "health   healthy" in console
    assert "\x1b" not in console


@pytest.mark.parametrize("machine", [("minimal", ())], indirect=True)
def test_minimal_is_healthy(jeos: Jeos, machine: str) -> None:
    assert inside(jeos, machine, "hostname") == machine
    assert_quiet(jeos, machine)


@pytest.mark.parametrize("machine", [("python-app", ("--port", "0:8000", "--set", "greeting=Good day"))], indirect=True)
def test_python_app_greets_and_counts_on(jeos: Jeos, machine: str) -> None:
    def page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port_of(jeos, machine)}/", timeout=30) as answer:
            return str(answer.read().decode())

    def visits() -> int:
        return int(inside(jeos, machine, "cat", "/var/lib/app/visits"))

    assert "Good day" in page()
    assert_quiet(jeos, machine)
    before = visits()
    jeos.run("stop", machine)
    start(jeos, machine)
    assert "Good day" in page()
    assert visits() > before


@pytest.mark.parametrize("machine", [("database", ("--set", f"password={PASSWORD}"))], indirect=True)
def test_database_lets_in_who_has_the_password(jeos: Jeos, machine: str) -> None:
    def ask(password: str, query: str, *, status: int = 0) -> str:
        psql = ["/usr/lib/postgresql/17/bin/psql", "--host=localhost", "--username=postgres", "-Atc", query]
        words = ["exec", "--wait", "60", machine, "--", "env", f"PGPASSWORD={password}", *psql]
        return jeos.run(*words, status=status).stdout.strip()

    assert_quiet(jeos, machine)
    ask(PASSWORD, "create table answers as select 6 * 7 as answer")
    ask("guessed", "select 1", status=2)
    jeos.run("stop", machine)
    start(jeos, machine)
    assert ask(PASSWORD, "select answer from answers") == "42"


@pytest.mark.parametrize("machine", [("web", ("--disk", "8G"), "bookworm")], indirect=True)
def test_web_on_debian_12_has_all_of_its_disk_and_a_tmp(jeos: Jeos, machine: str) -> None:
    assert inside(jeos, machine, "sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME") == "bookworm"
    data = inside(jeos, machine, "stat", "--file-system", "--format=%b %S", "/var").split()
    assert int(data[0]) * int(data[1]) > 7 << 30
    inside(jeos, machine, "sh", "-c", "echo x >/tmp/file")
    assert_quiet(jeos, machine)
