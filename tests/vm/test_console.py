import asyncio
import contextlib
import socket
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.vm.console import BACKLOG, RECENT, Console, Log, old


@given(st.lists(st.binary(max_size=30), max_size=20))
@settings(max_examples=50)
def test_log_keeps_the_newest_bytes_within_twice_its_limit(pieces: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "console.log"
        log = Log(path, limit=40)
        for piece in pieces:
            log.write(piece)
        log.close()
        kept = (old(path).read_bytes() if old(path).exists() else b"") + path.read_bytes()
        said = b"".join(pieces)
        assert said.endswith(kept)
        assert len(kept) >= min(len(said), 11)  # a full log holds at least its limit less the longest piece
        assert path.stat().st_size <= 40


def test_log_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for piece in (b"one\n", b"two\n"):
        log = Log(tmp_path / "console.log")
        log.write(piece)
        log.close()
    assert (tmp_path / "console.log").read_bytes() == b"one\ntwo\n"


def test_console_cuts_a_listener_that_does_not_listen_and_serves_the_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        machine, line = socket.socketpair()
        machine.setblocking(False)
        console = Console(line, log=tmp_path / "console.log", listen=tmp_path / "console.sock")
        serving = asyncio.ensure_future(console.serve())
        while not (tmp_path / "console.sock").exists():
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_unix_connection(tmp_path / "console.sock")
        deaf = socket.socket(socket.AF_UNIX)
        deaf.connect(str(tmp_path / "console.sock"))
        loop = asyncio.get_running_loop()
        sent = 0
        await loop.sock_sendall(machine, b"x")
        assert await reader.read(1) == b"x"
        while sent < 3 * BACKLOG:
            await loop.sock_sendall(machine, bytes(4096))
            await reader.readexactly(4096)
            sent += 4096
        writer.write(b"keys")
        assert await loop.sock_recv(machine, 4) == b"keys"
        deaf.setblocking(False)
        with contextlib.suppress(ConnectionResetError):  # cut off, after what the kernel had taken for it
            while await loop.sock_recv(deaf, 1 << 20):
                pass
        machine.close()
        await serving
        assert await reader.read() == b""
        writer.close()
        deaf.close()

    asyncio.run(asyncio.wait_for(scenario(), timeout=30))
    assert old(tmp_path / "console.log").stat().st_size > RECENT


def test_console_goes_on_where_the_disk_is_full(tmp_path: Path) -> None:
    async def scenario() -> None:
        machine, line = socket.socketpair()
        machine.setblocking(False)
        (tmp_path / "console.log").symlink_to("/dev/full")
        console = Console(line, log=tmp_path / "console.log", listen=tmp_path / "console.sock")
        serving = asyncio.ensure_future(console.serve())
        while not (tmp_path / "console.sock").exists():
            await asyncio.sleep(0)
        await asyncio.get_running_loop().sock_sendall(machine, b"said")
        reader, writer = await asyncio.open_unix_connection(tmp_path / "console.sock")
        assert await reader.readexactly(4) == b"said"
        machine.close()
        await serving
        writer.close()

    asyncio.run(asyncio.wait_for(scenario(), timeout=30))
