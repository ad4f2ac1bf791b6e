from collections.abc import Mapping
from pathlib import Path

from jeos.build.order import Packages, batches
from jeos.build.unpack import Unpacked


def package(folder: Path, name: str, *, scripts: str = "", **fields: str) -> Unpacked:
    """Return a package that is nothing but its control file and scripts ("preinst postinst")."""
    control = folder / name / "control"
    control.mkdir(parents=True)
    values = {"Package": name} | {key.replace("_", "-"): value for key, value in fields.items()}
    (control / "control").write_text("".join(f"{key}: {value}\n" for key, value in values.items()))
    for script in scripts.split():
        (control / script).touch()
    return Unpacked(folder / name)


def names(folder: Path, described: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    packages = [package(folder, name, **fields) for name, fields in described.items()]
    return [[one.name for one in batch] for batch in batches(packages)]


def test_package_comes_after_what_it_needs(tmp_path: Path) -> None:
    found = {"a": {"Depends": "c (>= 1), x | b"}, "b": {"Depends": "v"}, "c": {}, "d": {"Provides": "v, w (= 2)"}}
    assert names(tmp_path, found) == [["c", "d", "b", "a"]]


def test_circle_is_opened(tmp_path: Path) -> None:
    assert names(tmp_path, {"a": {"Depends": "b"}, "b": {"Depends": "a"}}) == [["b", "a"]]


def test_essential_packages_and_their_needs_come_first(tmp_path: Path) -> None:
    found = {
        "app": {"Depends": "lib"},
        "base-files": {"Essential": "yes", "Pre_Depends": "awk"},
        "base-passwd": {"Essential": "yes", "Depends": "lib"},
        "lib": {},
        "mawk": {"Provides": "awk"},
        "zip": {"Essential": "yes"},
    }
    assert names(tmp_path, found) == [["lib", "base-passwd", "mawk", "base-files", "zip"], ["app"]]


def test_what_a_preinst_relies_on_is_configured_before(tmp_path: Path) -> None:
    found = {
        "a": {"scripts": "preinst", "Pre_Depends": "users"},
        "b": {},
        "lib": {},
        "users": {"scripts": "postinst", "Depends": "lib"},
    }
    assert names(tmp_path, found) == [["lib", "users"], ["a", "b"]]


def test_library_that_needs_no_configuration_makes_no_group(tmp_path: Path) -> None:
    found = {"a": {"scripts": "preinst", "Pre_Depends": "lib"}, "lib": {}}
    assert names(tmp_path, found) == [["lib", "a"]]


def test_no_packages(tmp_path: Path) -> None:
    assert names(tmp_path, {}) == []


def test_package_in_another_order_of_names(tmp_path: Path) -> None:
    packages = [package(tmp_path, name, Depends="z") for name in "cab"] + [package(tmp_path, "z")]
    assert Packages(packages).ordered("cab") == Packages(packages[::-1]).ordered("cab") == ["z", "c", "a", "b"]
