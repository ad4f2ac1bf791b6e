import asyncio
import socket

import pytest

from jeos.core.errors import MachineError
from jeos.measure.protocol import End, Fact, Said
from jeos.measure.side import Side


def heard(*pieces: bytes) -> list[Said]:
    """Return what a side hears of pieces, up to the end of them or of the program."""

    async def hear() -> list[Said]:
        ours, theirs = socket.socketpair()
        side = Side("guest", ours)
        found: list[Said] = []
        try:
            for piece in pieces:
                theirs.sendall(piece)
            theirs.close()
            while not isinstance(said := await side.hear(), End):
                found.append(said)
        finally:
            side.close()
        return found

    return asyncio.run(hear())


def test_side_hears_lines_however_they_come() -> None:
    said = b"Linux starts\r\n@ fact kernel 6.12\r\ngo\r\n@ fa", b"ct clock tsc\r\n@ end\r\n"
    assert heard(*said) == [Fact("kernel", "6.12"), Fact("clock", "tsc")]


def test_side_that_ends_shows_what_it_said_last() -> None:
    with pytest.raises(MachineError, match=r"guest ended before its end\n  Kernel panic - not syncing\n"):
        heard(b"Kernel panic - not syncing\r\n")


def test_side_that_fails_says_why() -> None:
    with pytest.raises(MachineError, match="failed: cannot mount /proc"):
        heard(b"@ failed cannot mount /proc\n")


def test_side_is_let_go_on() -> None:
    async def go() -> bytes:
        ours, theirs = socket.socketpair()
        side = Side("host", ours)
        await side.go()
        side.close()
        with theirs:
            return theirs.recv(100)

    assert asyncio.run(go()) == b"go\n"
