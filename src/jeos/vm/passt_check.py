"""A guest of a few frames, to find out whether the installed passt holds up: one TCP connection in each direction.

Some released versions of passt end at the first connection, or never open one in which the guest's server speaks
first. So before a machine is trusted to one, this plays the guest at passt's socket: it says where it is (ARP), takes
a connection from a host port, sends and receives a byte over it, and opens one to the host.

Source: passt(1), "socket"; each Ethernet frame is preceded by its length as four bytes, big-endian (QEMU's stream).
RFC 826 (ARP), RFC 791 (IPv4), RFC 9293 (TCP).
"""

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from jeos.core.errors import MachineError

GUEST, GATEWAY = bytes([10, 0, 2, 15]), bytes([10, 0, 2, 2])  # the addresses that QEMU's own network has, too
GUEST_MAC = bytes.fromhex("525400123456")
ARP, IPV4, TCP = 0x0806, 0x0800, 6
SYN, PUSH, ACK = 2, 8, 16
WINDOW = 65000
OPTIONS = bytes.fromhex("020405b4 01 030307")  # as Linux sends them: segments of 1,460 bytes, window scaled by 128
DEADLINE = 1.5  # seconds for the whole conversation, which takes a hundredth of that


@dataclass(frozen=True, slots=True)
class Segment:
    """What matters of a TCP segment: the other side's MAC and address, ports, numbers, flags and content."""

    mac: bytes
    peer: bytes
    source: int
    target: int
    sequence: int
    acknowledged: int
    flags: int
    content: bytes


class TinyGuest:
    """The guest's end of passt's socket."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._until = time.monotonic() + DEADLINE
        self._gateway_mac = b"\xff" * 6
        self._stage = "a guest that asks where its gateway is"

    def converse(self, host_port: int) -> None:
        """Take a connection that comes from `host_port` and open one to it; raises MachineError if one fails."""
        self._announce()
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._take(host_port)
            self._open(server.getsockname()[1])

    def _announce(self) -> None:
        request = struct.pack("!HHBBH", 1, IPV4, 6, 4, 1) + GUEST_MAC + GUEST + bytes(6) + GATEWAY
        self._send_frame(b"\xff" * 6, ARP, request)
        while True:
            mac, kind, content = self._receive_frame()
            if kind == ARP and content[6:8] == b"\0\2":
                self._gateway_mac = mac
                return

    def _take(self, host_port: int) -> None:
        """Let a connection to the host's port come in; the guest speaks first, as mail and SSH servers do."""
        with socket.create_connection(("127.0.0.1", host_port), timeout=DEADLINE) as outside:
            asked = self._await(lambda segment: segment.flags & SYN != 0)
            self._reply(asked, SYN | ACK, sequence=1000)
            self._stage = "a guest that takes a connection"
            opened = self._await(lambda segment: segment.acknowledged == 1001)
            self._reply(opened, ACK | PUSH, sequence=1001, content=b"!")
            self._await(lambda segment: segment.acknowledged == 1002)
            heard = outside.recv(1)
            outside.sendall(b"?")
            question = self._await(lambda segment: segment.content != b"")
            if (heard, question.content) != (b"!", b"?"):
                raise MachineError("passt garbles what goes through it")

    def _open(self, host_port: int) -> None:
        """Open a connection to a port of the host, which passt offers at the gateway's address."""
        self._stage = "a guest that opens a connection"
        self._send(Segment(self._gateway_mac, GATEWAY, 40000, host_port, 5000, 0, SYN, b""))
        self._await(lambda segment: segment.target == 40000 and segment.flags & (SYN | ACK) == SYN | ACK)

    def _reply(self, to: Segment, flags: int, *, sequence: int, content: bytes = b"") -> None:
        taken = (to.sequence + len(to.content) + bool(to.flags & SYN)) & 0xFFFFFFFF
        self._send(Segment(to.mac, to.peer, to.target, to.source, sequence, taken, flags, content))

    def _send(self, segment: Segment) -> None:
        ports = struct.pack("!HHII", segment.source, segment.target, segment.sequence, segment.acknowledged)
        options = OPTIONS if segment.flags & SYN else b""
        size = (20 + len(options)) // 4 << 4
        body = ports + struct.pack("!BBHHH", size, segment.flags, WINDOW, 0, 0) + options + segment.content
        pseudo = GUEST + segment.peer + struct.pack("!HH", TCP, len(body))
        body = body[:16] + checksum(pseudo + body) + body[18:]
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, TCP, 0) + GUEST + segment.peer
        header = header[:10] + checksum(header) + header[12:]
        self._send_frame(segment.mac, IPV4, header + body)

    def _await(self, wanted: Callable[[Segment], bool]) -> Segment:
        while True:
            mac, kind, packet = self._receive_frame()
            if kind == ARP and packet[6:8] == b"\0\1" and packet[24:28] == GUEST:
                answer = struct.pack("!HHBBH", 1, IPV4, 6, 4, 2) + GUEST_MAC + GUEST + packet[8:18]
                self._send_frame(mac, ARP, answer)
            elif kind == IPV4 and packet[9] == TCP:
                segment = read_segment(mac, packet)
                if wanted(segment):
                    return segment

    def _send_frame(self, mac: bytes, kind: int, content: bytes) -> None:
        frame = mac + GUEST_MAC + struct.pack("!H", kind) + content
        try:
            self._line.sendall(struct.pack("!I", len(frame)) + frame)
        except ConnectionError:
            raise MachineError(f"passt ended when it met {self._stage}") from None

    def _receive_frame(self) -> tuple[bytes, int, bytes]:
        """Return the sender's MAC, the kind and the content of the next frame."""
        (length,) = struct.unpack("!I", self._receive(4))
        frame = self._receive(length)
        return frame[6:12], int.from_bytes(frame[12:14], "big"), frame[14:]

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            left = self._until - time.monotonic()
            if left <= 0:
                raise MachineError(f"passt does not answer {self._stage}")
            self._line.settimeout(left)
            try:
                piece = self._line.recv(count - len(data))
            except TimeoutError:
                raise MachineError(f"passt does not answer {self._stage}") from None
            except ConnectionError:
                piece = b""
            if not piece:
                raise MachineError(f"passt ended when it met {self._stage}")
            data += piece
        return data


def read_segment(mac: bytes, packet: bytes) -> Segment:
    """Return the TCP segment in an IPv4 packet."""
    start, length = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    source, target, sequence, acknowledged, size, flags = struct.unpack_from("!HHIIBB", packet, start)
    content = packet[start + (size >> 4) * 4 : length]
    return Segment(mac, packet[12:16], source, target, sequence, acknowledged, flags, content)


def checksum(data: bytes) -> bytes:
    """Return the Internet checksum of data (RFC 1071)."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
