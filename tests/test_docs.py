"""Documentation that must not fall behind: generated pages, settings, errors, decision records, links."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jeos.cli import main as command_line

ROOT = Path(__file__).parent.parent
MARKDOWN = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def generated() -> dict[Path, str]:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts/reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages: dict[Path, str] = module.pages()
    return pages


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse words its help differently in other versions")
def test_generated_pages_are_up_to_date() -> None:
    stale = [str(path) for path, text in generated().items() if (ROOT / path).read_text() != text]
    assert stale == [], "run `make docs`"


def test_every_verb_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/cli.md").read_text()
    assert [verb for verb in command_line.verbs() if f"`jeos {verb}`" not in page] == []


def test_every_environment_variable_is_documented() -> None:
    used = set()
    for path in (ROOT / "src").rglob("*.py"):
        used |= set(re.findall(r"\bJEOS_[A-Z_]+\b", path.read_text()))
    # What users set, and what programs of an appliance are given.
    page = "".join((ROOT / "docs" / name).read_text() for name in ("reference/settings.md", "explanation/updates.md"))
    assert sorted(name for name in used if f"`{name}`" not in page) == []


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


def test_decision_records_are_numbered_without_gaps_and_fit_a_page() -> None:
    records = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    long = [path.name for path in records if len(path.read_text().splitlines()) > 80]
    assert long == []


def test_nothing_names_a_package_host_or_a_path_of_a_machine() -> None:
    forbidden = re.compile(
        r"(deb\.debian|security\.debian|snapshot\.debian|files\.pythonhosted|pypi)\.(org|net)|/root/\.|"
        + re.escape(f"{ROOT}/")  # the checkout's own path, wherever it is
    )
    found = []
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.is_file() and path != Path(__file__) and forbidden.search(path.read_text(errors="replace")):
            found.append(name)
    assert found == []
