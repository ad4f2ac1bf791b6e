"""The NBD client and server: with each other, with QEMU's programs, and with peers that break the protocol."""

import json
import os
import random
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError, JeosError, NetworkError
from jeos.disk import nbd_format as nbd
from jeos.disk.blocks import File, Memory
from jeos.disk.nbd_client import Nbd
from jeos.disk.nbd_serve import Server

MEBIBYTE = 1 << 20
DEADLINE = 60.0  # seconds


def holey_disk(path: Path, *, size: int = 12 * MEBIBYTE) -> bytes:
    """Write a sparse disk with data at odd places, and return its content."""
    content = bytearray(size)
    noise = random.Random(5)
    for start, length in ((0, 512), (MEBIBYTE + 4096, 3 * MEBIBYTE), (size - 5000, 5000)):
        content[start : start + length] = noise.randbytes(length)
    with path.open("wb") as file:
        file.truncate(size)
        for start in range(0, size, 4096):
            piece = content[start : start + 4096]
            if any(piece):
                file.seek(start)
                file.write(piece)
    return bytes(content)


@contextmanager
def qemu_nbd(socket_path: Path, image: Path, *more: str) -> Iterator[None]:
    process = subprocess.Popen(["qemu-nbd", "-r", "-t", "-k", str(socket_path), "-f", "raw", *more, str(image)])
    try:
        deadline = time.monotonic() + DEADLINE
        while not socket_path.exists():
            assert process.poll() is None, "qemu-nbd ended"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield
    finally:
        process.kill()
        process.wait()


def test_client_reads_what_qemu_nbd_exports(tmp_path: Path) -> None:
    content = holey_disk(tmp_path / "disk")
    with qemu_nbd(tmp_path / "s", tmp_path / "disk", "-x", "web"), Nbd(tmp_path / "s", "web") as disk:
        assert disk.size == len(content)
        assert disk.read(0, disk.size) == content
        assert disk.read(MEBIBYTE + 4000, 200) == content[MEBIBYTE + 4000 : MEBIBYTE + 4200]
        with File(tmp_path / "disk") as file:
            assert list(disk.data(0, disk.size)) == list(file.data(0, file.size))
            assert list(disk.data(4096, 5 * MEBIBYTE)) == list(file.data(4096, 5 * MEBIBYTE))


def test_client_reads_more_at_once_than_a_request_may(tmp_path: Path) -> None:
    content = holey_disk(tmp_path / "disk", size=80 * MEBIBYTE)
    with qemu_nbd(tmp_path / "s", tmp_path / "disk"), Nbd(tmp_path / "s") as disk:
        assert disk.read(0, disk.size) == content


def test_client_says_which_export_there_is_none_of(tmp_path: Path) -> None:
    holey_disk(tmp_path / "disk")
    with (
        qemu_nbd(tmp_path / "s", tmp_path / "disk", "-x", "web"),
        pytest.raises(NetworkError, match=r"not.*present|no export"),
    ):
        Nbd(tmp_path / "s", "other")


def test_client_without_server_names_the_socket(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=str(tmp_path / "s")):
        Nbd(tmp_path / "s")


def test_client_sees_what_a_dirty_bitmap_marks(tmp_path: Path) -> None:
    image = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "8M"], check=True)
    subprocess.run(["qemu-img", "bitmap", "--add", "-g", "65536", image, "night"], check=True)
    for place in ("1M 64k", "3M 4k", "8323072 65536"):
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", f"write -P 7 {place}", image], check=True, stdout=-3)
    with (
        qemu_nbd(tmp_path / "s", image, "-f", "qcow2", "-B", "night"),
        Nbd(tmp_path / "s", contexts=(nbd.ALLOCATION, nbd.DIRTY_BITMAP + "night")) as disk,
    ):
        marked = [(start, end) for start, end, flags in disk.status(nbd.DIRTY_BITMAP + "night", 0, disk.size) if flags]
    assert marked == [
        (MEBIBYTE, MEBIBYTE + 65536),
        (3 * MEBIBYTE, 3 * MEBIBYTE + 65536),
        (8323072, 8323072 + 65536),
    ]


