"""Properties on a disc, as vSphere puts it into a machine."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.agent import ovf_environment
from jeos.agent.ovf_environment import parse, read_disc

ENVIRONMENT = """<?xml version="1.0" encoding="UTF-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:ve="http://www.vmware.com/schema/ovfenv" oe:id="">
  <PlatformSection><Kind>VMware ESXi</Kind><Version>8.0.2</Version></PlatformSection>
  <PropertySection>
    <Property oe:key="title" oe:value="Tom &amp; &quot;Jerry&quot; &#x2013; caf\u00e9"/>
    <Property oe:key="workers" oe:value="3"></Property>
    <Property oe:value='last' oe:key='order'/>
    <Property oe:key="empty" oe:value=""/>
    <Property oe:key="title" oe:value="a second one"/>
  </PropertySection>
  <ve:EthernetAdapterSection><ve:Adapter ve:mac="00:50:56:00:00:01" ve:network="LAN"/></ve:EthernetAdapterSection>
</Environment>
"""
SET = {"title": 'Tom & "Jerry" \u2013 caf\u00e9', "workers": "3", "order": "last"}


def disc(folder: Path, name: str = "ovf-env.xml", text: str = ENVIRONMENT, *, options: tuple[str, ...] = ()) -> Path:
    """Make a disc as other programs make it."""
    files = folder / "files"
    files.mkdir()
    for number in range(60):  # enough records for a second sector of the root directory
        (files / f"AAAA{number:04}.TXT").write_text("another file")
    (files / name).write_text(text)
    path = folder / "disc.iso"
    subprocess.run(["genisoimage", "-quiet", "-V", "OVF ENV", *options, "-o", path, files], check=True)
    return path


@pytest.mark.parametrize("name", ["ovf-env.xml", "OVF_ENV.XML"])
@pytest.mark.parametrize("options", [(), ("-R", "-J"), ("-relaxed-filenames", "-allow-lowercase")])
def test_disc_gives_its_properties(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    assert parse(read_disc(str(disc(tmp_path, name, options=options)))) == SET


def test_disc_without_an_environment_gives_nothing(tmp_path: Path) -> None:
    assert read_disc(str(disc(tmp_path, "other.xml"))) == ""
    assert read_disc(str(tmp_path / "none")) == ""
    (tmp_path / "blank").write_bytes(bytes(100_000))
    assert read_disc(str(tmp_path / "blank")) == ""


@pytest.mark.parametrize(("vendor", "expected"), [("VMware, Inc.\n", SET), ("QEMU\n", {}), (None, {})])
def test_read_looks_only_on_vmware(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: str | None, expected: dict[str, str]
) -> None:
    if vendor:
        (tmp_path / "vendor").write_text(vendor)
    monkeypatch.setattr(ovf_environment, "VENDOR", str(tmp_path / "vendor"))
    monkeypatch.setattr(ovf_environment, "DRIVES", (str(tmp_path / "no-drive"), str(disc(tmp_path))))
    monkeypatch.setattr(ovf_environment, "SETTLE_SECONDS", 0)
    assert ovf_environment.read() == expected


def test_read_without_a_drive_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vendor").write_text("VMware, Inc.\n")
    monkeypatch.setattr(ovf_environment, "VENDOR", str(tmp_path / "vendor"))
    monkeypatch.setattr(ovf_environment, "DRIVES", (str(tmp_path / "no-drive"),))
    monkeypatch.setattr(ovf_environment, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(ovf_environment, "WAIT_SECONDS", 1e9)
    assert ovf_environment.read() == {}


@given(st.text(max_size=300))
def test_parse_of_anything_gives_words(text: str) -> None:
    for key, value in parse(f"<Property {text}>").items():
        assert key
        assert value


@given(st.integers(0, 2**22), st.binary(max_size=64))
def test_disc_that_is_damaged_is_read_or_not(
    tmp_path_factory: pytest.TempPathFactory, place: int, damage: bytes
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "disc"
    content = bytearray(40 * 2048)
    content[32768:32774] = b"\x01CD001"
    content[32768 + 158 : 32768 + 162] = (20).to_bytes(4, "little")
    content[32768 + 166 : 32768 + 170] = (4096).to_bytes(4, "little")
    start = place % len(content)
    content[start : start + len(damage)] = damage
    path.write_bytes(content)
    assert isinstance(read_disc(str(path)), str)
