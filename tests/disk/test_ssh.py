"""Disks of another machine, read from an OpenSSH server on the loopback device."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.core.errors import InputError, NetworkError, UsageError
from jeos.disk import blocks, ssh
from ssh_server import SshServer, ssh_server

MEBIBYTE = 1 << 20
SIZE = 9 * MEBIBYTE + 1234  # not a multiple of what is fetched at once


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("ssh") / "server") as found:
        yield found


@pytest.fixture(scope="module")
def content() -> bytes:
    chance = random.Random(4)
    return b"".join(bytes(MEBIBYTE) if part % 3 else chance.randbytes(MEBIBYTE) for part in range(9)) + b"e" * 1234


@pytest.fixture
def disk(tmp_path: Path, content: bytes, server: SshServer) -> Iterator[ssh.Ssh]:
    place = tmp_path / "a disk's $(name)"  # a name that a shell would read otherwise
    place.write_bytes(content)
    with ssh.Ssh(ssh.Place(host="127.0.0.1", path=str(place), port=server.port), options=server.options) as found:
        yield found


def test_disk_read_anywhere(disk: ssh.Ssh, content: bytes) -> None:
    assert disk.size == SIZE
    chance = random.Random(5)
    for _ in range(60):
        offset = chance.randrange(SIZE)
        length = min(chance.choice((0, 1, 512, 4097, 300_000, 2_000_000)), SIZE - offset)
        assert disk.read(offset, length) == content[offset : offset + length]
    with pytest.raises(InputError, match="does not reach to byte"):
        disk.read(SIZE - 1, 2)


def test_disk_read_in_order(disk: ssh.Ssh, content: bytes) -> None:
    found = bytearray(SIZE)
    for offset, piece in blocks.pieces(disk):
        found[offset : offset + len(piece)] = piece
    assert bytes(found) == content
    # And again, with reads elsewhere in between, which must not disturb the stream.
    for offset in range(0, SIZE, MEBIBYTE):
        length = min(MEBIBYTE, SIZE - offset)
        assert disk.read(offset, length) == content[offset : offset + length]
        assert disk.read(77, 5) == content[77:82]


@pytest.mark.parametrize("packer", ["none", "gzip", "zstd"])
def test_disk_streamed_by_every_packer(disk: ssh.Ssh, content: bytes, packer: str) -> None:
    disk._packer = packer
    assert b"".join(disk.read(start, min(MEBIBYTE, SIZE - start)) for start in range(0, SIZE, MEBIBYTE)) == content


def test_disk_that_is_not_there(tmp_path: Path, server: SshServer) -> None:
    with pytest.raises(InputError, match=r"cannot be read\n  there is no .*/missing"):
        ssh.Ssh(ssh.parse(server.address(tmp_path / "missing")), options=server.options)


def test_host_key_that_is_not_known(tmp_path: Path, server: SshServer) -> None:
    (tmp_path / "disk").write_bytes(bytes(512))
    (tmp_path / "known").write_bytes(b"")
    options = (server.options[0], f"UserKnownHostsFile={tmp_path / 'known'}")
    with pytest.raises(NetworkError, match="Host key verification failed"):
        ssh.Ssh(ssh.parse(server.address(tmp_path / "disk")), options=options)


def test_server_that_is_gone(tmp_path: Path) -> None:
    with ssh_server(tmp_path / "server") as server:
        address = server.address(tmp_path)
    with pytest.raises(NetworkError, match="Connection refused"):
        ssh.Ssh(ssh.parse(address), options=server.options)


def test_device_that_ends_early(disk: ssh.Ssh) -> None:
    Path(disk.place.path).write_bytes(bytes(4096))
    with pytest.raises(InputError, match="cannot be read"):
        disk.read(5 * MEBIBYTE, 512)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ssh://root@old-host/dev/sda", ssh.Place("old-host", "/dev/sda", user="root")),
        ("ssh://old.example:2222/dev/disk/by-id/a%20b", ssh.Place("old.example", "/dev/disk/by-id/a b", port=2222)),
        ("ssh://[2001:db8::1]:22/x", ssh.Place("2001:db8::1", "/x", port=22)),
    ],
)
def test_address(text: str, place: ssh.Place) -> None:
    assert ssh.parse(text) == place


@pytest.mark.parametrize(
    "text",
    ["ssh://", "ssh://host", "ssh://-oProxyCommand=x/dev/sda", "ssh://h:99999/d", "ssh://h/a%0Ab", "ssh://a b/c"],
)
def test_address_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="is not a disk of another machine"):
        ssh.parse(text)


def test_command_cannot_be_led_astray() -> None:
    words = ssh.command(
        ssh.Place("host", "/dev/sda; reboot", user="me", port=7), "exit", options=["A=b"], terminal=False
    )
    assert words[:7] == ["ssh", "-T", "-x", "-a", "-o", "A=b", "-o"]
    assert words[-7:] == ["-p", "7", "-l", "me", "--", "host", "sh -c exit sh '/dev/sda; reboot'"]
