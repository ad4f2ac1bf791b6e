import os
from pathlib import Path

import pytest

from jeos.build.compose import Composition, merge_usr
from jeos.core.errors import InputError
from tiny_debs import make_unpacked


def composition(tmp_path: Path, *, below: tuple[Path, ...] = ()) -> Composition:
    (tmp_path / "into").mkdir()
    made = Composition(into=tmp_path / "into", below=below)
    made.refresh()
    return made


def found(folder: Path) -> dict[str, str]:
    """Return the files (their text) and links (their targets) in a folder, by path."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file()]
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in paths
    }


def test_files_are_linked_not_copied(tmp_path: Path) -> None:
    package = make_unpacked(tmp_path, "a", files={"usr/bin/a": "A"}, links={"usr/b": "bin/a"})
    made = composition(tmp_path)
    made.add(package)
    assert found(made.into) == {"usr/b": "-> bin/a", "usr/bin/a": "A"}
    assert (made.into / "usr/bin/a").samefile(package.data / "usr/bin/a")
    assert made.lists == {"a": ["/.", "/usr", "/usr/bin", "/usr/bin/a", "/usr/b"]}


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    made = composition(tmp_path)
    made.add(make_unpacked(tmp_path, "base-files", links={"lib": "usr/lib", "opt/x": "../lib"}, folders=("usr/lib",)))
    made.add(make_unpacked(tmp_path, "old", files={"lib/one/file": "1", "opt/x/two": "2"}, folders=("lib/one",)))
    assert found(made.into) == {"lib": "-> usr/lib", "opt/x": "-> ../lib", "usr/lib/one/file": "1", "usr/lib/two": "2"}
    assert made.lists["old"] == ["/.", "/lib", "/lib/one", "/lib/one/file", "/opt", "/opt/x", "/opt/x/two"]


def test_folder_stays_as_the_first_package_made_it(tmp_path: Path) -> None:
    first, second = (make_unpacked(tmp_path, name, folders=("srv",)) for name in ("first", "second"))
    (first.data / "srv").chmod(0o1777)
    made = composition(tmp_path)
    made.add(first)
    made.add(second)
    assert oct((made.into / "srv").stat().st_mode) == "0o41777"


def test_two_packages_with_one_file(tmp_path: Path) -> None:
    made = composition(tmp_path)
    made.add(make_unpacked(tmp_path, "one", files={"usr/x": "1"}))
    with pytest.raises(InputError) as caught:
        made.add(make_unpacked(tmp_path, "two", files={"usr/x": "2"}))
    assert caught.value.message == "the packages one and two both have the file /usr/x"


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_package_that_replaces_another_has_the_file(tmp_path: Path, order: tuple[str, str]) -> None:
    packages = {
        "one": make_unpacked(tmp_path, "one", files={"usr/x": "1", "usr/y": "y"}),
        "two": make_unpacked(tmp_path, "two", files={"usr/x": "2"}, control={"Replaces": "zero, one (<< 2.0)"}),
    }
    made = composition(tmp_path)
    for name in order:
        made.add(packages[name])
    assert found(made.into) == {"usr/x": "2", "usr/y": "y"}
    assert made.lists == {"one": ["/.", "/usr", "/usr/y"], "two": ["/.", "/usr", "/usr/x"]}


def test_package_that_replaces_an_older_version_only(tmp_path: Path) -> None:
    made = composition(tmp_path)
    made.add(make_unpacked(tmp_path, "one", files={"usr/x": "1"}))
    with pytest.raises(InputError, match="both have"):
        made.add(make_unpacked(tmp_path, "two", files={"usr/x": "2"}, control={"Replaces": "one (<< 1.0)"}))


def test_diverted_file_goes_elsewhere(tmp_path: Path) -> None:
    made = composition(tmp_path)
    (made.into / "var/lib/dpkg").mkdir(parents=True)
    (made.into / "var/lib/dpkg/diversions").write_text("/usr/sh\n/usr/sh.real\nwrapper\n")
    made.refresh()
    made.add(make_unpacked(tmp_path, "wrapper", files={"usr/sh": "wrapper"}))
    made.add(make_unpacked(tmp_path, "shell", files={"usr/sh": "shell"}))
    expected = {"usr/sh": "wrapper", "usr/sh.real": "shell"}
    assert {path: text for path, text in found(made.into).items() if path.startswith("usr")} == expected
    assert made.lists["shell"] == ["/.", "/usr", "/usr/sh"]


def test_configuration_files_wait_for_dpkg(tmp_path: Path) -> None:
    package = make_unpacked(tmp_path, "a", files={"etc/a": "A", "etc/b": "B"}, extra={"conffiles": "/etc/a\n"})
    made = composition(tmp_path)
    made.add(package)
    assert found(made.into) == {"etc/a.dpkg-new": "A", "etc/b": "B"}
    assert made.lists == {"a": ["/.", "/etc", "/etc/a", "/etc/b"]}


def test_configuration_files_of_first_packages_are_in_place_too(tmp_path: Path) -> None:
    made = composition(tmp_path)
    made.add(make_unpacked(tmp_path, "a", files={"etc/a": "A"}, extra={"conffiles": "/etc/a\n"}), ready=True)
    assert found(made.into) == {"etc/a": "A", "etc/a.dpkg-new": "A"}


def test_overridden_owner_and_mode_leave_the_cache_alone(tmp_path: Path) -> None:
    package = make_unpacked(tmp_path, "a", files={"usr/x": "x"})
    made = composition(tmp_path)
    (made.into / "var/lib/dpkg").mkdir(parents=True)
    (made.into / "var/lib/dpkg/statoverride").write_text(f"#{os.getuid()} #{os.getgid()} 4711 /usr/x\n")
    made.refresh()
    made.add(package)
    assert oct((made.into / "usr/x").stat().st_mode) == "0o104711"
    assert oct((package.data / "usr/x").stat().st_mode) == "0o100644"


@pytest.mark.parametrize("line", ["#0 #0", "#0 #0 9999 /x", "#0 #0 0644 x", "#-1 #0 0644 /x"])
def test_override_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    made = composition(tmp_path)
    (made.into / "var/lib/dpkg").mkdir(parents=True)
    (made.into / "var/lib/dpkg/statoverride").write_text(f"{line}\n")
    with pytest.raises(InputError):
        made.refresh()


def test_folders_below_are_seen_and_kept(tmp_path: Path) -> None:
    below = tmp_path / "below"
    (below / "usr/lib").mkdir(parents=True)
    (below / "lib").symlink_to("usr/lib")
    (below / "usr").chmod(0o711)
    (below / "var/lib/dpkg/info").mkdir(parents=True)
    (below / "usr/owned").write_text("old")
    (below / "var/lib/dpkg/info/old.list").write_text("/.\n/usr\n/usr/owned\n")
    made = composition(tmp_path, below=(below,))
    made.add(make_unpacked(tmp_path, "a", files={"lib/x": "x"}))
    assert found(made.into) == {"usr/lib/x": "x"}
    assert oct((made.into / "usr").stat().st_mode) == "0o40711"
    with pytest.raises(InputError) as caught:
        made.add(make_unpacked(tmp_path, "b", files={"usr/owned": "new"}))
    assert caught.value.message == "the packages old and b both have the file /usr/owned"
    made.add(make_unpacked(tmp_path, "c", files={"usr/owned": "new"}, control={"Replaces": "old"}))
    assert made.taken == {"old": ["/usr/owned"]}


def test_file_in_place_of_a_folder(tmp_path: Path) -> None:
    made = composition(tmp_path)
    made.add(make_unpacked(tmp_path, "one", folders=("usr/x",)))
    with pytest.raises(InputError) as caught:
        made.add(make_unpacked(tmp_path, "two", files={"usr/x": "2"}))
    assert caught.value.message == "two has the file /usr/x, which is a folder in another package"
    (tmp_path / "other").mkdir()
    made = composition(tmp_path / "other")
    made.add(make_unpacked(tmp_path, "three", files={"usr/x": "2"}))
    with pytest.raises(InputError) as caught:
        made.add(make_unpacked(tmp_path, "four", folders=("usr/x",)))
    assert caught.value.message == "four has the folder /usr/x, which is something else in another package"


def test_links_in_a_circle(tmp_path: Path) -> None:
    made = composition(tmp_path)
    made.add(make_unpacked(tmp_path, "one", links={"a": "b", "b": "a"}))
    with pytest.raises(InputError, match="go round in a circle"):
        made.add(make_unpacked(tmp_path, "two", files={"a/x": "1"}))


def test_links_cannot_lead_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    made = composition(tmp_path)
    made.add(make_unpacked(tmp_path, "one", links={"a": str(outside), "b": "../../../../.."}))
    made.add(make_unpacked(tmp_path, "two", files={"a/x": "1", "b/y": "2"}))
    assert list(outside.iterdir()) == []
    assert (made.into / str(outside).lstrip("/") / "x").read_text() == "1"
    assert (made.into / "y").read_text() == "2"


def test_links_into_usr_are_made_where_packages_do_not_bring_them(tmp_path: Path) -> None:
    old = make_unpacked(tmp_path, "old", files={"bin/x": "x", "usr/sbin/y": "y"}, links={"lib": "usr/lib"})
    made = composition(tmp_path)
    merge_usr([old], into=made.into)
    made.add(old)
    assert found(made.into) == {"bin": "-> usr/bin", "lib": "-> usr/lib", "usr/bin/x": "x", "usr/sbin/y": "y"}