def test_client_refuses_a_context_that_the_server_has_not(tmp_path: Path) -> None:
    with (
        Server({"": Memory(bytes(4096))}, tmp_path / "s"),
        Nbd(tmp_path / "s", contexts=("qemu:dirty-bitmap:x",)) as disk,
    ):
        assert disk.contexts == {}
        assert list(disk.data(0, 4096)) == [(0, 4096)]
        with pytest.raises(NetworkError, match="qemu:dirty-bitmap:x"):
            list(disk.status("qemu:dirty-bitmap:x", 0, 4096))


def test_server_serves_our_own_client(tmp_path: Path) -> None:
    content = holey_disk(tmp_path / "disk")
    with File(tmp_path / "disk") as file, Server({"x": file}, tmp_path / "s"), Nbd(tmp_path / "s", "x") as disk:
        assert disk.read(0, disk.size) == content
        assert list(disk.data(0, disk.size)) == list(file.data(0, file.size))
        assert oct((tmp_path / "s").stat().st_mode & 0o777) == "0o600"


def test_server_serves_many_readers_at_once(tmp_path: Path) -> None:
    content = holey_disk(tmp_path / "disk")
    wrong: list[int] = []

    def read_all(seed: int) -> None:
        places = random.Random(seed)
        with Nbd(tmp_path / "s") as disk:
            for _ in range(50):
                start = places.randrange(len(content) - 100_000)
                if disk.read(start, 100_000) != content[start : start + 100_000]:
                    wrong.append(start)

    with File(tmp_path / "disk") as file, Server({"": file}, tmp_path / "s"):
        readers = [threading.Thread(target=read_all, args=(seed,)) for seed in range(6)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert wrong == []


def test_qemu_img_reads_what_the_server_exports(tmp_path: Path) -> None:
    content = holey_disk(tmp_path / "disk")
    with File(tmp_path / "disk") as file, Server({"web": file}, tmp_path / "s") as server:
        address = f"nbd+unix:///web?socket={tmp_path / 's'}"
        told = json.loads(subprocess.check_output(["qemu-img", "map", "--output=json", "-f", "raw", address]))
        data = [(each["start"], each["start"] + each["length"]) for each in told if each["data"]]
        assert data == list(file.data(0, file.size))
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "raw", address, tmp_path / "copy"], check=True)
        assert server.sent < len(content)  # the holes did not go over the line
        refused = subprocess.run(["qemu-io", "-f", "raw", "-c", "write 0 4k", address], capture_output=True)
        assert refused.returncode
    assert (tmp_path / "copy").read_bytes() == content


def test_server_exports_several_disks(tmp_path: Path) -> None:
    disks = {name: Memory(name.encode() * 512) for name in ("one", "other")}
    with Server(disks, tmp_path / "s"):
        for name, disk in disks.items():
            with Nbd(tmp_path / "s", name) as found:
                assert found.read(0, found.size) == disk.content
                assert list(found.data(0, found.size)) == [(0, disk.size)]
        with pytest.raises(NetworkError, match="there is no export 'third'"):
            Nbd(tmp_path / "s", "third")
        listed = subprocess.run(["qemu-nbd", "--list", "-k", tmp_path / "s"], capture_output=True, text=True)
    assert "exports available: 2" in listed.stdout


