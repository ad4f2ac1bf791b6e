"""Hives that hivex writes, read by our reader; what we set, read by hivexregedit; and hives that are none."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hives
from jeos.core.errors import InputError
from jeos.disk import blocks, hive_edit
from jeos.disk.hive import BINARY, Hive, Key, Value
from jeos.disk.hive_edit import Keys, expanded, number, reg_text, text, texts

REG = r"""
[HIVE\Select]
"Current"=dword:00000001

[HIVE\ControlSet001\Services\disk]
"Start"=dword:00000000
"ImagePath"=str(2):"system32\\drivers\\disk.sys"
"Group"="SCSI Class"
"Depends"=hex(7):41,00,00,00,42,00,00,00,00,00
@="default"
"Tick"=hex(b):01,00,00,00,00,00,00,80
"Big"=hex(5):00,00,01,00

"""
MANY = "".join(f'[HIVE\\Many\\Key number {n:04}]\n"Number"=dword:{n:08x}\n\n' for n in range(2500))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hives.make(tmp_path_factory.mktemp("hive") / "SYSTEM", REG + MANY)


def test_empty_hive_is_read_by_hivexregedit(tmp_path: Path) -> None:
    path = tmp_path / "hive"
    path.write_bytes(hives.empty())
    assert hives.export(path) == "Windows Registry Editor Version 5.00\n\n[\\]\n\n"


def test_key_returns_what_hivex_wrote(made: Path) -> None:
    with blocks.File(made) as file:
        hive = Hive(file)
        assert hive.clean
        assert [key.name for key in hive.root().subkeys()] == ["ControlSet001", "Many", "Select"]
        key = hive.key("controlset001\\SERVICES\\Disk")
        assert key is not None
        assert key.name == "disk"
        assert key.number("start") == 0
        assert key.text("ImagePath") == "system32\\drivers\\disk.sys"
        assert key.text("Group") == "SCSI Class"
        assert key.texts("Depends") == ("A", "B")
        assert key.text("") == "default"
        assert key.number("Tick") == (1 << 63) + 1
        assert key.number("Big") == 256
        assert (key.number("Group"), key.text("Start"), key.value("nothing")) == (None, "", None)
        assert hive.key("ControlSet001\\nothing\\more") is None


def test_many_keys_are_all_found(made: Path) -> None:
    with blocks.File(made) as file:
        many = Hive(file).key("Many")
        assert many is not None
        assert {key.name: key.number("Number") for key in many.subkeys()} == {
            f"Key number {n:04}": n for n in range(2500)
        }


def test_merge_keeps_what_is_there_and_hivexregedit_reads_the_rest(tmp_path: Path) -> None:
    path = hives.make(tmp_path / "SYSTEM", REG)
    large = bytes(range(256)) * 60
    hive_edit.merge(
        path,
        [
            Keys("ControlSet001\\Services\\disk", (number("Start", 3),)),
            Keys("controlset001\\services\\New one\\Parameters"),
            Keys("ControlSet001\\Services\\New one", (text("Group", 'a "b" \\c'), texts("List", "x", "y"))),
            Keys("Setup", (expanded("CmdLine", "%SystemRoot%\\x"), Value("Raw", BINARY, large), text("", "top"))),
        ],
    )
    assert hives.export(path, "\\Setup").splitlines()[2:] == [
        "[\\Setup]",
        '@=str(1):"top"',
        '"CmdLine"=str(2):"%SystemRoot%\\x"',
        '"Raw"=hex(3):' + large.hex(","),
        "",
    ]
    with blocks.File(path) as file:
        hive = Hive(file)
        disk = hive.key("ControlSet001\\Services\\disk")
        assert disk is not None
        assert (disk.number("Start"), disk.text("Group")) == (3, "SCSI Class")
        new = hive.key("ControlSet001\\Services\\New one")
        assert new is not None
        assert (new.text("Group"), new.texts("List")) == ('a "b" \\c', ("x", "y"))
        assert [key.name for key in new.subkeys()] == ["Parameters"]


def test_merge_refuses_what_is_no_hive(tmp_path: Path) -> None:
    path = tmp_path / "SYSTEM"
    path.write_bytes(b"MZ" * 4000)
    with pytest.raises(InputError, match="does not start as one"):
        hive_edit.merge(path, [Keys("Setup")])


def test_reg_text_names_the_keys_above() -> None:
    assert reg_text([Keys("A\\B\\C", (number("n", 1),)), Keys("a\\b\\D")]) == (
        "Windows Registry Editor Version 5.00\n\n[HIVE\\A]\n\n[HIVE\\A\\B]\n\n[HIVE\\A\\B\\C]\n"
        '"n"=hex(4):01,00,00,00\n\n[HIVE\\a\\b\\D]\n'
    )


def test_large_value_is_put_together_from_pieces() -> None:
    """hivex writes no values in pieces (a "db" cell); Windows does, for what is larger than 16,344 bytes."""
    data = bytes(n % 251 for n in range(40_000))
    hive = bytearray(hives.empty()) + bytes(60_000)
    struct.pack_into("<I", hive, 0x28, len(hive) - 4096)

    def put(place: int, content: bytes) -> int:
        struct.pack_into("<i", hive, 4096 + place, -(-(-(len(content) + 4) // 8) * 8))
        hive[4096 + place + 4 : 4096 + place + 4 + len(content)] = content
        return place

    pieces = [put(8192 + n * 16384, data[n * 16344 : (n + 1) * 16344] + bytes(4)) for n in range(3)]
    listed = put(4096, struct.pack("<3I", *pieces))
    large = put(4200, b"db" + struct.pack("<HI", 3, listed))
    cell = b"vk" + struct.pack("<HIIIHH", 3, len(data), large, BINARY, 1, 0) + b"Big"
    assert Hive(blocks.Memory(hive)).value(cell) == Value("Big", BINARY, data)


def test_lists_of_one_list_end() -> None:
    """A list of 60,000 lists that are all one list of 60,000 keys stands for more keys than can ever be read."""
    hive = bytearray(hives.empty()) + bytes(1 << 20)
    struct.pack_into("<I", hive, 0x28, len(hive) - 4096)
    root = struct.unpack_from("<I", hive, 0x24)[0]
    for place, kind, item in ((8192, b"lf", root), (1 << 19, b"ri", 8192)):
        step = 8 if kind == b"lf" else 4
        struct.pack_into("<i2sH", hive, 4096 + place, -(8 + 60_000 * step), kind, 60_000)
        for entry in range(60_000):
            struct.pack_into("<I", hive, 4096 + place + 8 + entry * step, item)
    key = bytearray(hive[4096 + root + 4 : 4096 + root + 4 + 0x50])
    struct.pack_into("<I", key, 0x14, 1 << 31)
    struct.pack_into("<I", key, 0x1C, 1 << 19)
    with pytest.raises(InputError, match="more keys than fit"):
        list(Key(Hive(blocks.Memory(hive)), bytes(key)).subkeys())


def test_values_of_one_value_end() -> None:
    hive = bytearray(hives.empty()) + bytes(2 << 20)
    struct.pack_into("<I", hive, 0x28, len(hive) - 4096)
    root = struct.unpack_from("<I", hive, 0x24)[0]
    struct.pack_into("<i", hive, 4096 + (1 << 20), -(1 << 20))
    value = b"vk" + struct.pack("<HIIIHH", 1, 1 << 19, 1 << 20, BINARY, 1, 0) + b"x"
    struct.pack_into("<i", hive, 4096 + 8192, -32)
    hive[4096 + 8196 : 4096 + 8196 + len(value)] = value
    struct.pack_into("<i", hive, 4096 + 16384, -(8 + 4 * 100_000))
    struct.pack_into(f"<{100_000}I", hive, 4096 + 16388, *[8192] * 100_000)
    key = bytearray(hive[4096 + root + 4 : 4096 + root + 4 + 0x50])
    struct.pack_into("<II", key, 0x24, 100_000, 16384)
    made_key = Key(Hive(blocks.Memory(hive)), bytes(key))
    assert made_key.value("y") is None
    with pytest.raises(InputError, match="larger values than fit"):
        list(made_key.values())


def walk(key: Key, budget: list[int]) -> None:
    budget[0] -= 1
    list(key.values())
    for below in key.subkeys():
        if budget[0] < 0:
            return
        walk(below, budget)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_hives_end_in_an_error(made: Path, data: st.DataObject) -> None:
    changed = bytearray(made.read_bytes()[:24_576])
    for place in data.draw(
        st.lists(st.integers(0, len(changed) - 1) | st.integers(4096, 8192), min_size=1, max_size=8)
    ):
        changed[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError, RecursionError):
        walk(Hive(blocks.Memory(changed)).root(), [500])
