"""Disks of any kind, exported read-only over NBD on a unix socket.

    with Server({"disk": blocks}, socket) as server:
        … qemu-img info nbd+unix:///disk?socket=…
    server.sent                         # bytes that clients have read

Each connection has a thread that takes requests in, and workers answer them as they can, so that one slow read does
not hold up the others. Zeros go over the line as holes. Only the owner of the socket can connect, and what a client
sends is bounded.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jeos.core import log
from jeos.core.closing import Closing
from jeos.core.errors import JeosError
from jeos.core.sockets import listen
from jeos.disk import nbd_format as nbd
from jeos.disk.blocks import PIECE, Blocks, Memory

WORKERS = 4  # reads at once, of all clients
MOST_WAITING = 16  # requests of one client that are taken in before they are answered
LONGEST_OPTION = 64 << 10  # bytes
MOST_EXTENTS = 4096  # in one answer
LONGEST_EXTENT = 1 << 31  # bytes; its length has 32 bits
ALLOCATION_ID = 1  # the number that replies call base:allocation by
FLAGS = nbd.HAS_FLAGS | nbd.READ_ONLY | nbd.SEND_DF | nbd.MULTI_CONNECTION


class Server(Closing):
    """Exports, by name, that live as long as a `with` block; clients that name none get that of the empty name."""

    def __init__(self, disks: Mapping[str, Blocks], place: Path, *, listener: socket.socket | None = None) -> None:
        """Listen on a new socket at `place`, which only this user can connect to, or on one that listens there."""
        self.disks, self.place = disks, place
        self.sent = 0
        self.clients: set[_Client] = set()
        self.workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="nbd")
        self.lock = threading.Lock()
        self._closing = False
        self._listener = listener or listen(place)
        self._thread = threading.Thread(target=self._accept, name="nbd-accept", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            client = _Client(self, connection)
            with self.lock:
                if self._closing:
                    connection.close()
                    return
                self.clients.add(client)
            client.start()

    def close(self) -> None:
        """Hang up on all clients and stop listening."""
        with self.lock:
            self._closing = True
            clients = list(self.clients)
        self.place.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self._thread.join()
        for client in clients:
            client.hang_up()
            client.join()
        self.workers.shutdown()


class _Client(threading.Thread):
    """One connection: options first, then requests until the client goes."""

    def __init__(self, server: Server, connection: socket.socket) -> None:
        super().__init__(name="nbd-client", daemon=True)
        self._server = server
        self._socket = connection
        self._disk: Blocks = Memory(b"")  # until one is chosen
        self._structured = False
        self._allocation_of: str | None = None  # the export whose extents may be asked for
        self._knows_allocation = False
        self._sending = threading.Lock()
        self._room = threading.Semaphore(MOST_WAITING)

    def run(self) -> None:
        try:
            if self._negotiate():
                self._serve()
        except (OSError, _RudeError) as error:
            log.debug(f"an NBD client went: {error}")
        finally:
            for _ in range(MOST_WAITING):  # until the workers are done with this connection
                self._room.acquire()
            self._socket.close()
            with self._server.lock:
                self._server.clients.discard(self)

    def hang_up(self) -> None:
        """End the connection from another thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    # The negotiation.

    def _negotiate(self) -> bool:
        """Agree on options until the client chooses the export; False if it says goodbye."""
        flags = nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES
        self._socket.sendall(nbd.MAGIC + nbd.OPTION_MAGIC + flags.to_bytes(2, "big"))
        theirs = int.from_bytes(self._receive(4), "big")
        if theirs & ~flags or not theirs & nbd.FIXED_NEWSTYLE:
            raise _RudeError("it does not know the fixed newstyle")
        while True:
            magic, option, length = nbd.OPTION.unpack(self._receive(nbd.OPTION.size))
            if magic != nbd.OPTION_MAGIC or length > LONGEST_OPTION:
                raise _RudeError("its option is not of the protocol")
            data = self._receive(length)
            if option == nbd.EXPORT_NAME:
                return self._old_choice(data, zeroes=not theirs & nbd.NO_ZEROES)
            if option == nbd.ABORT:
                self._reply(option, nbd.REP_ACK)
                return False
            if self._answer_option(option, data):
                return True

    def _old_choice(self, data: bytes, *, zeroes: bool) -> bool:
        """Answer the option that has no other way to refuse than to hang up."""
        if not self._choose(data.decode(errors="replace")):
            return False
        about = nbd.EXPORT.pack(0, self._disk.size, FLAGS)[2:]
        self._socket.sendall(about + bytes(124 * zeroes))
        return True

    def _answer_option(self, option: int, data: bytes) -> bool:
        """Answer an option; True if it chose the export."""
        if option == nbd.LIST and not data:
            for name in self._server.disks:
                self._reply(option, nbd.REP_SERVER, nbd.U32.pack(len(name.encode())) + name.encode())
            self._reply(option, nbd.REP_ACK)
        elif option == nbd.STRUCTURED_REPLY and not data:
            self._structured = True
            self._reply(option, nbd.REP_ACK)
        elif option in (nbd.LIST_META_CONTEXT, nbd.SET_META_CONTEXT):
            self._choose_contexts(option, data)
        elif option in (nbd.INFO, nbd.GO):
            return self._describe(option, data) and option == nbd.GO
        else:
            self._reply(option, nbd.REP_UNSUPPORTED)
        return False

    def _describe(self, option: int, data: bytes) -> bool:
        fields = _texts(data)
        name = next(fields, None)
        if name is None:
            self._reply(option, nbd.REP_INVALID)
            return False
        if not self._choose(name):
            self._reply(option, nbd.REP_UNKNOWN, f"there is no export {name!r}".encode())
            return False
        self._reply(option, nbd.REP_INFO, nbd.EXPORT.pack(nbd.INFO_EXPORT, self._disk.size, FLAGS))
        sizes = nbd.BLOCK_SIZES.pack(nbd.INFO_BLOCK_SIZE, 1, 64 << 10, nbd.LONGEST_REQUEST)
        self._reply(option, nbd.REP_INFO, sizes)
        self._reply(option, nbd.REP_ACK)
        return True

    def _choose(self, name: str) -> bool:
        """Serve the export of that name from now on; False if there is none."""
        found = self._server.disks.get(name)
        if found is None:
            return False
        self._disk = found
        self._knows_allocation = self._allocation_of == name
        return True

    def _choose_contexts(self, option: int, data: bytes) -> None:
        name, *queries = _contexts(data) or [""]
        if not self._structured or _contexts(data) is None:
            self._reply(option, nbd.REP_INVALID)
            return
        if name not in self._server.disks:
            self._reply(option, nbd.REP_UNKNOWN)
            return
        listing = option == nbd.LIST_META_CONTEXT
        wanted = nbd.ALLOCATION in queries or (listing and (not queries or "base:" in queries))
        if wanted:
            number = 0 if listing else ALLOCATION_ID
            self._reply(option, nbd.REP_META_CONTEXT, nbd.U32.pack(number) + nbd.ALLOCATION.encode())
        if not listing:
            self._allocation_of = name if wanted else None
        self._reply(option, nbd.REP_ACK)

    def _reply(self, option: int, kind: int, data: bytes = b"") -> None:
        self._socket.sendall(nbd.OPTION_REPLY.pack(nbd.REPLY_MAGIC, option, kind, len(data)) + data)

    # The transmission.

    def _serve(self) -> None:
        while True:
            magic, flags, command, handle, offset, length = nbd.REQUEST.unpack(self._receive(nbd.REQUEST.size))
            if magic != nbd.REQUEST_MAGIC:
                raise _RudeError("its request is not of the protocol")
            if command == nbd.DISCONNECT:
                return
            if command == nbd.WRITE:
                if length > nbd.LONGEST_REQUEST:
                    raise _RudeError("it writes more than a server takes")
                self._receive(length)
            self._room.acquire()
            self._server.workers.submit(self._answer, flags, command, handle, offset, length)

    def _answer(self, flags: int, command: int, handle: int, offset: int, length: int) -> None:
        """Answer one request, in a worker's thread."""
        try:
            refusal = self._complaint(command, offset, length)
            if refusal:
                self._refuse(handle, refusal, "")
            elif command == nbd.READ:
                self._read(handle, offset, length, whole=not self._structured or bool(flags & nbd.DO_NOT_FRAGMENT))
            elif command == nbd.BLOCK_STATUS:
                self._tell_extents(handle, offset, length, one=bool(flags & nbd.REQUEST_ONE))
            else:  # a flush, of what cannot be written
                self._succeed(handle)
        except JeosError as error:
            log.warn(f"an NBD client could not be given {length} bytes at {offset}: {error.message}")
            with contextlib.suppress(OSError):
                self._refuse(handle, nbd.IO_ERROR, error.message)
        except OSError:  # the client has gone
            self.hang_up()
        except BaseException:
            self.hang_up()
            raise
        finally:
            self._room.release()

    def _complaint(self, command: int, offset: int, length: int) -> int:
        """Return the protocol's error for a request that cannot be done; 0 if it can."""
        if command == nbd.FLUSH:
            return 0
        if command not in (nbd.READ, nbd.BLOCK_STATUS):
            return nbd.PERMISSION
        outside = not length or offset + length > self._disk.size
        too_long = command == nbd.READ and length > nbd.LONGEST_REQUEST
        unknown = command == nbd.BLOCK_STATUS and not self._knows_allocation
        return nbd.INVALID if outside or too_long or unknown else 0

    def _read(self, handle: int, offset: int, length: int, *, whole: bool) -> None:
        disk = self._disk
        if whole:
            content = disk.read(offset, length)
            self._server.sent += length
            if self._structured:
                self._chunk(handle, nbd.OFFSET_DATA, nbd.U64.pack(offset) + content, done=True)
            else:
                with self._sending:
                    self._socket.sendall(nbd.SIMPLE.pack(nbd.SIMPLE_MAGIC, 0, handle) + content)
            return
        for start, end, full in _extents(disk, offset, offset + length):
            done = end == offset + length
            if not full:
                self._chunk(handle, nbd.OFFSET_HOLE, nbd.HOLE_CHUNK.pack(start, end - start), done=done)
                continue
            for place in range(start, end, PIECE):
                size = min(PIECE, end - place)
                content = disk.read(place, size)
                self._server.sent += size
                last = done and place + size == end
                self._chunk(handle, nbd.OFFSET_DATA, nbd.U64.pack(place) + content, done=last)

    def _tell_extents(self, handle: int, offset: int, length: int, *, one: bool) -> None:
        answer = [nbd.U32.pack(ALLOCATION_ID)]
        for start, end, full in _extents(self._disk, offset, offset + length):
            answer.append(nbd.EXTENT.pack(min(end - start, LONGEST_EXTENT), 0 if full else nbd.HOLE | nbd.ZERO))
            if one or end - start > LONGEST_EXTENT or len(answer) > MOST_EXTENTS:
                break
        self._chunk(handle, nbd.STATUS, b"".join(answer), done=True)

    def _succeed(self, handle: int) -> None:
        if self._structured:
            self._chunk(handle, nbd.NONE, b"", done=True)
        else:
            with self._sending:
                self._socket.sendall(nbd.SIMPLE.pack(nbd.SIMPLE_MAGIC, 0, handle))

    def _refuse(self, handle: int, number: int, text: str) -> None:
        if self._structured:
            words = text.encode()[: nbd.LONGEST_NAME]
            self._chunk(handle, nbd.ERROR, nbd.ERROR_CHUNK.pack(number, len(words)) + words, done=True)
        else:
            with self._sending:
                self._socket.sendall(nbd.SIMPLE.pack(nbd.SIMPLE_MAGIC, number, handle))

    def _chunk(self, handle: int, kind: int, body: bytes, *, done: bool) -> None:
        head = nbd.STRUCTURED.pack(nbd.STRUCTURED_MAGIC, nbd.DONE if done else 0, kind, handle, len(body))
        with self._sending:
            self._socket.sendall(head + body)

    def _receive(self, length: int) -> bytes:
        content = bytearray(length)
        view = memoryview(content)
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise _RudeError("it hung up")
            view = view[count:]
        return bytes(content)


class _RudeError(Exception):
    """A client left without a word, or said something that is not of the protocol."""


def _extents(disk: Blocks, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Yield ranges that cover all from `start` to `end`, and whether each may hold something."""
    place = start
    for first, last in disk.data(start, end):
        if first > place:
            yield place, first, False
        yield first, last, True
        place = last
    if place < end:
        yield place, end, False


def _texts(data: bytes) -> Iterator[str]:
    """Yield texts that have their length before them, until one is cut off."""
    place = 0
    while place + 4 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        place += 4
        if size > nbd.LONGEST_NAME or place + size > len(data):
            return
        yield data[place : place + size].decode(errors="replace")
        place += size


def _contexts(data: bytes) -> list[str] | None:
    """Return an export's name and the queries after it; None if the data is not of the protocol."""
    name = next(_texts(data), None)
    if name is None:
        return None
    rest = data[4 + int.from_bytes(data[:4], "big") :]
    queries = list(_texts(rest[4:]))
    return [name, *queries] if len(rest) >= 4 and int.from_bytes(rest[:4], "big") == len(queries) else None