def test_server_passes_an_error_of_the_disk_on_and_lives(tmp_path: Path) -> None:
    class Bad(Memory):
        def read(self, offset: int, length: int) -> bytes:
            if offset + length > MEBIBYTE:
                raise InputError("the chunk is damaged")
            return super().read(offset, length)

    with Server({"": Bad(b"a" * (2 * MEBIBYTE))}, tmp_path / "s"), Nbd(tmp_path / "s") as disk:
        with pytest.raises(NetworkError, match="the chunk is damaged"):
            disk.read(MEBIBYTE - 512, 1024 + MEBIBYTE // 2)
        assert disk.read(0, 4) == b"aaaa"


def test_server_refuses_what_is_not_of_the_protocol_and_serves_on(tmp_path: Path) -> None:
    go = nbd.OPTION.pack(nbd.OPTION_MAGIC, nbd.GO, 6) + bytes(6)
    hello = nbd.U32.pack(3)
    past_the_end = nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, nbd.READ, 9, 4096, 1)
    endless = nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, nbd.WRITE, 9, 0, 0xFFFFFFFF)
    attempts = [
        b"GET / HTTP/1.1\r\n\r\n",
        nbd.U32.pack(0xFFFFFFFF),
        hello + b"x" * 16,
        hello + nbd.OPTION.pack(nbd.OPTION_MAGIC, nbd.GO, 0xFFFFFFFF),
        hello + nbd.OPTION.pack(nbd.OPTION_MAGIC, nbd.GO, 0),
        hello + nbd.OPTION.pack(nbd.OPTION_MAGIC, nbd.SET_META_CONTEXT, 3) + b"abc",
        hello + nbd.OPTION.pack(nbd.OPTION_MAGIC, 4711, 0),
        hello + go + b"y" * 28,
        hello + go + past_the_end,
        hello + go + endless,
    ]
    with Server({"": Memory(bytes(4096))}, tmp_path / "s") as server:
        for attempt in attempts:
            with socket.socket(socket.AF_UNIX) as rude:
                rude.settimeout(DEADLINE)
                rude.connect(str(tmp_path / "s"))
                rude.sendall(attempt)
                rude.shutdown(socket.SHUT_WR)
                while True:
                    try:
                        if not rude.recv(65536):
                            break
                    except ConnectionError:
                        break
        with Nbd(tmp_path / "s") as disk:
            assert disk.read(0, 4096) == bytes(4096)
        deadline = time.monotonic() + DEADLINE
        while server.clients and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.clients == set()


@given(st.binary(max_size=400))
def test_contexts_and_names_of_any_bytes_are_read_or_refused(data: bytes) -> None:
    from jeos.disk import nbd_serve

    found = nbd_serve._contexts(data)
    assert found is None or all(isinstance(each, str) for each in found)


class Peer:
    """A server that follows the protocol until the transmission, and then says what a test wants."""

    def __init__(self, place: Path, answer: Callable[[int, int, int], bytes], *, size: int = 4096) -> None:
        self._answer, self._size = answer, size
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(place))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        stream = connection.makefile("rwb")

        def reply(option: int, kind: int, data: bytes = b"") -> None:
            stream.write(nbd.OPTION_REPLY.pack(nbd.REPLY_MAGIC, option, kind, len(data)) + data)
            stream.flush()

        with connection, stream:
            stream.write(nbd.MAGIC + nbd.OPTION_MAGIC + b"\0\3")
            stream.flush()
            stream.read(4)
            while True:
                _, option, length = nbd.OPTION.unpack(stream.read(16))
                stream.read(length)
                if option == nbd.SET_META_CONTEXT:
                    reply(option, nbd.REP_META_CONTEXT, nbd.U32.pack(1) + nbd.ALLOCATION.encode())
                if option == nbd.GO:
                    reply(option, nbd.REP_INFO, nbd.EXPORT.pack(0, self._size, 3))
                reply(option, nbd.REP_ACK)
                if option == nbd.GO:
                    break
            request = stream.read(nbd.REQUEST.size)
            _, _, _, handle, offset, length = nbd.REQUEST.unpack(request)
            stream.write(self._answer(handle, offset, length))

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


def chunk(handle: int, kind: int, body: bytes, *, done: bool = True) -> bytes:
    return nbd.STRUCTURED.pack(nbd.STRUCTURED_MAGIC, done, kind, handle, len(body)) + body


def data_chunk(handle: int, place: int, content: bytes, *, done: bool = True) -> bytes:
    return chunk(handle, nbd.OFFSET_DATA, struct.pack(">Q", place) + content, done=done)


