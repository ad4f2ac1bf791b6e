"""A connection to a directory: encrypted, bounded in time and size, and nothing but binding and searching.

    with ldap.connected(directory) as line:
        if line.bind(name, passphrase):
            line.search(base, filter, attributes)

Values that people type become values of filter objects, never text that is parsed (`fill`), and are escaped where they
become part of a name (`name_of`), so that there is nothing to inject into. Referrals are not followed.

Formats: RFC 4511 (protocol; sansldap reads and writes its messages), RFC 4513 (TLS, simple binds), RFC 4514 (names).
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence

import sansldap
from sansldap import LDAPFilter, LDAPResultCode

from jeos.core.errors import NetworkError
from jeos.server.sign_in import Directory

SECONDS = 8.0  # for everything that one signing in asks of a directory
LIMIT = 4 << 20  # bytes of all answers of a connection
PART = 16 << 10  # bytes that are read at once
START_TLS = sansldap.ExtendedOperations.LDAP_START_TLS.value
MARKS = ("{login}", "{dn}", "{id}")
WRONG = (LDAPResultCode.INVALID_CREDENTIALS, LDAPResultCode.NO_SUCH_OBJECT, LDAPResultCode.INVALID_DN_SYNTAX)
# What directories answer to the right passphrase of an account that is locked, outdated or disabled.
CLOSED = (LDAPResultCode.UNWILLING_TO_PERFORM, LDAPResultCode.CONSTRAINT_VIOLATION)
COMPARISONS = (
    *(sansldap.FilterEquality, sansldap.FilterApproxMatch, sansldap.FilterExtensibleMatch),
    *(sansldap.FilterGreaterOrEqual, sansldap.FilterLessOrEqual),
)
PARTIAL = (LDAPResultCode.SUCCESS, LDAPResultCode.NO_SUCH_OBJECT, LDAPResultCode.SIZE_LIMIT_EXCEEDED)

Attributes = Mapping[str, Sequence[bytes]]


@dataclasses.dataclass(frozen=True)
class Entry:
    """An entry of a directory; names of attributes in small letters."""

    name: str
    attributes: Attributes

    def text(self, attribute: str) -> str:
        """Return the first value of an attribute as text; empty if there is none."""
        values = self.attributes.get(attribute.lower(), ())
        return values[0].decode(errors="replace") if values else ""

    def texts(self, attribute: str) -> list[str]:
        """Return all values of an attribute."""
        return [value.decode(errors="replace") for value in self.attributes.get(attribute.lower(), ())]


class Line:
    """A connection on which requests follow each other."""

    def __init__(self, directory: Directory, wire: socket.socket, *, deadline: float) -> None:
        self._directory, self._wire, self._deadline = directory, wire, deadline
        self._client = sansldap.LDAPClient()
        self._read = 0

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Encrypt the connection (RFC 4511, section 4.14). Raises NetworkError if the directory does not want to."""
        number = self._client.extended_request(START_TLS)
        (answer,) = self._answers(number)
        assert isinstance(answer, sansldap.ExtendedResponse)
        if answer.result.result_code != LDAPResultCode.SUCCESS:
            raise self.failed(f"StartTLS: {_said(answer.result)}")
        self._wire = context.wrap_socket(self._wire, server_hostname=self._directory.host)
        self._client = sansldap.LDAPClient()  # nothing that came before the encryption counts after it

    def bind(self, name: str, passphrase: str) -> bool:
        """Say who is asking; return whether the directory believes it. Raises NetworkError for any other answer.

        A passphrase must not be empty: directories take that for asking as nobody, and say yes (RFC 4513, 5.1.2).
        """
        if name and not passphrase:
            return False
        (answer,) = self._answers(self._client.bind_simple(name, passphrase))
        assert isinstance(answer, sansldap.BindResponse)
        code = answer.result.result_code
        if code not in (LDAPResultCode.SUCCESS, *WRONG, *CLOSED):
            raise self.failed(f"bind: {_said(answer.result)}")
        return code == LDAPResultCode.SUCCESS

    def search(
        self, base: str, wanted: LDAPFilter, attributes: Sequence[str], *, below: bool = True, most: int = 0
    ) -> list[Entry]:
        """Return the entries that a filter finds, below `base` or at it. Raises NetworkError."""
        scope = sansldap.SearchScope.SUBTREE if below else sansldap.SearchScope.BASE
        number = self._client.search_request(
            base,
            scope=scope,
            size_limit=most,
            time_limit=int(SECONDS),
            filter=wanted,
            attributes=list(attributes),
        )
        found = []
        for answer in self._answers(number):
            if isinstance(answer, sansldap.SearchResultEntry):
                values = {one.name.lower(): [bytes(value) for value in one.values] for one in answer.attributes}
                found.append(Entry(answer.object_name, values))
            elif isinstance(answer, sansldap.SearchResultDone) and answer.result.result_code not in PARTIAL:
                raise self.failed(f"search: {_said(answer.result)}")
        return found

    def close(self) -> None:
        """Say goodbye, and hang up."""
        with contextlib.suppress(OSError, sansldap.LDAPError):
            self._client.unbind()
            self._wire.sendall(self._client.data_to_send())
        self._wire.close()

    def _answers(self, number: int) -> Iterator[sansldap.LDAPMessage]:
        """Send what waits, and return the answers to a request until the last one."""
        self._wire.sendall(self._client.data_to_send())
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer within {SECONDS:g} s")
            self._wire.settimeout(left)
            data = self._wire.recv(PART)
            self._read += len(data)
            if not data or self._read > LIMIT:
                raise self.failed("it hung up" if not data else f"it answered more than {LIMIT} bytes")
            for message in self._client.receive(data):
                if message.message_id != number:
                    continue
                yield message
                if not isinstance(message, (sansldap.SearchResultEntry, sansldap.SearchResultReference)):
                    return

    def failed(self, why: str) -> NetworkError:
        """Return the error that says why the directory is of no use."""
        where = f"{self._directory.host}:{self._directory.port}"
        return NetworkError(f"the directory at {where} does not serve: {why}", hint="try the same with ldapsearch")


