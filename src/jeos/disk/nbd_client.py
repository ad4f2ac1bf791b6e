"""A disk that another process exports over NBD on a unix socket, and which parts of it a dirty bitmap marks.

    with Nbd(socket, "disk", contexts=(ALLOCATION, DIRTY_BITMAP + "nightly")) as disk:
        for start, end in disk.data(0, disk.size): …
        for start, end, flags in disk.status(DIRTY_BITMAP + "nightly", 0, disk.size): …

It is a `Blocks`. What the server says is not believed: each reply must cover exactly what was asked for, once.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from jeos.core.closing import Closing
from jeos.core.errors import NetworkError
from jeos.disk import nbd_format as nbd
from jeos.disk.blocks import check_range

PATIENCE = 60.0  # seconds that a server may be silent
LONGEST_REPLY = 64 << 10  # bytes of an option's reply or an error's text
STATUS_SPAN = 2 << 30  # bytes of one question about extents: its length has 32 bits, and servers want it aligned
MOST_EXTENTS = 1 << 20  # in one answer


class Nbd(Closing):
    """An export as a disk; closes its connection at the end of a `with` block. Any thread may read."""

    def __init__(
        self, place: Path, export: str = "", *, contexts: Sequence[str] = (nbd.ALLOCATION,), patience: float = PATIENCE
    ) -> None:
        """Connect to a server's socket and choose an export, with the meta contexts that it has of `contexts`.

        `patience` is in seconds. Raises NetworkError if there is no such server or export.
        """
        self.place, self.export = place, export
        self.contexts: dict[str, int] = {}
        self._size = 0
        self._handle = 0
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(patience)
        try:
            self._socket.connect(str(place))
            self._negotiate(contexts)
        except OSError as error:
            self._socket.close()
            raise self._broken(str(error)) from None
        except BaseException:
            self._socket.close()
            raise

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`. Raises NetworkError if the server does not give them."""
        check_range(self, offset, length, name=f"the export {self.export}")
        if length > nbd.LONGEST_REQUEST:
            half = length // 2
            return self.read(offset, half) + self.read(offset + half, length - half)
        if not length:
            return b""
        content = bytearray(length)
        with self._lock, self._guarded():
            handle = self._ask(nbd.READ, offset, length)
            self._take_read(handle, offset, memoryview(content))
        return bytes(content)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that the server does not say to be zeros; all, if it says nothing."""
        end = min(end, self._size)
        if start >= end:
            return
        if nbd.ALLOCATION not in self.contexts:
            yield start, end
            return
        pending: tuple[int, int] | None = None
        for first, last, flags in self.status(nbd.ALLOCATION, start, end):
            if flags & nbd.ZERO:
                continue
            if pending is not None and pending[1] == first:
                pending = pending[0], last
                continue
            if pending is not None:
                yield pending
            pending = first, last
        if pending is not None:
            yield pending

    def status(self, context: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield extents (start, end, flags) that cover a range, in order. Raises NetworkError without the context."""
        if context not in self.contexts:
            raise self._broken(f"it has no {context}")
        end = min(end, self._size)
        while start < end:
            length = min(STATUS_SPAN, end - start)
            with self._lock, self._guarded():
                handle = self._ask(nbd.BLOCK_STATUS, start, length)
                extents = self._take_status(handle, self.contexts[context])
            limit = start + length
            for size, flags in extents:
                last = min(start + size, limit)
                if last > start:
                    yield start, last, flags
                start = last

    def close(self) -> None:
        """Say goodbye and end the connection."""
        with contextlib.suppress(OSError):
            self._socket.sendall(nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, nbd.DISCONNECT, 0, 0, 0))
        self._socket.close()

    # The negotiation.

    def _negotiate(self, contexts: Sequence[str]) -> None:
        greeting = self._receive(18)
        if greeting[:16] != nbd.MAGIC + nbd.OPTION_MAGIC:
            raise self._broken("it is no NBD server of today")
        flags = int.from_bytes(greeting[16:], "big")
        if not flags & nbd.FIXED_NEWSTYLE:
            raise self._broken("it does not know the fixed newstyle")
        self._socket.sendall(nbd.U32.pack(nbd.FIXED_NEWSTYLE | flags & nbd.NO_ZEROES))
        name = self.export.encode()
        if self._option(nbd.STRUCTURED_REPLY, b"") is not None and contexts:
            queries = b"".join(nbd.U32.pack(len(each.encode())) + each.encode() for each in contexts)
            data = nbd.U32.pack(len(name)) + name + nbd.U32.pack(len(contexts)) + queries
            for kind, body in self._option(nbd.SET_META_CONTEXT, data) or ():
                if kind == nbd.REP_META_CONTEXT and len(body) > 4 and body[4:].decode(errors="replace") in contexts:
                    self.contexts[body[4:].decode()] = int.from_bytes(body[:4], "big")
        found = self._option(nbd.GO, nbd.U32.pack(len(name)) + name + b"\0\0", required=True)
        for kind, body in found or ():
            if kind == nbd.REP_INFO and len(body) == nbd.EXPORT.size and body[:2] == b"\0\0":
                _, self._size, _ = nbd.EXPORT.unpack(body)
                return
        raise self._broken("it does not say how large the export is")

    def _option(self, option: int, data: bytes, *, required: bool = False) -> list[tuple[int, bytes]] | None:
        """Negotiate one option, and return what the server answered before its acknowledgement; None if it refused."""
        self._socket.sendall(nbd.OPTION.pack(nbd.OPTION_MAGIC, option, len(data)) + data)
        answers: list[tuple[int, bytes]] = []
        while len(answers) < LONGEST_REPLY:
            magic, echoed, kind, length = nbd.OPTION_REPLY.unpack(self._receive(nbd.OPTION_REPLY.size))
            if magic != nbd.REPLY_MAGIC or echoed != option or length > LONGEST_REPLY:
                raise self._broken("its answer to an option is not of the protocol")
            body = self._receive(length)
            if kind == nbd.REP_ACK:
                return answers
            if kind & nbd.REP_ERROR:
                if required:
                    raise self._broken(body.decode(errors="replace") or f"it has no export {self.export!r}")
                return None
            answers.append((kind, body))
        raise self._broken("it does not end its answer to an option")

    # The transmission.

    def _ask(self, command: int, offset: int, length: int) -> int:
        self._handle += 1
        self._socket.sendall(nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, command, self._handle, offset, length))
        return self._handle

    def _take_read(self, handle: int, offset: int, content: memoryview) -> None:
        """Fill `content` from the chunks of a reply; together they must be all of it, and each byte come once."""
        covered: list[tuple[int, int]] = []
        for kind, length in self._chunks(handle, simple=len(content)):
            if kind == nbd.SIMPLE_MAGIC:
                self._receive_into(content)
                return
            if kind == nbd.OFFSET_DATA and length > 8:
                start = int.from_bytes(self._receive(8), "big") - offset
                end = start + length - 8
                if start < 0 or end > len(content):
                    raise self._broken("it sent bytes that were not asked for")
                self._receive_into(content[start:end])
            elif kind == nbd.OFFSET_HOLE and length == nbd.HOLE_CHUNK.size:
                start, size = nbd.HOLE_CHUNK.unpack(self._receive(length))
                start -= offset
                end = start + size
            else:
                raise self._broken(f"it answered a read with a chunk of kind {kind}")
            covered.append((start, end))
        place = 0
        for start, end in sorted(covered):
            if start != place or end <= start:
                raise self._broken("its chunks do not make up what was asked for")
            place = end
        if place != len(content):
            raise self._broken("its chunks do not make up what was asked for")

    def _take_status(self, handle: int, context: int) -> list[tuple[int, int]]:
        extents: list[tuple[int, int]] = []
        for kind, length in self._chunks(handle, simple=0):
            count, rest = divmod(length - 4, nbd.EXTENT.size)
            if kind != nbd.STATUS or rest or not 0 < count <= MOST_EXTENTS:
                raise self._broken("its answer about extents is not of the protocol")
            body = self._receive(length)
            if int.from_bytes(body[:4], "big") == context:
                extents = list(nbd.EXTENT.iter_unpack(body[4:]))
        if not extents or not all(size for size, _ in extents):
            raise self._broken("it said nothing about a range")
        return extents

    def _chunks(self, handle: int, *, simple: int) -> Iterator[tuple[int, int]]:
        """Yield kind and length of the chunks of a reply; the caller takes in what belongs to them."""
        failure = ""
        while True:
            head = self._receive(4)
            if int.from_bytes(head, "big") == nbd.SIMPLE_MAGIC:
                error, echoed = nbd.SIMPLE.unpack(head + self._receive(nbd.SIMPLE.size - 4))[1:]
                self._check_handle(echoed, handle)
                if error:
                    raise _RefusedError(f"error {error}")
                if not simple:
                    raise self._broken("its answer about extents is not of the protocol")
                yield nbd.SIMPLE_MAGIC, simple
                return
            magic, flags, kind, echoed, length = nbd.STRUCTURED.unpack(head + self._receive(nbd.STRUCTURED.size - 4))
            if magic != nbd.STRUCTURED_MAGIC:
                raise self._broken("its reply is not of the protocol")
            self._check_handle(echoed, handle)
            if kind & nbd.IS_ERROR:
                failure = failure or self._error_text(length)
            elif kind != nbd.NONE:
                yield kind, length
            elif length:
                raise self._broken("its reply is not of the protocol")
            if flags & nbd.DONE:
                break
        if failure:
            raise _RefusedError(failure)

    def _error_text(self, length: int) -> str:
        if not nbd.ERROR_CHUNK.size <= length <= LONGEST_REPLY:
            raise self._broken("its error is not of the protocol")
        body = self._receive(length)
        number, size = nbd.ERROR_CHUNK.unpack_from(body)
        said = body[nbd.ERROR_CHUNK.size :][:size].decode(errors="replace")
        return said or f"error {number}"

    def _check_handle(self, echoed: int, handle: int) -> None:
        if echoed != handle:
            raise self._broken("it answered another request")

    def _receive(self, length: int) -> bytes:
        content = bytearray(length)
        self._receive_into(memoryview(content))
        return bytes(content)

    def _receive_into(self, view: memoryview) -> None:
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise self._broken("it hung up")
            view = view[count:]

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn errors of the line into ours; after anything but a clean refusal, the connection is no use any more."""
        try:
            yield
        except _RefusedError as error:
            raise self._broken(str(error)) from None
        except OSError as error:
            self._socket.close()
            raise self._broken(str(error) or "it is gone") from None
        except BaseException:
            self._socket.close()
            raise

    def _broken(self, why: str) -> NetworkError:
        return NetworkError(
            f"the NBD server at {self.place} failed: {why}", hint="is the program behind it still well?"
        )


class _RefusedError(Exception):
    """The server answered a request with an error, and the connection is still good."""
