import http.server
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_host import agent
from jeos.agent import health
from jeos.agent.health import HEALTHY, STARTING, UNHEALTHY, Verdict, judge

CHECKS = [{"name": "page", "within": 60}, {"name": "database", "within": 100}]


def test_judge_is_healthy_once_each_check_has_held() -> None:
    assert judge(CHECKS, {0: "", 1: ""}, uptime=500) == Verdict(HEALTHY)


def test_judge_waits_for_what_was_not_tried_or_does_not_hold_yet() -> None:
    verdict = judge(CHECKS, {0: "refused"}, uptime=59)
    assert verdict == Verdict(STARTING, ["page: refused", "database: not tried yet"])


def test_judge_is_unhealthy_once_one_check_is_late() -> None:
    assert judge(CHECKS, {0: "refused", 1: "down"}, uptime=60) == Verdict(
        UNHEALTHY, ["page: refused", "database: down"]
    )
    assert judge(CHECKS, {0: "", 1: "down"}, uptime=60) == Verdict(STARTING, ["database: down"])


def test_watch_reports_each_change_and_ends() -> None:
    answers = iter(["not yet", "not yet", ""])
    seen: list[Verdict] = []
    checks = [{"name": "page", "interval": 0.001, "within": health.uptime() + 1000}]
    last = health.watch(checks, attempt=lambda check: next(answers), report=seen.append)
    assert seen == [Verdict(STARTING, ["page: not yet"]), Verdict(HEALTHY)]
    assert last == seen[-1]


def test_watch_gives_up_and_says_why() -> None:
    seen: list[Verdict] = []
    checks = [{"name": "page", "interval": 0.001, "within": health.uptime() / 2}]
    last = health.watch(checks, attempt=lambda check: "never", report=seen.append)
    assert last == Verdict(UNHEALTHY, ["page: never"])


@pytest.fixture
def server() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204 if self.path == "/empty" else 200 if self.path == "/page?x=1" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    found = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found.server_port
    found.shutdown()
    found.server_close()


def test_http_holds_when_the_status_is_right(server: int) -> None:
    assert health.attempt({"http": f"http://127.0.0.1:{server}/page?x=1"}) == ""
    assert health.attempt({"http": f"http://localhost:{server}/empty", "status": 204}) == ""
    address = f"http://127.0.0.1:{server}/missing"
    assert health.attempt({"http": address}) == f"{address} answered 404 instead of 200"


def test_https_holds_whatever_the_certificate(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    request += ["-subj", "/CN=other.example", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(request, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        plain.listen()

        def answer() -> None:
            connection, _ = plain.accept()
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1000)
                secure.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        assert health.attempt({"http": f"https://localhost:{plain.getsockname()[1]}/"}) == ""


def test_tcp_holds_when_something_listens(server: int) -> None:
    assert health.attempt({"tcp": f"127.0.0.1:{server}"}) == ""
    assert health.attempt({"tcp": str(server)}) == ""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        assert health.attempt({"tcp": f"127.0.0.1:{port}"}) == "[Errno 111] Connection refused"


def test_http_ends_in_time_when_nothing_is_said() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert health.attempt({"http": address, "timeout": 0.05}) == "timed out"


def test_what_is_not_http_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"http://127.0.0.1:{other.getsockname()[1]}/"

        def answer() -> None:
            connection, _ = other.accept()
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-nothing\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        assert health.attempt({"http": address}) == f"{address} did not answer in HTTP"


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("http://localhost/", ("http", "localhost", 80, "/")),
        ("http://localhost", ("http", "localhost", 80, "/")),
        ("http://:8080/a/b?c", ("http", "localhost", 8080, "/a/b?c")),
        ("https://example.org/", ("https", "example.org", 443, "/")),
        ("http://[::1]/x", ("http", "::1", 80, "/x")),
        ("http://[::1]:81/x", ("http", "::1", 81, "/x")),
    ],
)
def test_web_addresses_are_taken_apart(address: str, parts: tuple[str, str, int, str]) -> None:
    assert health.split_address(address) == parts


def test_a_command_holds_when_it_ends_well() -> None:
    assert health.attempt({"command": "exit 0"}) == ""
    assert health.attempt({"command": "echo first; echo the reason >&2; exit 3"}) == "the reason"
    assert health.attempt({"command": "exit 3"}) == "ended with status 3"


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    reason = health.attempt({"command": f"sleep 1000 & echo $! >{mark}; wait", "timeout": 0.3})
    assert reason == "did not end within 0.3 s"
    pid = int(mark.read_text())
    deadline = time.monotonic() + 10
    while (stat := Path(f"/proc/{pid}/stat")).exists() and " Z " not in stat.read_text():
        assert time.monotonic() < deadline


def test_a_command_that_leaves_a_daemon_with_its_output_still_ends() -> None:
    assert health.attempt({"command": "sleep 3 & exit 0", "timeout": 2.0}) == ""


def test_properties_that_are_wrong_are_a_reason(tmp_path: Path) -> None:
    check = {"name": "properties", "properties": str(tmp_path)}
    assert health.attempt(check) == "not taken yet"
    (tmp_path / "properties.env").write_text("")
    assert health.attempt(check) == ""
    (tmp_path / "properties.failed").write_text("one is missing\none is wrong\n")
    assert health.attempt(check) == "one is missing; one is wrong"


def test_one_try_of_a_settled_appliance_is_no_longer_patient() -> None:
    checks = [{"name": "page", "within": health.uptime() + 1000}]
    assert health.check_once(checks, attempt=lambda check: "no", settled=False) == Verdict(STARTING, ["page: no"])
    assert health.check_once(checks, attempt=lambda check: "no", settled=True) == Verdict(UNHEALTHY, ["page: no"])
    assert health.check_once(checks, attempt=lambda check: "", settled=True) == Verdict(HEALTHY)


def test_the_daemon_tells_the_host_of_its_health(tmp_path: Path) -> None:
    mark = tmp_path / "well"
    command = f"test -e {mark} || {{ echo no mark; exit 1; }}"
    checks = [{"name": "mark", "command": command, "interval": 0.01, "within": health.uptime() + 1000}]
    with agent(tmp_path, health=checks) as host:
        host.ask(1, do="health")
        assert host.message(1) == {"event": "health", "state": "starting", "reasons": ["mark: no mark"]}
        mark.write_text("")
        while (said := host.message(0))["state"] != "healthy":
            assert said["event"] == "state"
        host.ask(2, do="health")
        assert host.message(2) == {"event": "health", "state": "healthy", "reasons": []}
        mark.unlink()
        host.ask(3, do="health")
        assert host.message(3) == {"event": "health", "state": "unhealthy", "reasons": ["mark: no mark"]}
