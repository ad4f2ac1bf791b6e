r"""Frames over one byte stream: how host and guest talk through a single serial port.

    decoder = Decoder()
    for frame in decoder.feed(encode(Frame(CONTROL, 7, b'{"do": "status"}'))):
        ...

On the line a frame is FE, its stuffed body, FE. The body is kind (1 byte), channel (4 bytes, big-endian), payload,
CRC-32 of all that (4 bytes, big-endian). Stuffing turns FD into FD 01 and FE into FD 02, so FE stands only between
frames: whatever was cut off when either side restarted ends at the next FE and fails its CRC.

A `Link` makes sure that nothing meant for a former life is obeyed: both sides name their life (epoch) in HELLO
frames, and use a link only after the other side has repeated their own epoch. `Outflow` and `Inflow` keep a stream
within its window, so that a slow reader costs its own stream a pause, and nobody memory.

This module ships in the guest, where each import is memory for ever: hence plain classes instead of dataclasses.
"""

import json
from binascii import crc32
from struct import Struct

PROTOCOL = 1

HELLO = 0  # JSON: protocol, epoch, peer
CONTROL = 1  # JSON: requests and answers; on channel 0, events
STDIN = 2  # host to guest; an empty payload ends the stream, in all three
STDOUT = 3  # guest to host
STDERR = 4  # guest to host
CREDIT = 5  # kind of the stream and how many more bytes its reader takes
KINDS = (HELLO, CONTROL, STDIN, STDOUT, STDERR, CREDIT)
STREAMS = (STDIN, STDOUT, STDERR)

MAX_PAYLOAD = 64 << 10  # bytes; a longer frame is dropped
CHUNK = 32 << 10  # bytes of a stream in one frame, so that channels take turns
MAX_EPOCH = 64  # characters
WINDOW = 128 << 10  # bytes of one stream that may be under way without credit

_DELIMITER = b"\xfe"
_ESCAPE = b"\xfd"
_HEADER = Struct(">BI")
_CRC = Struct(">I")
_CREDIT = Struct(">BI")
_LONGEST = 2 * (_HEADER.size + MAX_PAYLOAD + _CRC.size)  # bytes of a body that is nothing but stuffing


class Frame:
    """One frame: what it is, whom it is for, what it carries."""

    __slots__ = ("channel", "kind", "payload")

    def __init__(self, kind: int, channel: int, payload: bytes = b"") -> None:
        self.kind = kind
        self.channel = channel
        self.payload = payload

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and (self.kind, self.channel, self.payload) == (
            other.kind,
            other.channel,
            other.payload,
        )

    __hash__ = None  # type: ignore[assignment]  # a value to compare, never a key

    def __repr__(self) -> str:
        return f"Frame({self.kind}, {self.channel}, {self.payload!r})"


def encode(frame: Frame) -> bytes:
    """Return a frame as it goes on the line. Raises ValueError if its payload is longer than MAX_PAYLOAD."""
    if len(frame.payload) > MAX_PAYLOAD:
        raise ValueError(f"a frame of {len(frame.payload)} bytes is longer than {MAX_PAYLOAD}")
    body = _HEADER.pack(frame.kind, frame.channel) + frame.payload
    body += _CRC.pack(crc32(body))
    stuffed = body.replace(_ESCAPE, b"\xfd\x01").replace(_DELIMITER, b"\xfd\x02")
    return _DELIMITER + stuffed + _DELIMITER


def _decode(stuffed: bytes) -> Frame | None:
    body = stuffed.replace(b"\xfd\x02", _DELIMITER).replace(b"\xfd\x01", _ESCAPE)
    end = len(body) - _CRC.size
    if stuffed.endswith(_ESCAPE) or end < _HEADER.size or end - _HEADER.size > MAX_PAYLOAD:
        return None
    if crc32(body[:end]) != _CRC.unpack_from(body, end)[0]:
        return None
    kind, channel = _HEADER.unpack_from(body)
    return Frame(kind, channel, body[_HEADER.size : end]) if kind in KINDS else None


