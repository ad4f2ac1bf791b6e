"""Ask web servers: connections that stay open, proxies, TLS, and redirects that are followed a few times.

with Asker(limits=Limits(), line=Line()) as asker, asker.ask("https://updates.example/a", {}, seconds=60) as answer:
    answer.status, answer.headers["ETag"], answer.read(100)
"""

import http.client
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from jeos.update.fetch import FetchError, Limits, Line
from jeos.update.wire import Wire

MOST_REDIRECTS = 5
MOST_CONNECTIONS = 4
REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
HEADERS = {"User-Agent": "jeos-agent", "Accept-Encoding": "identity"}
Server = tuple[str, str, int]  # scheme, host, port


class Asker:
    """The connections to the servers of a channel."""

    def __init__(self, *, limits: Limits, line: Line) -> None:
        self._limits = limits
        self._line = line
        self._connections: dict[Server, Connection] = {}
        self._moved = [0, 0]

    @property
    def bytes_moved(self) -> tuple[int, int]:
        """Return the bytes sent and received so far, headers included, but not what TCP and TLS add."""
        wires = [connection.wire for connection in self._connections.values() if connection.wire]
        sent, received = self._moved
        return sent + sum(wire.sent for wire in wires), received + sum(wire.received for wire in wires)

    def close(self) -> None:
        """Close all connections."""
        for server in list(self._connections):
            self._drop(server)

    @contextmanager
    def ask(
        self, address: str, headers: Mapping[str, str], *, seconds: float = 0.0, length: int = 0
    ) -> Iterator[http.client.HTTPResponse]:
        """GET an address; the answer is whole in `seconds`, or, of `length` bytes, comes fast enough if that is 0.

        Raises FetchError for whatever goes wrong until the block ends.
        """
        server: Server | None = None
        answer: http.client.HTTPResponse | None = None
        try:
            for _ in range(MOST_REDIRECTS + 1):
                server = server_of(address)
                answer = self._send(server, address, headers, seconds=seconds, length=length)
                if answer.status not in REDIRECTS:
                    yield answer
                    return
                self._drop(server)
                address = _redirected(address, answer)
            raise FetchError(f"{address}: the server redirects for ever")
        except (OSError, http.client.HTTPException) as error:
            _explain(address, error)
        finally:
            reusable = answer is not None and answer.isclosed() and not answer.will_close
            if server and not reusable:  # what is left of an answer would be taken for the next one
                self._drop(server)

    def _send(
        self, server: Server, address: str, headers: Mapping[str, str], *, seconds: float, length: int
    ) -> http.client.HTTPResponse:
        """Send a request, on a new connection if the server has closed the one that there was."""
        kept = self._connections.get(server)
        if kept is not None:
            with suppress(http.client.RemoteDisconnected, http.client.CannotSendRequest, ConnectionError):
                return kept.request_file(address, headers, seconds=seconds, length=length)
            self._drop(server)
        while len(self._connections) >= MOST_CONNECTIONS:
            self._drop(next(iter(self._connections)))
        self._connections[server] = connection = Connection(server, limits=self._limits, line=self._line)
        return connection.request_file(address, headers, seconds=seconds, length=length)

    def _drop(self, server: Server) -> None:
        connection = self._connections.pop(server, None)
        if connection is not None:
            if connection.wire:
                self._moved[0] += connection.wire.sent
                self._moved[1] += connection.wire.received
                connection.wire.cut()
            connection.close()


