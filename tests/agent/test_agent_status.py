import os
import socket
import subprocess
import sys
from pathlib import Path

from agent_host import agent
from jeos.agent import console, local, status

DESCRIBED = {
    "name": "hello",
    "version": "1.0",
    "addresses": ["192.0.2.7"],
    "ports": [{"guest": 80, "protocol": "tcp", "name": "web"}, {"guest": 53, "protocol": "udp"}],
    "health": "unhealthy",
    "reasons": ["page: \x1b[2Jrefused"],
}

SCREEN = """
------------------------------------------------------------
 hello 1.0
 address  192.0.2.7
 ports    80/tcp (web), 53/udp
 health   unhealthy
          page: ?[2Jrefused
------------------------------------------------------------
"""


def test_the_screen_shows_all_and_no_control_characters() -> None:
    assert console.screen(DESCRIBED) == SCREEN
    licensed = console.screen({**DESCRIBED, "licence": "/usr/share/jeos/EULA"})
    assert " ports    80/tcp (web), 53/udp\n licence  /usr/share/jeos/EULA\n health " in licensed


def test_a_screen_goes_to_each_console_and_one_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    place = tmp_path / "console"
    place.write_text("")
    console.put("a\nb\n", [str(tmp_path / "none"), str(place)])
    assert place.read_bytes() == b"a\r\nb\r\n"


def test_consoles_are_those_of_the_kernel(tmp_path: Path) -> None:
    active = tmp_path / "active"
    active.write_text("tty0 ttyS0\n")
    assert console.consoles(str(active)) == ["/dev/tty1", "/dev/ttyS0"]
    assert console.consoles(str(tmp_path / "none")) == []


def test_what_is_wrong_with_properties_is_part_of_the_status(tmp_path: Path) -> None:
    assert status.property_faults(str(tmp_path)) == []
    (tmp_path / "properties.failed").write_text("the property x is required and not set\n")
    assert status.property_faults(str(tmp_path)) == ["the property x is required and not set"]


def test_the_guest_itself_can_ask(tmp_path: Path) -> None:
    with agent(tmp_path, health=[{"name": "no", "command": "false"}]):
        place = str(tmp_path / "agent.sock")
        assert local.ask({"do": "status"}, place=place, seconds=10)["name"] == "test"
        said = local.ask({"do": "health"}, place=place, seconds=10)
        assert said == {"event": "health", "state": "unhealthy", "reasons": ["no: ended with status 1"]}
        assert os.stat(place).st_mode & 0o777 == 0o600


def test_what_is_no_request_is_not_answered(tmp_path: Path) -> None:
    with agent(tmp_path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker:
            asker.settimeout(10)
            asker.connect(str(tmp_path / "agent.sock"))
            asker.send(b"\xff[")
            assert asker.recv(100) == b""
        assert local.ask({"do": "status"}, place=str(tmp_path / "agent.sock"), seconds=10)["name"] == "test"


def test_the_command_says_when_there_is_no_agent() -> None:
    done = subprocess.run([sys.executable, "-m", "jeos.agent", "status"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("the agent does not answer: ")
    assert "hint: systemctl status jeos-agent" in done.stderr


def test_an_unknown_command_shows_the_known_ones() -> None:
    done = subprocess.run([sys.executable, "-m", "jeos.agent", "dance"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "jeos-agent status" in done.stderr