class Decoder:
    """Finds the whole frames in a stream of bytes; holds at most one unfinished frame."""

    def __init__(self) -> None:
        self.dropped = 0  # broken or overlong frames so far
        self._pieces: list[bytes] = []
        self._held = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that end within `data`; broken ones are counted and left out."""
        frames = []
        pieces = data.split(_DELIMITER)
        self._hold(pieces[0])
        for piece in pieces[1:]:
            frame = self._finish()
            if frame is not None:
                frames.append(frame)
            self._hold(piece)
        return frames

    def _hold(self, piece: bytes) -> None:
        if self._skipping or not piece:
            return
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > _LONGEST:
            self._skipping = True
            self._pieces.clear()

    def _finish(self) -> Frame | None:
        stuffed = b"".join(self._pieces)
        skipped = self._skipping
        self._pieces.clear()
        self._held = 0
        self._skipping = False
        frame = None if skipped or not stuffed else _decode(stuffed)
        if frame is None and (skipped or stuffed):
            self.dropped += 1
        return frame


def control(channel: int, message: "dict[str, object]") -> bytes:
    """Return a JSON message as an encoded frame. Raises ValueError if it is too long for one."""
    return encode(Frame(CONTROL, channel, json.dumps(message).encode()))


def message(frame: Frame) -> "dict[str, object]":
    """Return the JSON object that a frame carries; an empty one if it carries something else."""
    try:
        value = json.loads(frame.payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def credit(channel: int, stream: int, count: int) -> bytes:
    """Return an encoded frame that lets the sender of a stream send `count` more bytes."""
    return encode(Frame(CREDIT, channel, _CREDIT.pack(stream, count)))


def granted(frame: Frame) -> tuple[int, int]:
    """Return the stream and the bytes that a CREDIT frame grants; (0, 0) if it is broken."""
    if len(frame.payload) != _CREDIT.size:
        return 0, 0
    stream, count = _CREDIT.unpack(frame.payload)
    return stream, count


class Heard:
    """What a HELLO changes: whether all channels are void, what to answer, and whether the link came up."""

    __slots__ = ("linked", "reply", "reset")

    def __init__(self, *, reset: bool, reply: bytes, linked: bool) -> None:
        self.reset = reset
        self.reply = reply
        self.linked = linked


class Link:
    """The handshake: a link is up once the other side has repeated our epoch.

    `epoch` is a random text, fresh for each life (each start, each reconnection).
    """

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.peer = ""
        self.linked = False

    def hello(self) -> bytes:
        """Return the HELLO to send first, as bytes for the line."""
        return self._hello(self.peer)

    def probe(self) -> bytes:
        """Return a HELLO that the other side answers if it is there: one that does not repeat its epoch."""
        return self._hello("")

    def _hello(self, peer: str) -> bytes:
        text = json.dumps({"protocol": PROTOCOL, "epoch": self.epoch, "peer": peer})
        return encode(Frame(HELLO, 0, text.encode()))

    def hear(self, frame: Frame) -> Heard:
        """Take a HELLO of the other side.

        An unknown epoch voids what was agreed with the one before. An answer is due when the other side does not
        yet know this epoch, or was not yet known itself; so two HELLOs that cross do not answer each other for ever.
        """
        said = message(frame)
        epoch, echoed = said.get("epoch"), said.get("peer")
        if said.get("protocol") != PROTOCOL or not isinstance(epoch, str) or not 0 < len(epoch) <= MAX_EPOCH:
            return Heard(reset=False, reply=b"", linked=False)
        fresh = epoch != self.peer
        if fresh:
            self.peer = epoch
            self.linked = False
        came_up = echoed == self.epoch and not self.linked
        self.linked = self.linked or came_up
        reply = self.hello() if fresh or echoed != self.epoch else b""
        return Heard(reset=fresh, reply=reply, linked=came_up)


class Outflow:
    """How much the sender of a stream may still send, in bytes."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = WINDOW

    def spend(self, count: int) -> None:
        """Take note of bytes sent."""
        self.left -= count

    def grant(self, count: int) -> None:
        """Take note of a CREDIT; a reader that grants more than a window gets no more than a window."""
        self.left = min(self.left + count, WINDOW)


class Inflow:
    """How much the reader of a stream has taken in, and when its sender is due new credit, in bytes."""

    __slots__ = ("held", "owed")

    def __init__(self) -> None:
        self.held = 0
        self.owed = 0

    def receive(self, count: int) -> bool:
        """Take note of bytes received; false if the sender had no credit for them."""
        self.held += count
        return self.held + self.owed <= WINDOW

    def release(self, count: int) -> int:
        """Take note of bytes used up, and return the credit to send now (0: not yet worth a frame)."""
        self.held -= count
        self.owed += count
        if self.owed < WINDOW // 4:
            return 0
        due, self.owed = self.owed, 0
        return due