class Connection(http.client.HTTPConnection):
    """One connection to a server, straight or through a proxy."""

    def __init__(self, server: Server, *, limits: Limits, line: Line) -> None:
        scheme, host, port = server
        self.wire: Wire | None = None
        self._scheme = scheme
        self._limits = limits
        self._line = line
        self._proxy = line.proxy or proxy_of(scheme, host, environment=os.environ)
        if self._proxy:
            _, proxy_host, proxy_port = server_of(self._proxy)
            super().__init__(proxy_host, proxy_port)
            if scheme == "https":
                self.set_tunnel(host, port)
        else:
            super().__init__(host, port)
        self._server_name = host

    def request_file(
        self, address: str, headers: Mapping[str, str], *, seconds: float, length: int
    ) -> http.client.HTTPResponse:
        """Send a GET and return the answer's head."""
        if self.wire is None:
            self.connect()
        assert self.wire
        self.wire.start(seconds=seconds, length=length)
        parts = urlsplit(address)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        through = self._proxy and self._scheme == "http"
        named = {"Host": parts.netloc.rpartition("@")[2]} if through else {}
        self.request(
            "GET", f"http://{parts.netloc}{path}" if through else path, headers={**HEADERS, **named, **headers}
        )
        return self.getresponse()

    def connect(self) -> None:
        """Connect, with TLS where the address says so."""
        plain = socket.create_connection((self.host, self.port), timeout=self._limits.silence)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.wire = Wire(plain, limits=self._limits, bandwidth=self._line.bandwidth)
        self.wire.start(seconds=self._limits.whole)
        self.sock = self.wire  # all that the client uses of a socket
        if self._tunnel_host:  # type: ignore[attr-defined]
            self._tunnel()  # type: ignore[attr-defined]
        if self._scheme == "https":
            self.wire.connection = encrypted(plain, name=self._server_name, certificates=self._line.certificates)


def encrypted(plain: socket.socket, *, name: str, certificates: str) -> socket.socket:
    """Return a connection with TLS to the server of this name. Raises FetchError without certificates to prove it."""
    import ssl  # a channel on plain http does without: releases are signed anyway

    try:
        context = ssl.create_default_context(cafile=certificates)
    except OSError as error:
        raise FetchError(
            f"there are no certificates at {certificates} to prove who answers: {error.strerror}",
            hint="put those of your servers there, or ask the vendor for an image that has them",
        ) from None
    return context.wrap_socket(plain, server_hostname=name)


def server_of(address: str) -> Server:
    """Return scheme, host and port of an address. Raises FetchError for one that is not http or https."""
    try:
        parts = urlsplit(address)
        if parts.scheme in PORTS and parts.hostname:
            return parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]
    except ValueError:
        pass
    raise FetchError(f"{address} is no address of a web server", hint="it begins with http:// or https://")


def proxy_of(scheme: str, host: str, *, environment: Mapping[str, str]) -> str:
    """Return the proxy that the environment names for a server (`http_proxy`, `https_proxy`, `no_proxy`), or ""."""
    for part in environment.get("no_proxy", environment.get("NO_PROXY", "")).split(","):
        suffix = part.strip().lstrip("*.").lower()
        if part.strip() == "*" or (suffix and (host == suffix or host.endswith(f".{suffix}"))):
            return ""
    # HTTP_PROXY in capitals is left alone: a web server sets it for its programs from what clients send.
    proxy = environment.get(f"{scheme}_proxy", "") or (environment.get("HTTPS_PROXY", "") if scheme == "https" else "")
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _redirected(address: str, answer: http.client.HTTPResponse) -> str:
    said = answer.headers.get("Location", "")
    try:
        target = urljoin(address, said)
    except ValueError:
        raise FetchError(f"{address} redirects to {said[:200]!r}, which is no address") from None
    if address.startswith("https:") and not target.startswith("https:"):
        raise FetchError(f"{address} redirects to {target}, which is not encrypted")
    return target


def _explain(address: str, error: Exception) -> NoReturn:
    """Raise the FetchError for what a connection raised; most of these pass."""
    if isinstance(error, FetchError):
        raise error
    host = urlsplit(address).netloc.rpartition("@")[2]
    if isinstance(error, socket.gaierror):
        words = f"there is no address for {host}: {error.strerror}"
    elif isinstance(error, TimeoutError):
        words = f"{host} does not answer"
    elif type(error).__name__ == "SSLCertVerificationError":
        raise FetchError(f"{host} cannot prove who it is: {error}", hint="is the clock right?") from None
    elif isinstance(error, OSError):
        words = f"the connection to {host} failed: {error.strerror or type(error).__name__}"
    else:
        words = f"{host} does not speak HTTP properly: {type(error).__name__} {error}"[:300]
    raise FetchError(words, hint="is the network up, and the channel's address right?", again=True) from None