def _said(result: sansldap.LDAPResult) -> str:
    return f"{result.result_code.name.lower()} {result.diagnostics_message}".strip()


@contextlib.contextmanager
def connected(directory: Directory) -> Iterator[Line]:
    """Connect to a directory, encrypted, with its certificate checked against its name. Raises NetworkError."""
    deadline = time.monotonic() + SECONDS
    context = ssl.create_default_context(cafile=str(directory.ca_file) if directory.ca_file else None)
    where = f"{directory.host}:{directory.port}"
    try:
        wire = socket.create_connection((directory.host, directory.port), timeout=SECONDS)
        line = Line(directory, wire, deadline=deadline)
        try:
            if directory.tls == "at once":
                line._wire = context.wrap_socket(wire, server_hostname=directory.host)
            elif directory.tls == "start":
                line.start_tls(context)
            yield line
        finally:
            line.close()
    except (OSError, ValueError, sansldap.LDAPError) as error:
        raise NetworkError(
            f"the directory at {where} does not answer: {error}", hint="is it up? does ca_file fit its certificate?"
        ) from error


def fill(wanted: LDAPFilter, values: Mapping[str, str]) -> LDAPFilter:
    """Return a filter with {login} and the like replaced within its values, as bytes and not as text of a filter."""
    if isinstance(wanted, (sansldap.FilterAnd, sansldap.FilterOr)):
        return dataclasses.replace(wanted, filters=[fill(one, values) for one in wanted.filters])
    if isinstance(wanted, sansldap.FilterNot):
        return dataclasses.replace(wanted, filter=fill(wanted.filter, values))
    if isinstance(wanted, sansldap.FilterSubstrings):
        return dataclasses.replace(
            wanted,
            initial=_filled(wanted.initial, values),
            any=[_filled(one, values) or b"" for one in wanted.any],
            final=_filled(wanted.final, values),
        )
    if isinstance(wanted, COMPARISONS):
        return dataclasses.replace(wanted, value=_filled(wanted.value, values) or b"")
    return wanted


def _filled(value: bytes | None, values: Mapping[str, str]) -> bytes | None:
    """Return a value with its marks replaced, in one pass, so that a value that looks like a mark stays what it is."""
    if value is None:
        return None
    for mark in MARKS:
        head, found, tail = value.partition(mark.encode())
        if found and mark in values:
            return (_filled(head, values) or b"") + values[mark].encode() + (_filled(tail, values) or b"")
    return value


def name_of(template: str, login: str) -> str:
    """Return a distinguished name with a login in it, escaped (RFC 4514, section 2.4)."""
    escaped = "".join(f"\\{ord(mark):02x}" if mark in '\\,+"<>;=#\x00 ' else mark for mark in login)
    return template.replace("{login}", escaped)
