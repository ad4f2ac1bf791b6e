"""Requests to addresses that others chose: what is inside is not reached, and nothing takes for ever."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates import certificate
from jeos.core.errors import NetworkError, UsageError
from jeos.server import environment, outside
from jeos.server.outside import Refused, Rules
from receiver import receiving
from scripted_server import Asked, drip, head, serving

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
INSIDE = Rules(plain=True, networks=(LOOPBACK,))


def ok(asked: Asked, connection: socket.socket) -> bool:
    connection.sendall(head("200 OK", Content_Length=5, X_Seen="yes") + b"hello")
    return False


def refused(address: str, rules: Rules | None = None) -> str:
    with pytest.raises(Refused) as caught:
        outside.request("POST", address, rules=rules or Rules(plain=True), body=b"{}")
    return caught.value.message


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0.0.0.0"),
        *("10.0.0.7", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "192.0.2.1"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1"),
        *("[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[ff02::1]", "[2001:db8::1]"),
        *("[::ffff:127.0.0.1]", "[::ffff:a00:7]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]"),
    ],
)
def test_address_that_is_not_public_is_refused_however_it_is_written(host: str) -> None:
    assert "not a public address" in refused(f"http://{host}:9/")


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_address_may_be_reached(address: str) -> None:
    assert outside.may_reach(address, rules=Rules())


@given(st.ip_addresses())
def test_what_may_be_reached_is_global_whatever_it_stands_for(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if outside.may_reach(str(ip), rules=Rules()):
        mapped = getattr(ip, "ipv4_mapped", None)
        assert (mapped or ip).is_global
        assert not ip.is_multicast


@pytest.mark.parametrize(
    "address",
    [
        *(
            "ftp://host.example/",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "https://",
            "//host.example/",
            "",
            "https:x",
        ),
        *("https://user:secret@host.example/", "https://host.example@127.0.0.1/", "https://host.example:0/"),
        *("https://host.example:99999/", "https://ho st.example/", "https://host.example\\@127.0.0.1/"),
        *(
            "https://host.example/\r\nX-Evil: 1",
            "https://h\u00f6st.example/",
            "https://[::1/",
            "https://a/" + "b" * 3000,
        ),
    ],
)
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        outside.parse(address, rules=Rules(plain=True))


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for address in (text, f"https://{text}/", f"https://host.example/{text}"):
        try:
            place = outside.parse(address, rules=Rules())
        except Refused:
            continue
        assert place.secure
        assert not set(place.path + place.authority) & set("\r\n\t ")


def test_plain_http_is_refused_unless_the_operator_permits_it() -> None:
    assert refused("http://host.example/", Rules()) == "not encrypted: http://host.example/"
    assert outside.parse("http://host.example/in?x=1", rules=Rules(plain=True)) == outside.Place(
        secure=False, host="host.example", port=80, path="/in?x=1"
    )


def test_permitted_network_is_reached_with_method_headers_and_body() -> None:
    with receiving() as receiver:
        receiver.statuses = [202]
        answer = outside.request(
            "POST", f"{receiver.address}?a=b", rules=INSIDE, body=b'{"n":1}', headers={"X-Mine": "yes"}
        )
    assert (answer.status, answer.body, answer.whole, answer.headers["content-length"]) == (202, b"", True, "0")
    (received,) = receiver.received
    assert (received.method, received.path, received.body) == ("POST", "/in?a=b", b'{"n":1}')
    assert received.headers == {
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": "7",
        "host": receiver.address.split("/")[2],
        "user-agent": "jeos-exchange",
        "x-mine": "yes",
    }


def test_another_network_than_the_permitted_is_still_refused() -> None:
    assert "not a public address" in refused("http://10.0.0.7/", INSIDE)


def test_redirect_is_an_answer_and_is_not_followed() -> None:
    def redirect(asked: Asked, connection: socket.socket) -> bool:
        connection.sendall(head("302 Found", Location="http://169.254.169.254/", Content_Length=0))
        return False

    with serving(redirect) as server:
        answer = outside.request("GET", server.address, rules=INSIDE)
        assert (answer.status, len(server.asked)) == (302, 1)
        with pytest.raises(NetworkError, match="answered 302"):
            outside.fetch(server.address, rules=INSIDE, limit=100)


def test_name_that_means_something_else_a_moment_later_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    asked: list[str] = []

    def rebinding(host: str, *rest: object, **options: object) -> object:
        if host != "rebinding.example":
            return real(host, *rest, **options)  # type: ignore[arg-type]
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return real(address, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with serving(ok) as server:
        answer = outside.request("GET", f"http://rebinding.example:{server.port}/", rules=INSIDE)
    assert (answer.status, asked) == (200, ["rebinding.example"])
    assert server.asked[0].headers["host"] == f"rebinding.example:{server.port}"


def test_name_with_an_address_inside_and_one_outside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **options: object) -> object:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("1.1.1.1", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert refused("https://both.example/", Rules()) == "both.example is 127.0.0.1, which is not a public address"


def hostile_long(asked: Asked, connection: socket.socket) -> bool:
    connection.sendall(head("200 OK") + b"x" * 300_000)
    return False


def test_long_answer_is_cut_and_no_fetch() -> None:
    with serving(hostile_long) as server:
        answer = outside.request("GET", server.address, rules=INSIDE, limit=1_000)
        assert (len(answer.body), answer.whole) == (1_000, False)
        with pytest.raises(NetworkError, match="longer than 1000 bytes"):
            outside.fetch(server.address, rules=INSIDE, limit=1_000)
        assert len(outside.fetch(server.address, rules=INSIDE, limit=300_000)) == 300_000


def hostile_drip(asked: Asked, connection: socket.socket) -> bool:
    drip(connection, head("200 OK") + b"x" * 10_000, pause=0.02)
    return False


def hostile_headers(asked: Asked, connection: socket.socket) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(5_000)))
    return False


def hostile_continue(asked: Asked, connection: socket.socket) -> bool:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def hostile_silence(asked: Asked, connection: socket.socket) -> bool:
    connection.recv(1)  # until the other side hangs up
    return False


def hostile_short(asked: Asked, connection: socket.socket) -> bool:
    connection.sendall(head("200 OK", Content_Length=50) + b"half")
    return False


def hostile_nonsense(asked: Asked, connection: socket.socket) -> bool:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    return False


def hostile_chunks(asked: Asked, connection: socket.socket) -> bool:
    connection.sendall(head("200 OK", Transfer_Encoding="chunked") + b"fffffffffffffff\r\nabc")
    return False


@pytest.mark.parametrize(
    "answer",
    [
        *(hostile_drip, hostile_headers, hostile_continue, hostile_silence),
        *(hostile_short, hostile_nonsense, hostile_chunks),
    ],
)
def test_hostile_server_costs_at_most_the_time_that_was_given(answer: Callable[[Asked, socket.socket], bool]) -> None:
    with serving(answer) as server, pytest.raises(NetworkError, match=r"127\.0\.0\.1 did not answer"):
        outside.request("GET", server.address, rules=INSIDE, seconds=1.0)


def test_host_that_is_not_there_is_an_error_of_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(NetworkError, match="cannot be reached"):
        outside.request("GET", f"http://127.0.0.1:{port}/", rules=INSIDE)
    with pytest.raises(NetworkError, match="was not found"):
        outside.request("GET", "https://no-such-host.invalid/", rules=INSIDE)


@pytest.mark.parametrize(("name", "status"), [("localhost", 200), ("other.example", None)])
def test_certificate_must_be_for_the_name_that_was_asked(tmp_path: Path, name: str, status: int | None) -> None:
    public, private = certificate(tmp_path, name)
    serves = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serves.load_cert_chain(public, private)
    trusts = ssl.create_default_context(cafile=str(public))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def answer() -> None:
            connection, _ = listening.accept()
            try:
                with serves.wrap_socket(connection, server_side=True) as line:
                    line.recv(1_000)
                    line.sendall(head("200 OK", Content_Length=2) + b"hi")
            except ssl.SSLError:
                connection.close()

        serving_one = threading.Thread(target=answer)
        serving_one.start()
        rules = Rules(networks=(LOOPBACK, ipaddress.ip_network("::1/128")))
        try:
            if status is None:
                with pytest.raises(NetworkError, match="did not answer"):
                    outside.request("GET", f"https://localhost:{port}/", rules=rules, context=trusts)
            else:
                found = outside.request("GET", f"https://localhost:{port}/", rules=rules, context=trusts)
                assert (found.status, found.body) == (status, b"hi")
        finally:
            serving_one.join()


def test_environment_names_networks_and_whether_http_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_SERVER_OUTSIDE_NETWORKS", "10.8.0.0/16, fd00::/8")
    monkeypatch.setenv("JEOS_SERVER_OUTSIDE_HTTP", "yes")
    read = environment.read()
    assert (read.outside_http, read.outside_networks) == (
        True,
        (ipaddress.ip_network("10.8.0.0/16"), ipaddress.ip_network("fd00::/8")),
    )
    for name, value in (("JEOS_SERVER_OUTSIDE_NETWORKS", "10.8.0.1/16"), ("JEOS_SERVER_OUTSIDE_HTTP", "perhaps")):
        with monkeypatch.context() as patch, pytest.raises(UsageError, match=name):
            patch.setenv(name, value)
            environment.read()
