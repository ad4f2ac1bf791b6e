"""One file from a server: over a kept connection, resumed where it broke off, no byte more than was promised.

    with Connections(credentials=Credentials(None)) as connections, path.open("a+b") as file:
        complete(Wanted(name="dbus", url=…, size=49432, sha256="9c1f…"), file, connections=connections, told=print)

Requests follow RFC 9110: `Range` with `If-Range`, so that a file that changed in between is sent anew as a whole.
"""

import base64
import hashlib
import os
import re
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from jeos import __version__
from jeos.build.credentials import Credentials
from jeos.core import files
from jeos.core.errors import NetworkError, TrustError

PIECE = 256 << 10  # bytes that are read at a time
TIMEOUT = 30.0  # seconds without a byte until a server is given up
REDIRECTS = 5
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)  # a later try may get another answer
REDIRECT = (301, 302, 303, 307, 308)
GONE = (404, 410)
VALIDATOR_SUFFIX = ".validator"  # beside a partial file: the ETag or date of what it is a part of


HINT = "check the network, http_proxy and the mirror's address (recipe, JEOS_MIRROR or apt sources)"
MISSING_HINT = "the mirror has dropped it; `jeos lock --upgrade` takes what it has now"
WRONG_HINT = "nothing was kept; use another mirror, or see with `jeos lock --upgrade` whether the package was replaced"


class MissingFileError(NetworkError):
    """The server does not have the file."""


class TransientError(NetworkError):
    """A later try may succeed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to get: what it is called in messages, its address, and what is promised of it (`size` in bytes)."""

    name: str
    url: str
    size: int
    sha256: str


class Connections:
    """The open connections of one thread, one a server; proxies are those of the environment."""

    def __init__(self, *, credentials: Credentials, timeout: float = TIMEOUT) -> None:
        self.credentials = credentials
        self.timeout = timeout
        self._open: dict[tuple[str, str], HTTPConnection] = {}
        self._proxies = urllib.request.getproxies()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open.values():
            connection.close()

    @contextmanager
    def get(self, url: str, *, headers: dict[str, str]) -> Iterator[HTTPResponse]:
        """Ask for an address, follow redirects, and yield the answer.

        Raises TransientError if no server answers, or breaks off during the block.
        """
        for _ in range(REDIRECTS):
            key, response = self._request(url, headers=headers)
            target = response.getheader("Location") if response.status in REDIRECT else None
            if target is None:
                break
            self._drop(key)
            url = _redirected(url, target)
        else:
            raise NetworkError(f"{shown(url)} leads from redirect to redirect", hint="use another mirror")
        try:
            yield response
        except (OSError, HTTPException) as error:
            self._drop(key)
            if isinstance(error, OSError) and files.out_of_room(error):
                raise
            raise TransientError(f"{shown(url)} broke off: {_words(error)}", hint=HINT) from error
        except BaseException:
            self._drop(key)
            raise
        if not response.isclosed():  # an answer that was not read to its end leaves the connection useless
            self._drop(key)

    def _request(self, url: str, *, headers: dict[str, str]) -> tuple[tuple[str, str], HTTPResponse]:
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        reused = key in self._open
        try:
            connection = self._open.get(key) or self._open.setdefault(key, self._connect(parts.scheme, parts.netloc))
            connection.request("GET", self._target(url), headers={**self._greeting(url), **headers})
            return key, connection.getresponse()
        except (OSError, HTTPException) as error:
            self._drop(key)
            if reused:  # servers close connections that were idle for a while: that is no failure
                return self._request(url, headers=headers)
            raise TransientError(f"{shown(url)} cannot be reached: {_words(error)}", hint=HINT) from error

    def _connect(self, scheme: str, netloc: str) -> HTTPConnection:
        host = netloc.rpartition("@")[2]
        proxy = self._proxy(scheme, host)
        if scheme == "https":
            context = ssl.create_default_context()
            if proxy is None:
                return HTTPSConnection(host, timeout=self.timeout, context=context)
            connection = HTTPSConnection(proxy.rpartition("@")[2], timeout=self.timeout, context=context)
            connection.set_tunnel(host, headers=_basic("Proxy-Authorization", unquote(proxy.rpartition("@")[0])))
            return connection
        return HTTPConnection(proxy.rpartition("@")[2] if proxy else host, timeout=self.timeout)

    def _proxy(self, scheme: str, host: str) -> str | None:
        """Return the proxy (`user:password@host:port`) for a server, or None."""
        address = self._proxies.get(scheme) or self._proxies.get("all")
        if not address or urllib.request.proxy_bypass(host):
            return None
        return urlsplit(address if "//" in address else f"//{address}").netloc

    def _target(self, url: str) -> str:
        parts = urlsplit(url)
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        if parts.scheme == "http" and self._proxy("http", parts.netloc.rpartition("@")[2]):
            return f"http://{parts.netloc.rpartition('@')[2]}{path}"
        return path

    def _greeting(self, url: str) -> dict[str, str]:
        """Return the headers of every request, passwords included (RFC 7617)."""
        parts = urlsplit(url)
        given = unquote(parts.netloc.rpartition("@")[0]) or self.credentials.of(url)
        proxy = self._proxy("http", parts.netloc.rpartition("@")[2]) if parts.scheme == "http" else None
        greeting = {"User-Agent": f"jeos/{__version__}", "Accept-Encoding": "identity"}
        greeting |= _basic("Authorization", given)
        return greeting | _basic("Proxy-Authorization", unquote((proxy or "").rpartition("@")[0]))

    def _drop(self, key: tuple[str, str]) -> None:
        connection = self._open.pop(key, None)
        if connection is not None:
            connection.close()


