import re
from pathlib import Path

from jeos.measure import kit
from jeos.measure.quantities import BY_NAME, QUANTITIES


def test_program_measures_what_is_listed() -> None:
    folder = Path(kit.__file__).with_name(kit.PROBE)
    found = re.findall(r'name = "([a-z0-9-]+)"', "".join(path.read_text() for path in folder.glob("*.lua")))
    assert sorted(found) == sorted(BY_NAME)
    assert len(QUANTITIES) == len(BY_NAME)


def test_every_quantity_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/overhead.md").read_text()
    assert [one.name for one in QUANTITIES if f"| `{one.name}` |" not in page] == []
