import re
from pathlib import Path

import pytest

from jeos.model.recipe_text import parse

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```toml\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/how-to/*.md")), *sorted(ROOT.glob("docs/tutorials/*.md"))]
BLOCKS = [
    pytest.param(match[1], id=f"{page.stem}-{number}")
    for page in PAGES
    if page.exists()
    for number, match in enumerate(BLOCK.finditer(page.read_text()), start=1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_recipe_in_the_documentation_is_sound(block: str) -> None:
    top = re.split(r"^\[", block, flags=re.MULTILINE)[0]
    names = "" if re.search(r"^name = ", top, re.MULTILINE) else 'name = "a"\nversion = "1"\n'
    assert parse(names + block, source="documentation")
