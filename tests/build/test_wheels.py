import csv
import io
import tracemalloc
from pathlib import Path

import pytest

from jeos.build.items import Item
from jeos.build.wheels import check_tags, plan, unpack
from jeos.core.errors import InputError
from jeos.model.recipe import Recipe
from tiny_wheels import FILES, INFO, digest, make_wheel

TRIXIE = (3, 13)
PACKAGES = "usr/lib/python3/dist-packages"


def test_wheel_is_unpacked_to_where_debian_looks(tmp_path: Path) -> None:
    make_wheel(tmp_path / "shop-1.0-py3-none-any.whl", FILES)
    recipe = Recipe(name="a", version="1", wheels=("shop-1.0-py3-none-any.whl",))
    found = {item.path: item for item in plan(recipe, folder=tmp_path, python=TRIXIE, work=tmp_path / "work")}
    assert sorted(found) == [
        "usr/bin/shop",
        "usr/bin/shop-admin",
        *(f"{PACKAGES}/{INFO}/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL", "entry_points.txt")),
        f"{PACKAGES}/shop/__init__.py",
        "usr/share/shop/logo.svg",
    ]
    assert found["usr/bin/shop-admin"] == Item(
        "usr/bin/shop-admin", mode=0o755, content=b"#!/usr/bin/python3\nprint('admin')\n"
    )
    assert found["usr/bin/shop"].mode == 0o755
    assert found["usr/bin/shop"].content.startswith(b"#!/usr/bin/python3\n")
    assert b"from shop import main" in found["usr/bin/shop"].content


def test_record_lists_what_was_installed(tmp_path: Path) -> None:
    items = unpack(make_wheel(tmp_path / "shop-1.0-py3-none-any.whl", FILES), python=TRIXIE, work=tmp_path / "work")
    record = next(item for item in items if item.path.endswith("/RECORD"))
    rows = list(csv.reader(io.StringIO(record.content.decode())))
    listed = {name: (hashed, size) for name, hashed, size in rows}
    expected = {}
    for item in items:
        up = "../../../" + item.path.removeprefix("usr/")
        name = item.path.removeprefix(f"{PACKAGES}/") if item.path.startswith(PACKAGES) else up
        expected[name] = (f"sha256={digest(item.content)}", str(len(item.content)))
    expected[f"{INFO}/RECORD"] = ("", "")
    assert listed == expected


def test_large_files_wait_on_the_disk(tmp_path: Path) -> None:
    large = bytes(range(256)) * 8192  # 2 MiB
    wheel = make_wheel(tmp_path / "shop-1.0-py3-none-any.whl", {**FILES, "shop/model.bin": large})
    tracemalloc.start()
    items = unpack(wheel, python=TRIXIE, work=tmp_path / "work")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (found,) = [item for item in items if item.path.endswith("model.bin")]
    assert found.source is not None
    assert found.source.read_bytes() == large
    assert [item.source for item in items if item is not found] == [None] * (len(items) - 1)
    assert list((tmp_path / "work").iterdir()) == [found.source]
    assert peak < len(large)
    record = next(item for item in items if item.path.endswith("/RECORD"))
    assert f"shop/model.bin,sha256={digest(large)},{len(large)}".encode() in record.content


@pytest.mark.parametrize(
    "files",
    [
        {**FILES, "shop/__init__.py": b"changed"},
        {**FILES, "shop/more.py": b"not in the record"},
        {name: data for name, data in FILES.items() if name != "shop/__init__.py"},
        {name: data for name, data in FILES.items() if not name.endswith("/WHEEL")},
    ],
    ids=["changed", "unlisted", "missing", "no WHEEL"],
)
def test_damaged_wheel_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "shop-1.0-py3-none-any.whl", files, record=FILES)
    with pytest.raises(InputError, match="is not a sound wheel"):
        unpack(wheel, python=TRIXIE, work=tmp_path / "work")


def test_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop-1.0-py3-none-any.whl").write_bytes(b"not a zip")
    with pytest.raises(InputError, match="is not a sound wheel: File is not a zip file"):
        unpack(tmp_path / "shop-1.0-py3-none-any.whl", python=TRIXIE, work=tmp_path / "work")


@pytest.mark.parametrize("name", ["../../../etc/shadow", "/etc/shadow"])
def test_wheel_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "shop-1.0-py3-none-any.whl", {**FILES, name: b"x"})
    with pytest.raises(InputError):
        unpack(wheel, python=TRIXIE, work=tmp_path / "work")


@pytest.mark.parametrize(
    "tag",
    [
        "py3-none-any",
        "py2.py3-none-any",
        "py313-none-any",
        "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp38-abi3-manylinux_2_34_x86_64",
        "cp313-none-linux_x86_64",
    ],
)
def test_wheel_for_the_image_fits(tag: str) -> None:
    check_tags(Path(f"shop-1.0-{tag}.whl"), python=TRIXIE)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("shop-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", "is made for cp312"),
        ("shop-1.0-py2-none-any.whl", "is made for py2"),
        ("shop-1.0-cp314-abi3-manylinux_2_17_x86_64.whl", "is made for cp314"),
        ("shop-1.0-cp313-cp313t-manylinux_2_17_x86_64.whl", "needs the binary interface cp313t"),
        ("shop-1.0-cp313-cp313-musllinux_1_2_x86_64.whl", "is made for musllinux_1_2_x86_64"),
        ("shop-1.0-cp313-cp313-manylinux_2_17_aarch64.whl", "is made for manylinux_2_17_aarch64"),
        ("shop-1.0-cp313-cp313-manylinux_2_99_x86_64.whl", "is made for manylinux_2_99_x86_64"),
        ("shop.whl", "is not a wheel's name"),
    ],
)
def test_wheel_for_another_machine_is_refused(name: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        check_tags(Path(name), python=TRIXIE)
