"""No view is forgotten: the tests of the server ask for each address of each section."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice, product
from pathlib import Path

from django.urls import Resolver404, resolve

import server_world

HERE = Path(__file__).parent
PLACE = re.compile(r"\{[^{}]*\}")
MOST = 200  # texts that one literal may make
TRIED = ("1", "a", "atom", "00000000-0000-4000-8000-000000000001")  # what may stand in a place of an address

ELSEWHERE = {  # content/test_feeds.py and test_every_list_has_feeds.py put their addresses together
    *("content:member-feed", "forum:category-feed", "forum:thread-feed", "forum:unanswered-feed"),
    *("blog:blogs-feed", "events:past-feed", "ideas:top-feed", "practices:top-feed", "wiki:orphans-feed"),
}


def addresses() -> Iterator[str]:
    """Return what looks like an address in the tests: literals, with what the names in them stand for, or {}."""
    for path in HERE.rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known: dict[str, set[str]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                known.setdefault(node.targets[0].id, set()).update(_texts(node.value, {}))
        for node in ast.walk(tree):
            for text in _texts(node, known):
                if 1 < len(text) < 200 and not set(text) & set(" \n<"):
                    yield text


def _texts(node: ast.AST, known: Mapping[str, Collection[str]]) -> Collection[str]:
    """Return the texts that a literal may make; none for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        choices = [_texts(part, known) or ["{}"] for part in node.values[:9]]
        return ["".join(parts) for parts in islice(product(*choices), MOST)]
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        return known.get(node.value.id) or ["{}"]
    return []


def asked() -> set[str]:
    """Return the names of the views that some address of the tests leads to."""
    found = set()
    for text in set(addresses()):
        for filler in TRIED:
            path = PLACE.sub(filler, text.partition("?")[0].partition("#")[0])
            for whole in (path, f"/{path}"):
                try:
                    match = resolve(whole)
                except (Resolver404, ValueError):
                    continue
                found.add(f"{match.namespace}:{match.url_name or match.func.__name__}")
    return found


def test_tests_ask_for_every_view() -> None:
    missing = sorted(set(server_world.views()) - asked() - ELSEWHERE)
    assert missing == [], "\n".join(missing)
