"""Which drivers of the disc fit which Windows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import virtio_disc
from jeos.convert import virtio_win
from jeos.convert.windows import Windows

SERVER = Windows(
    title="Windows Server 2022 Standard",
    edition="ServerStandard",
    kind="Server",
    version=(10, 0),
    build=(20348, 0),
    architecture="amd64",
    hostname="",
    control_set="ControlSet001",
)
CLIENT = replace(SERVER, title="Windows 11 Pro", kind="Client")


@pytest.mark.parametrize(
    ("windows", "version", "build", "folders"),
    [
        (SERVER, (10, 0), 26100, ("2k25", "2k22", "2k19", "2k16", "w10")),
        (SERVER, (10, 0), 20348, ("2k22", "2k19", "2k16", "w10")),
        (SERVER, (10, 0), 17763, ("2k19", "2k16", "w10")),
        (SERVER, (10, 0), 14393, ("2k16", "w10")),
        (SERVER, (6, 3), 9600, ("2k12R2", "w8.1")),
        (SERVER, (6, 1), 7601, ("2k8R2", "w7")),
        (SERVER, (6, 0), 6003, ()),
        (CLIENT, (10, 0), 22631, ("w11", "w10")),
        (CLIENT, (10, 0), 19045, ("w10",)),
        (CLIENT, (6, 1), 7601, ("w7",)),
        (CLIENT, (5, 1), 2600, ()),
    ],
)
def test_releases_are_the_version_and_older_ones(
    windows: Windows, version: tuple[int, int], build: int, folders: tuple[str, ...]
) -> None:
    assert virtio_win.releases(replace(windows, version=version, build=(build, 0))) == folders


@pytest.mark.parametrize(
    ("signer", "names"),
    [
        (b"Microsoft Code Verification Root", True),
        (b"Microsoft Windows Hardware Compatibility Publisher", True),
        (virtio_disc.VENDOR, False),
    ],
)
def test_names_microsoft_reads_the_certificates(signer: bytes, names: bool) -> None:
    assert virtio_win.names_microsoft(virtio_disc.driver("x", signer=signer)) is names


def test_names_microsoft_looks_nowhere_else() -> None:
    assert not virtio_win.names_microsoft(virtio_disc.driver("x", signer=b"?") + virtio_disc.MICROSOFT)
    assert not virtio_win.names_microsoft(virtio_disc.MICROSOFT)


@given(st.binary(max_size=400))
def test_names_microsoft_takes_any_bytes(driver: bytes) -> None:
    assert not virtio_win.names_microsoft(b"MZ" + driver)