def complete(wanted: Wanted, file: BinaryIO, *, connections: Connections, told: Callable[[int], None]) -> None:
    """Fill a file that may hold a part already, until it has the promised size and digest.

    `file` is open for reading and writing, at a path of its own; `told` gets the number of bytes that came in, now and
    then. Raises MissingFileError, TransientError (what came in stays: the next try goes on from there), and TrustError
    if the server sends something else than was promised; the file is empty then.
    """
    validator = Path(file.name + VALIDATOR_SUFFIX)
    start = file.seek(0, os.SEEK_END)
    known = validator.read_text() if start and validator.exists() else ""
    if start > wanted.size or (start < wanted.size and not known):
        start = _empty(file)
    resumed = start > 0
    if start < wanted.size:
        try:
            with _source(wanted, start=start, known=known, connections=connections) as (stream, begin, mark):
                if begin == 0:
                    _empty(file)
                validator.write_text(mark)
                _copy(stream, file, start=begin, wanted=wanted, told=told)
        except (TrustError, MissingFileError):
            _empty(file)
            raise
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    validator.unlink(missing_ok=True)
    if digest.hexdigest() == wanted.sha256:
        return
    _empty(file)
    if resumed:
        raise TransientError(f"the parts of {wanted.name} do not fit together", hint="try again, or use another mirror")
    raise TrustError(
        f"{wanted.name} is not the file that is locked: {shown(wanted.url)} has the SHA-256 {digest.hexdigest()}, "
        f"expected {wanted.sha256}",
        hint=WRONG_HINT,
    )


def _empty(file: BinaryIO) -> int:
    file.seek(0)
    file.truncate()
    return 0


@contextmanager
def _source(
    wanted: Wanted, *, start: int, known: str, connections: Connections
) -> Iterator[tuple[BinaryIO | HTTPResponse, int, str]]:
    """Yield a stream, the offset that it begins at (`start` or 0), and the mark of what it is a part of."""
    if urlsplit(wanted.url).scheme == "file":
        with _open_local(wanted) as local:
            mark = str(Path(local.name).stat().st_mtime_ns)
            begin = start if known == mark else 0
            local.seek(begin)
            yield local, begin, mark
        return
    headers = {"Range": f"bytes={start}-", "If-Range": known} if start else {}
    with connections.get(wanted.url, headers=headers) as response:
        begin = start if response.status == HTTPStatus.PARTIAL_CONTENT else 0
        _check_answer(response, wanted=wanted, begin=begin)
        yield response, begin, _validator(response)


def _open_local(wanted: Wanted) -> BinaryIO:
    path = Path(unquote(urlsplit(wanted.url).path))
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise MissingFileError(f"{path} is not there", hint=MISSING_HINT) from None
    except OSError as error:
        raise NetworkError(
            f"{path} cannot be read: {_words(error)}", hint="look at the rights of the mirror"
        ) from error


def _check_answer(response: HTTPResponse, *, wanted: Wanted, begin: int) -> None:
    """Raise the error that an answer's status or length stands for."""
    where = f"{shown(wanted.url)} answers {response.status} {response.reason}"
    if response.status in GONE:
        raise MissingFileError(where, hint=MISSING_HINT)
    if response.status in TRANSIENT or response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise TransientError(where, hint="the mirror is busy or broken: try again later, or use another one")
    if response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
        raise NetworkError(
            where, hint="give it a line in the file JEOS_CREDENTIALS: machine HOST login USER password PASSWORD"
        )
    if response.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise NetworkError(where, hint="use another mirror")
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        promised = re.match(r"bytes (\d+)-", response.getheader("Content-Range", ""))
        if not promised or int(promised[1]) != begin:
            raise NetworkError(f"{shown(wanted.url)} sends another part than was asked for", hint="use another mirror")
    length = response.length  # None where the server does not say it
    if length is not None and begin + length != wanted.size:
        raise _wrong_size(wanted, sent=str(begin + length))


def _copy(
    stream: BinaryIO | HTTPResponse, file: BinaryIO, *, start: int, wanted: Wanted, told: Callable[[int], None]
) -> None:
    """Append what a stream gives, which begins at `start`; raises TransientError if it ends too early."""
    done = start
    while piece := stream.read(PIECE):
        done += len(piece)
        if done > wanted.size:
            raise _wrong_size(wanted, sent=f"more than {wanted.size}")
        file.write(piece)
        told(len(piece))
    file.flush()
    if done < wanted.size:
        raise TransientError(f"{shown(wanted.url)} broke off after {done} of {wanted.size} bytes", hint=HINT)


def _wrong_size(wanted: Wanted, *, sent: str) -> TrustError:
    return TrustError(
        f"{wanted.name} is not the file that is locked: {shown(wanted.url)} has {sent} bytes, expected {wanted.size}",
        hint=WRONG_HINT,
    )


def _validator(response: HTTPResponse) -> str:
    """Return what `If-Range` may be asked with: a strong ETag, else the date of the last change."""
    tag = response.getheader("ETag", "")
    return tag if tag.startswith('"') else response.getheader("Last-Modified", "")


def _basic(name: str, user_and_password: str) -> dict[str, str]:
    return {name: f"Basic {base64.b64encode(user_and_password.encode()).decode()}"} if user_and_password else {}


def _redirected(url: str, target: str) -> str:
    """Return where a redirect leads; never from https to something that anybody on the way can change."""
    found = urljoin(url, target)
    schemes = ("https",) if urlsplit(url).scheme == "https" else ("http", "https")
    if urlsplit(found).scheme not in schemes:
        raise NetworkError(f"{shown(url)} leads to {shown(found)}, which is not followed", hint="use another mirror")
    return found


def shown(url: str) -> str:
    """Return an address without user and password."""
    return re.sub(r"//[^/@]*@", "//", url)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
