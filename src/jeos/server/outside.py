"""Requests to addresses that somebody else chose (webhooks, channels of vendors), which must not reach what is inside.

    answer = outside.request("POST", "https://hooks.example/in", body=b"{}", rules=settings.OUTSIDE)

A name is resolved once, every address that it has is checked, and the connection goes to that very address, so that a
name which means something else a moment later (DNS rebinding) gains nothing. Only addresses that are global by IANA's
registries (RFC 6890) are reached, and networks that the operator named. Redirects are answers like others: nothing
follows them. Proxies of the environment are not asked. A request has one deadline from its first byte to its last (the
look-up of the name has the resolver's own), and an answer a number of bytes after which it is cut.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from jeos.core.errors import NetworkError

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

SECONDS = 10.0  # for a whole request
ANSWER = 64 << 10  # bytes of an answer
LONGEST = 2_000  # characters of an address
PORTS = {"https": 443, "http": 80}
AGENT = "jeos-exchange"
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
TRANSLATED = (ipaddress.ip_network("2002::/16"), ipaddress.ip_network("2001::/32"))  # 6to4 and Teredo carry IPv4 too


class Refused(NetworkError):  # noqa: N818 - named for what happened to the address
    """The address is none that the server goes to."""


@dataclass(frozen=True)
class Rules:
    """What the operator permits besides https to public addresses."""

    plain: bool = False  # http, too
    networks: tuple[IPNetwork, ...] = ()  # reached although they are not public


@dataclass(frozen=True)
class Place:
    """An address taken apart: where to connect, and what to ask for there."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return what the Host header says (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """What came back. `whole` is false if the body was longer than was wanted and is cut."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  # names in small letters
    body: bytes = b""
    whole: bool = True


def parse(address: str, *, rules: Rules) -> Place:
    """Take an address apart. Raises Refused for one that no request may go to, whatever its name resolves to."""
    if (
        not address.isascii()
        or not address.isprintable()
        or " " in address
        or "\\" in address
        or len(address) > LONGEST
    ):
        raise Refused(f"this is no address of a web server: {address[:100]!r}", hint="as in https://hooks.example/in")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise Refused(f"this is no address of a web server: {address[:100]}", hint=str(error)) from error
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise Refused(f"this is no address of a web server: {address[:100]}", hint="as in https://hooks.example/in")
    if parts.scheme == "http" and not rules.plain:
        raise Refused(
            f"not encrypted: {address[:100]}", hint="use https; or JEOS_SERVER_OUTSIDE_HTTP=yes on the server"
        )
    if parts.username is not None or parts.password is not None:
        raise Refused(f"a user stands in the address for {parts.hostname}", hint="leave out USER:PASSWORD@")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme == "https", parts.hostname, port or PORTS[parts.scheme], path)


def check(address: str, *, rules: Rules) -> None:
    """Raise Refused for an address that no request may go to, as far as can be told without asking for its name."""
    place = parse(address, rules=rules)
    if is_number(place.host) and not may_reach(place.host, rules=rules):
        raise Refused(f"{place.host} is not a public address")


def resolve(place: Place, *, rules: Rules) -> list[str]:
    """Return the addresses of a place's host, in the order of RFC 6724.

    Raises Refused if any of them is inside: a name that leads to both is a trick. Raises NetworkError if it has none.
    """
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NetworkError(f"{place.host} was not found: {error}", hint="is the name right?") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not may_reach(address, rules=rules):
            raise Refused(
                f"{place.host} is {address}, which is not a public address",
                hint="JEOS_SERVER_OUTSIDE_NETWORKS on the server names networks that may be reached",
            )
    return addresses


def may_reach(address: str, *, rules: Rules) -> bool:
    """Tell whether the server may connect to an IP address."""
    try:
        ip = _meant(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if any(ip in network for network in rules.networks):
        return True
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not any(ip in net for net in TRANSLATED)


def is_number(host: str) -> bool:
    """Tell whether a host is an IP address and not a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _meant(ip: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip in NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip


def request(
    method: str,
    address: str,
    *,
    rules: Rules,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    limit: int = ANSWER,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send a request and return the answer, whatever its status; at most `limit` bytes of its body.

    Raises Refused if the address is none that the server goes to, NetworkError if there is no answer within `seconds`.
    `context` is the TLS client; without one it trusts what the machine trusts.
    """
    place = parse(address, rules=rules)
    deadline = time.monotonic() + seconds
    connected = _connect(place, resolve(place, rules=rules), deadline)
    # A server that sends a byte now and then never lets the socket's own timeout pass: the line is cut at the deadline.
    cut = threading.Timer(max(0.0, deadline - time.monotonic()), _hang_up, [connected])
    cut.daemon = True
    cut.start()
    try:
        line = _secured(connected, place, context) if place.secure else connected
        with contextlib.closing(line):
            answer = _exchange(line, method, place, body=body, headers=headers or {}, limit=limit)
            if time.monotonic() >= deadline:
                raise TimeoutError  # who was cut off in the middle of a body cannot tell it from the body's end
            return answer
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = time.monotonic() >= deadline
        why = f"no answer within {seconds:g} s" if late else str(error) or type(error).__name__
        raise NetworkError(f"{place.host} did not answer: {why}", hint="try its address with curl") from error
    finally:
        cut.cancel()
        connected.close()


def _connect(place: Place, addresses: list[str], deadline: float) -> socket.socket:
    """Return a connection to the first of some addresses that takes one. Raises NetworkError."""
    problem: OSError | None = None
    for address in addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            made = socket.create_connection((address, place.port), timeout=left)
        except OSError as error:
            problem = error
            continue
        made.settimeout(max(0.1, deadline - time.monotonic()))
        return made
    raise NetworkError(f"{place.host}:{place.port} cannot be reached: {problem or 'no time left'}", hint="is it up?")


def _secured(connected: socket.socket, place: Place, context: ssl.SSLContext | None) -> ssl.SSLSocket:
    """Return the connection under TLS; the certificate must be for the name, whatever address it has."""
    return (context or ssl.create_default_context()).wrap_socket(connected.dup(), server_hostname=place.host)


def _hang_up(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _exchange(
    line: socket.socket, method: str, place: Place, *, body: bytes, headers: Mapping[str, str], limit: int
) -> Answer:
    """Send a request over a connection and read the answer."""
    talk = http.client.HTTPConnection(place.host, place.port)
    talk.sock = line
    talk.putrequest(method, place.path, skip_host=True)
    sent = {"host": place.authority, "user-agent": AGENT, "connection": "close"}
    sent |= {name.lower(): value for name, value in headers.items()}
    if body or method in ("POST", "PUT"):
        sent["content-length"] = str(len(body))
    for name, value in sent.items():
        talk.putheader(name, value)
    talk.endheaders(body or None)
    with talk.getresponse() as response:
        read = response.read(limit + 1)
        if len(read) <= limit and response.length:
            raise http.client.IncompleteRead(read, response.length)
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, answered, read[:limit], whole=len(read) <= limit)


def fetch(address: str, *, rules: Rules, limit: int, seconds: float = SECONDS) -> bytes:
    """Return what is at an address. Raises Refused or NetworkError, also for another answer than 200, or a long one."""
    answer = request("GET", address, rules=rules, limit=limit, seconds=seconds)
    if answer.status != http.client.OK:
        raise NetworkError(
            f"{address} answered {answer.status}", hint="redirects are not followed: give the last address"
        )
    if not answer.whole:
        raise NetworkError(f"{address} is longer than {limit} bytes", hint="it is not what is wanted there")
    return answer.body
