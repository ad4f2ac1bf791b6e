import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jeos.build import overlay
from namespaces import call, ordinary_user

pytestmark = pytest.mark.root


def listing(folder: Path) -> dict[str, str]:
    """Return what is in a folder: the text of files, and the modes of folders."""
    return {
        str(path.relative_to(folder)): oct(path.stat().st_mode) if path.is_dir() else path.read_text()
        for path in sorted(folder.rglob("*"))
    }


def changed(work: Callable[[Path], object], lower: list[Path], scratch: Path) -> dict[str, str]:
    """Change the mounted whole, merge the change into the first folder and check that the whole is as it was seen."""
    with overlay.mounted(lower, scratch=scratch / "one") as root:
        work(root)
        seen = listing(root)
    overlay.merge(scratch / "one/upper", into=lower[0], below=lower[1:])
    with overlay.mounted(lower, scratch=scratch / "two") as root:
        assert listing(root) == seen
    return seen


def fill(folder: Path, names: str) -> None:
    for name in names.split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def every_change(root: Path) -> None:
    """Do to a tree what maintainer scripts may do."""
    (root / "top/new").write_text("new")
    (root / "top/changed").write_text("changed")
    (root / "low/changed").write_text("changed")
    (root / "top/gone").unlink()
    (root / "low/gone").unlink()
    (root / "low/folder/inner").unlink()
    (root / "low/folder").rmdir()
    (root / "low/folder").mkdir()
    (root / "low/folder/other").write_text("other")
    (root / "both").chmod(0o700)
    (root / "low/moved").rename(root / "top/moved")
    (root / "top/file").unlink()
    (root / "top/file").mkdir()
    os.symlink("nowhere", root / "top/file/link")
    os.unlink(root / "top/file/link")


def changes(folder: Path) -> tuple[dict[str, str], list[str]]:
    top, low = folder / "top-layer", folder / "low-layer"
    fill(top, "top/changed top/gone top/file both/a")
    fill(low, "low/changed low/gone low/folder/inner low/folder/second low/moved both/b")
    (low / "low/folder/second").unlink()
    before = listing(low)
    seen = changed(every_change, [top, low], folder / "scratch")
    assert listing(low) == before
    left = [
        name for path in top.rglob("*") for name in os.listxattr(path, follow_symlinks=False) if "opaque" not in name
    ]
    return seen, left


def test_merged_layer_shows_what_the_mount_showed(tmp_path: Path) -> None:
    seen, left = call(lambda: changes(tmp_path))
    assert left == []
    assert {path: text for path, text in seen.items() if not text.startswith("0o")} == {
        "both/a": "both/a",
        "both/b": "both/b",
        "low/changed": "changed",
        "low/folder/other": "other",
        "top/changed": "changed",
        "top/moved": "low/moved",
        "top/new": "new",
    }
    assert seen["both"] == "0o40700"


def test_merged_layer_of_an_ordinary_user() -> None:
    with ordinary_user() as user:
        seen, left = call(lambda: changes(Path(f"/home/{user}")), user=user)
    assert (seen["low/folder/other"], left) == ("other", [])


KINDS = ["write", "remove", "rmtree", "mkdir", "move"]
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from("abc"), st.sampled_from("abc")),
    max_size=8,
)


def operate(root: Path, operations: list[tuple[str, str, str]]) -> None:
    for kind, one, other in operations:
        path, target = root / one / other, root / other / one
        try:
            if kind == "write":
                path.write_text(f"{one}{other}")
            elif kind == "remove":
                path.unlink()
            elif kind == "mkdir":
                (root / one).mkdir()
            elif kind == "move":
                path.rename(target)
            else:
                for inner in (root / one).iterdir():
                    inner.unlink()
                (root / one).rmdir()
        except OSError:
            continue


@given(first=OPERATIONS, second=OPERATIONS, lower=st.sets(st.sampled_from(["a/a", "a/b", "b/a", "c/c", "b/c"])))
@example(first=[("rmtree", "c", "a"), ("mkdir", "c", "a")], second=[("write", "c", "a")], lower={"c/c"})
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_two_changes_merge(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[str, str, str]],
    second: list[tuple[str, str, str]],
    lower: set[str],
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    top, low = folder / "top", folder / "low"
    top.mkdir()
    low.mkdir()
    fill(low, " ".join(sorted(lower)))

    def work() -> None:
        changed(lambda root: operate(root, first), [top, low], folder / "scratch1")
        changed(lambda root: operate(root, second), [top, low], folder / "scratch2")

    call(work)