LIES: dict[str, Callable[[int, int, int], bytes]] = {
    "another handle": lambda handle, offset, length: data_chunk(handle + 1, offset, b"x" * length),
    "before the range": lambda handle, offset, length: data_chunk(handle, offset - 8, b"x" * length),
    "past the range": lambda handle, offset, length: data_chunk(handle, offset + 8, b"x" * length),
    "only a part": lambda handle, offset, length: data_chunk(handle, offset, b"x" * (length - 1)),
    "one part twice": lambda handle, offset, length: (
        data_chunk(handle, offset, b"x" * (length // 2), done=False) + data_chunk(handle, offset, b"x" * (length // 2))
    ),
    "a hole past the range": lambda handle, offset, length: chunk(
        handle, nbd.OFFSET_HOLE, nbd.HOLE_CHUNK.pack(offset, 0xFFFFFFFF)
    ),
    "nothing": lambda handle, offset, length: chunk(handle, nbd.NONE, b""),
    "extents": lambda handle, offset, length: chunk(handle, nbd.STATUS, struct.pack(">III", 1, length, 0)),
    "no magic": lambda handle, offset, length: b"y" * 64,
    "the end": lambda handle, offset, length: b"",
    "half a reply": lambda handle, offset, length: data_chunk(handle, offset, b"x" * length)[:-9],
    "an error": lambda handle, offset, length: chunk(handle, nbd.ERROR, struct.pack(">IH", 5, 900) + b"no"),
    "an endless error": lambda handle, offset, length: nbd.STRUCTURED.pack(
        nbd.STRUCTURED_MAGIC, 1, nbd.ERROR, handle, 0xFFFFFFFF
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_client_does_not_believe(lie: str, tmp_path: Path) -> None:
    peer = Peer(tmp_path / "s", LIES[lie])
    try:
        with Nbd(tmp_path / "s", patience=DEADLINE) as disk, pytest.raises(NetworkError):
            disk.read(512, 1024)
    finally:
        peer.close()


STATUS_LIES: dict[str, Callable[[int, int, int], bytes]] = {
    "an extent of nothing": lambda handle, offset, length: chunk(handle, nbd.STATUS, struct.pack(">III", 1, 0, 0)),
    "no extent": lambda handle, offset, length: chunk(handle, nbd.STATUS, struct.pack(">I", 1)),
    "another context": lambda handle, offset, length: chunk(handle, nbd.STATUS, struct.pack(">III", 2, length, 0)),
    "half an extent": lambda handle, offset, length: chunk(handle, nbd.STATUS, struct.pack(">IIH", 1, length, 0)),
    "data": lambda handle, offset, length: data_chunk(handle, offset, b"x" * length),
    "a simple reply": lambda handle, offset, length: nbd.SIMPLE.pack(nbd.SIMPLE_MAGIC, 0, handle),
}


@pytest.mark.parametrize("lie", STATUS_LIES)
def test_client_does_not_believe_extents(lie: str, tmp_path: Path) -> None:
    peer = Peer(tmp_path / "s", STATUS_LIES[lie])
    try:
        with Nbd(tmp_path / "s", patience=DEADLINE) as disk, pytest.raises(NetworkError):
            list(disk.data(0, 4096))
    finally:
        peer.close()


def test_client_cuts_extents_to_the_range(tmp_path: Path) -> None:
    peer = Peer(
        tmp_path / "s",
        lambda handle, offset, length: chunk(handle, nbd.STATUS, struct.pack(">IIIII", 1, 1024, 3, 0xFFFFFFFF, 0)),
    )
    try:
        with Nbd(tmp_path / "s", patience=DEADLINE) as disk:
            assert list(disk.data(0, 4096)) == [(1024, 4096)]
    finally:
        peer.close()


def test_client_gives_a_silent_server_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(NetworkError, match="timed out"):
            Nbd(tmp_path / "s", patience=0.05)


def test_nothing_is_left_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = open_files()
    for _ in range(3):
        with Server({"": Memory(bytes(4096))}, tmp_path / "s"), Nbd(tmp_path / "s") as disk:
            disk.read(0, 1)
            with pytest.raises(JeosError):
                Nbd(tmp_path / "s", "none")
    assert open_files() == before
