"""`jeos overhead` as users start it: one program here and in an emulated guest, and all that is shown of it."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from jeos.measure.quantities import QUANTITIES
from jeos_command import Jeos

pytestmark = [pytest.mark.network, pytest.mark.vm]


def test_overhead_is_measured_on_both_sides_and_leaves_nothing(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    picture = tmp_path / "overhead.svg"
    done = jeos.run("overhead", tiny, "--quick", "--accel", "tcg", "--json", "--svg", picture)
    report = json.loads(done.stdout)
    assert [result["name"] for result in report["results"]] == [one.name for one in QUANTITIES]
    lacking = {result["name"]: result["lacks"] for result in report["results"] if result["lacks"]}
    lacking.pop("memory-2m", None)  # this host's kernel may have no pages of 2 MiB
    assert lacking == {}
    assert report["accelerator"] == {"kind": "tcg", "reason": "asked for", "paging": "software"}
    for result in report["results"]:
        for side in (result["host"], result["guest"]):
            if side is not None:
                assert 0 < side["least"] <= side["nanoseconds"] <= side["median"], result["name"]
        assert result["costs"].get("processor", 0) > 0, result["name"]
    # What its own pages tell: each touched page was a fault, no system call was.
    faults = {result["name"]: (result["host"]["faults"], result["guest"]["faults"]) for result in report["results"][:4]}
    assert all(0.99 <= count < 1.1 for name in ("page-fault", "first-fault") for count in faults[name])
    assert all(count < 0.1 for name in ("arithmetic", "system-call") for count in faults[name])
    assert ElementTree.parse(picture).getroot().attrib["role"] == "img"
    assert list((jeos.state / "overhead").iterdir()) == []
