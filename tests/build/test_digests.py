"""The keys of caches: another code, another key."""

import ast
from pathlib import Path

import pytest

from jeos.build import boot, digests, layers, unpack


def imported(name: str, *, package: str) -> set[str]:
    """Return the modules of a package that a module of it imports, itself and by others."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        tree = ast.parse(digests.PACKAGE.joinpath(*module.split(".")).with_suffix(".py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == f"jeos.{package}":
                waiting += [f"{package}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"jeos.{package}."):
                waiting.append(str(node.module).removeprefix("jeos."))
    return found


def test_layers_are_made_anew_for_every_module_that_makes_them() -> None:
    assert imported("build.layers", package="build") - set(layers.CODE) == set()


def test_packages_are_unpacked_anew_for_every_module_that_unpacks_them() -> None:
    only_in_the_key = {"build.digests", "build.namespace"}  # the ids that they are unpacked for stand there
    assert imported("build.unpack", package="build") - set(unpack.CODE) == only_in_the_key


def test_initrd_is_made_anew_for_every_module_that_makes_it() -> None:
    assert imported("build.initrd", package="build") - set(boot.INITRD_CODE) == set()


@pytest.mark.parametrize("name", ["build.initrd", "agent", "core.rooted"])
def test_code_has_a_digest(name: str) -> None:
    assert len(digests.of_code(name)) == 64


def test_code_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(FileNotFoundError):
        digests.of_code("build.no_such_module")


def test_other_content_or_name_is_another_digest(tmp_path: Path) -> None:
    for name, text in {"a": "1", "b": "1", "c": "2"}.items():
        (tmp_path / name).write_text(text)
    assert len({digests.of_files([tmp_path / name]) for name in "abc"}) == 3


def test_all_of_a_folder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "PACKAGE", tmp_path)
    (tmp_path / "part/units").mkdir(parents=True)
    (tmp_path / "part/__pycache__").mkdir()
    (tmp_path / "part/units/start.in").write_text("1")
    before = digests.of_code.__wrapped__("part")
    (tmp_path / "part/__pycache__/x.pyc").write_text("1")
    assert digests.of_code.__wrapped__("part") == before
    (tmp_path / "part/units/start.in").write_text("2")
    assert digests.of_code.__wrapped__("part") != before
