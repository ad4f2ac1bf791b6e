"""Links in a root stay in it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.core.rooted import place


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("plain/file", "plain/file"),
        ("not/there", "not/there"),
        ("up", "secret"),
        ("absolute/file", "plain/file"),
        ("absolute/../plain", "plain"),
        ("chain/file", "plain/file"),
        ("../../plain/./file", "plain/file"),
        ("out/passwd", "etc/passwd"),
        ("", ""),
    ],
)
def test_place_follows_links_inside_the_root(tmp_path: Path, name: str, where: str) -> None:
    root = tmp_path / "root"
    (root / "plain").mkdir(parents=True)
    (root / "plain/file").write_text("in")
    (tmp_path / "secret").write_text("out")
    for link, target in {"up": "../secret", "absolute": "/plain", "chain": "absolute/.", "out": "/../etc"}.items():
        (root / link).symlink_to(target)
    assert place(root, name) == root / where


def test_place_refuses_circles(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("/a")
    with pytest.raises(InputError) as caught:
        place(tmp_path, "a/x")
    assert caught.value.message == "the links at /a/x go round in a circle"


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["..", "/", "a", "/a/../..", "b/../../x", "."]), min_size=1, max_size=4), st.data())
def test_no_path_leaves_the_root(
    tmp_path_factory: pytest.TempPathFactory, targets: list[str], data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("root")
    for number, target in enumerate(targets):
        (root / f"l{number}").symlink_to(target)
    parts = data.draw(st.lists(st.sampled_from(["..", "a", *(f"l{n}" for n in range(len(targets)))]), max_size=6))
    try:
        found = place(root, "/".join(parts))
    except InputError:
        return
    assert found.is_relative_to(root)
    assert ".." not in found.relative_to(root).parts
    assert found.resolve() == found
