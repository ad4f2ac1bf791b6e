"""The files of a build: written, found again, and refused when they are something else."""

import json
import os
from pathlib import Path

import pytest

from jeos.build import outputs
from jeos.core.errors import InputError
from jeos.model import report as report_text
from jeos.model.image import Image, Partition, Port
from jeos.model.report import PackageSize, Report, RuleGain, StageUse

IMAGE = Image(
    name="web",
    version="1.0",
    vendor="",
    architecture="amd64",
    disk="web_1.0.img",
    kernel="web_1.0.efi",
    sbom="web_1.0.cdx.json",
    tree="web_1.0.tree.jsonl",
    report="web_1.0.report.json",
    root_hash="ab" * 32,
    disk_size=1 << 30,
    system_size=4096,
    verity_size=4096,
    kernel_size=1,
    partitions=(Partition(number=1, label="esp", type="t", uuid="u", start=0, size=1),),
    ports=(Port(guest=80),),
    memory=512,
    cpus=1,
)
REPORT = Report(
    name="web",
    version="1.0",
    key="k",
    inputs={"lock": "l"},
    packages=(PackageSize("nginx", "1", 2, 3),),
    rules=(RuleGain("manuals", "why", 1, 1),),
    stages=(StageUse("base", True, "same packages"),),
    tree_size=1,
    files=1,
    system_size=1,
    kernel_size=1,
    initrd_size=1,
)


def test_image_and_report_round_trip() -> None:
    assert outputs.parse_image(outputs.dump_image(IMAGE), source="x") == IMAGE
    assert report_text.parse(report_text.dump(REPORT), source="x") == REPORT


def test_licence_that_is_elsewhere_is_refused() -> None:
    for name in ("../EULA", "/etc/shadow", 7):
        text = json.dumps({**json.loads(outputs.dump_image(IMAGE)), "eula": name})
        with pytest.raises(InputError, match="x does not describe an image of this jeos"):
            outputs.parse_image(text, source="x")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "7"])
def test_image_that_names_files_elsewhere_is_refused(name: str) -> None:
    text = outputs.dump_image(IMAGE).replace('"web_1.0.img"', name if name == "7" else f'"{name}"')
    with pytest.raises(InputError) as caught:
        outputs.parse_image(text, source="x")
    assert caught.value.message == "x does not describe an image of this jeos"


def test_find_takes_the_build_that_is_newest(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    for age, version in ((100, "1.0"), (50, "1.1")):
        path = folder / f"web_{version}.json"
        path.write_text(outputs.dump_image(IMAGE).replace('"version": "1.0"', f'"version": "{version}"'))
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    (folder / "web_1.1.cdx.json").write_text("{}")
    assert outputs.find(tmp_path).image.version == "1.1"
    assert outputs.find(folder / "web_1.0.json").disk == folder / "web_1.0.img"


def test_find_where_nothing_was_built_says_how_to(tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").touch()
    with pytest.raises(InputError) as caught:
        outputs.find(tmp_path)
    assert caught.value.message == f"{tmp_path}/appliance.toml has not been built yet"
    assert caught.value.hint == f"run `jeos build {tmp_path}` first"


def test_find_where_no_recipe_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no appliance.toml in"):
        outputs.find(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"name": "web"}', "null", '{"partitions": [], "ports": []}'])
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        outputs.parse_image(text, source="x")
    with pytest.raises(InputError):
        report_text.parse(text, source="x")
