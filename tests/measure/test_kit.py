import re
import subprocess
from pathlib import Path

import pytest

from elf_files import module
from jeos.core.errors import InputError
from jeos.disk import initramfs
from jeos.measure import kit
from jeos.measure.kit import Kit, Value
from jeos.model.machine import Boot, Machine

SCRIPTS = sorted(Path(kit.__file__).with_name(kit.PROBE).glob("*.lua"))
SETTINGS: dict[str, Value] = {"slice": 4e6, "peer": 'a "b" \\ c', "guest": True, "drivers": ("x", "y"), "port": 80}


def test_settings_become_a_lua_table() -> None:
    assert kit.lua_table(SETTINGS) == (
        "return {\n"
        "  slice = 4000000.0,\n"
        '  peer = "a \\"b\\" \\\\ c",\n'
        "  guest = true,\n"
        '  drivers = { "x", "y" },\n'
        "  port = 80,\n"
        "}\n"
    )
    with pytest.raises(ValueError, match="more than one line"):
        kit.lua_table({"peer": "a\nb"})


def test_modules_come_behind_what_they_need() -> None:
    modules = {
        "virtio_net": module(depends="net_failover,virtio"),
        "net-failover": module(),
        "net_failover": module(depends="failover"),
        "failover": module(),
        "virtio_blk": module(),
    }
    found = kit.in_order(("virtio_pci", "virtio_blk", "virtio_net"), modules)
    assert list(found) == ["virtio_blk", "failover", "net_failover", "virtio_net"]


def test_initrd_is_one_that_cpio_reads(tmp_path: Path) -> None:
    made = Kit(program={"usr/bin/luajit": b"l", "lib64/ld-linux-x86-64.so.2": b"d"}, drivers={"virtio_net": b"m"})
    archive = made.initrd({"slice": 1})
    listed = subprocess.run(["cpio", "-t", "--quiet"], input=archive, capture_output=True, check=True).stdout.decode()
    folders = ["dev", "init", "lib64", "probe", "usr", "usr/bin"]
    files = ["lib64/ld-linux-x86-64.so.2", "probe/settings.lua", "probe/virtio_net.ko", "usr/bin/luajit"]
    assert sorted(listed.split()) == sorted([*folders, *files, *(f"probe/{one.name}" for one in SCRIPTS)])
    found = initramfs.read(archive, wanted=lambda path: True).files
    assert found["init"] == (SCRIPTS[0].parent / "guest.lua").read_bytes()
    assert (
        found["probe/settings.lua"] == b'return {\n  slice = 1,\n  guest = true,\n  drivers = { "virtio_net.ko" },\n}\n'
    )


def test_host_runs_the_appliances_own_linker(tmp_path: Path) -> None:
    made = Kit(
        program={"usr/bin/luajit": b"l", "lib64/ld-linux-x86-64.so.2": b"d", "usr/lib/x/libc.so.6": b"c"}, drivers={}
    )
    made.lay_out(tmp_path, {"slice": 1})
    assert made.command(tmp_path) == [
        f"{tmp_path}/lib64/ld-linux-x86-64.so.2",
        "--library-path",
        f"{tmp_path}/usr/lib/x",
        f"{tmp_path}/usr/bin/luajit",
        f"{tmp_path}/probe/host.lua",
        f"{tmp_path}/probe",
    ]
    assert (tmp_path / "usr/bin/luajit").read_bytes() == b"l"
    assert (tmp_path / "usr/bin/luajit").stat().st_mode & 0o777 == 0o755


def test_initrd_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "initrd").write_bytes(initramfs.archive({"init": b"#!/bin/sh"}))
    machine = Machine(name="other", disk="", boot=Boot.DIRECT, initrd=str(tmp_path / "initrd"))
    with pytest.raises(InputError, match=r"the initrd of other has no usr/bin/luajit for x86-64"):
        kit.read_kit(machine)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_call_nothing_of_the_library_that_is_left_out(script: Path) -> None:
    """Hold the scripts to what LuaJIT does without libm, which an appliance's initrd does not have."""
    code = re.sub(r'--.*|"(?:\\.|[^"\\])*"', "", script.read_text())
    assert "^" not in code
    assert set(re.findall(r"math\.(\w+)", code)) <= {"ceil", "floor", "max", "min"}
