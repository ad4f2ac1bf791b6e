"""From a configured root to the system: records, kernel's modules, libraries that slim must not take."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from jeos.build import dpkg_status, system
from jeos.build.contents import Contents
from jeos.build.libraries import linked_in
from jeos.build.scan import scan
from jeos.build.slim import slim
from jeos.build.slim_rules import Facts
from jeos.core.errors import InputError
from jeos.model.lock import Lock, LockedPackage, Role
from jeos.model.recipe import Recipe, Slim
from jeos.model.tree import Kind

STATUS = """\
Package: tool
Status: install ok installed
Architecture: amd64
Version: 1.0
Description: a tool

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
"""


def package(name: str, role: Role) -> LockedPackage:
    return LockedPackage(name, "1.0", "amd64", role, "debian", f"pool/{name}.deb", 1, "ab" * 32)


LOCK = Lock(
    suite="trixie",
    architecture="amd64",
    inputs="",
    date=1_700_000_000,
    packages=(package("linux-image-6", Role.KERNEL), package("tool", Role.APP)),
)
RECIPE = Recipe(name="hello", version="1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for path, text in {
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/info/tool.list": "/.\n/bin\n/bin/tool\n/usr/share/doc/tool/README\n",
        "var/lib/dpkg/info/tool.md5sums": "abc  usr/bin/tool\n",
        "usr/share/doc/tool/README": "read me",
        "usr/lib/modules/6/kernel/a.ko": "module",
        "usr/lib/tmpfiles.d/x.conf": "d /var/log 0755 - - -\n",
        "var/log/.keep": "",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "usr/bin").mkdir(parents=True)
    shutil.copy("/bin/true", root / "usr/bin/tool")
    return root


def test_finish_leaves_records_of_what_is_in_the_image(root: Path) -> None:
    made = system.finish(
        root, recipe=RECIPE, lock=LOCK, python_modules=(), more_stanzas={"linux-image-6": "Package: x"}
    )
    found = made.tree.by_path()
    assert made.contents.read(found["var/lib/dpkg/status.d/tool"]).decode().startswith("Package: tool\n")
    assert made.contents.read(found["var/lib/dpkg/status.d/tool.md5sums"]) == b"abc  usr/bin/tool\n"
    assert "var/lib/dpkg/status.d/linux-image-6" in found
    assert "var/lib/dpkg/status.d/gone" not in found
    assert "var/lib/dpkg/status" not in found
    assert made.contents.read(found[system.SBOM]) == made.sbom
    assert found["var"].kind is Kind.DIRECTORY


def test_finish_tells_what_each_package_takes(root: Path) -> None:
    made = system.finish(root, recipe=RECIPE, lock=LOCK, python_modules=(), skipped={"usr/share/man/man1/x": 40})
    taken = {item.name: item.files for item in made.packages if item.name}
    assert taken == {"linux-image-6": 1, "tool": 1}
    gains = {rule.name: rule.size for rule in made.rules}
    assert (gains["manuals"], gains["documentation"]) == (40, len("read me"))


def test_finish_sets_every_time_to_that_of_the_lock(root: Path) -> None:
    made = system.finish(root, recipe=RECIPE, lock=LOCK, python_modules=())
    assert {entry.mtime for entry in made.tree} == {LOCK.date}


def test_taking_a_library_that_a_program_needs_is_refused(root: Path) -> None:
    (root / "usr/lib/libc.so.6").write_bytes(b"\x7fELF")
    scanned = scan(root, time=0)
    slimmed = slim(scanned.tree, Facts(), wanted=Slim(remove=("usr/lib/libc.so.6",)))
    with pytest.raises(InputError) as caught:
        system.check_libraries(scanned.tree, slimmed, linked=linked_in(Contents(paths=scanned.paths)))
    assert caught.value.message == (
        "slim took libraries that programs in the image need:\n"
        "  libc.so.6, needed by usr/bin/tool, taken by the rule recipe"
    )


def test_systemd_gets_bpf_where_a_unit_has_limits_that_it_sets_up(root: Path) -> None:
    path = "usr/lib/jeos/hidden/libbpf.so.1"
    unit = root / "usr/lib/systemd/system/x.service.d/y.conf"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\n# SocketBindDeny=any\n")
    without = system.finish(root, recipe=RECIPE, lock=LOCK, python_modules=())
    unit.write_text("[Service]\nSocketBindDeny=any\n")
    having = system.finish(root, recipe=RECIPE, lock=LOCK, python_modules=())
    assert without.contents.read(without.tree.by_path()[path]) == b""
    assert path not in having.tree.by_path()


def read(root: Path) -> dpkg_status.Records:
    scanned = scan(root, time=0)
    return dpkg_status.read(scanned.tree, Contents(paths=scanned.paths))


def test_records_of_a_root_without_dpkg_are_empty(tmp_path: Path) -> None:
    assert read(tmp_path) == dpkg_status.Records(stanzas={}, lists={}, sums={})


def test_records_behind_links_to_the_host_are_not_read(root: Path) -> None:
    host = root.with_name("host")
    (root / "var/lib/dpkg").rename(host)
    (root / "var/lib/dpkg").mkdir()
    for name in ("status", "info"):
        (root / "var/lib/dpkg" / name).symlink_to(host / name)
    assert read(root) == dpkg_status.Records(stanzas={}, lists={}, sums={})


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "", "a/b", "A b"])
def test_record_of_a_name_that_no_package_has_is_refused(root: Path, name: str) -> None:
    (root / "var/lib/dpkg/status").write_text(STATUS.replace("Package: tool", f"Package: {name}"))
    with pytest.raises(InputError) as caught:
        read(root)
    assert caught.value.message == f"dpkg's status file in the image names the package {name!r}"


def test_os_release_is_never_that_of_the_host(root: Path) -> None:
    (root / "usr/lib/os-release").write_text("ID=debian\n")
    made = system.finish(root, recipe=RECIPE, lock=LOCK, python_modules=())
    assert system.os_release(made) == b"ID=debian\n"
    (root / "usr/lib/os-release").unlink()
    (root / "usr/lib/os-release").symlink_to("/etc/hostname")
    linked = system.finish(root, recipe=RECIPE, lock=LOCK, python_modules=())
    with pytest.raises(InputError) as caught:
        system.os_release(linked)
    assert caught.value.message == "the image has no file /usr/lib/os-release, and without it nothing boots"


def test_library_stays_while_a_program_is_linked_to_it(root: Path) -> None:
    folder = root / "usr/lib/x86_64-linux-gnu"
    (folder / "security").mkdir(parents=True)
    for name in ("libdb-5.3.so", "libsqlite3.so.0.8.6", "security/pam_userdb.so"):
        shutil.copy("/bin/true", folder / name)
    (folder / "libsqlite3.so.0").symlink_to("libsqlite3.so.0.8.6")

    def left(recipe: Recipe) -> set[str]:
        made = system.finish(root, recipe=recipe, lock=LOCK, python_modules=())
        return {entry.name for entry in made.tree if "usr/lib/x86_64-linux-gnu/" in entry.path and ".so" in entry.name}

    assert left(RECIPE) == set()
    # The program is linked to libc alone; a name of the same length stands for a library that slim would take.
    program = (root / "usr/bin/tool").read_bytes()
    (root / "usr/bin/tool").write_bytes(program.replace(b"libc.so.6\0", b"libmd.so0\0"))
    (folder / "libmd.so0").write_bytes(b"")
    assert left(RECIPE) == {"libmd.so0"}
    (root / "etc/pam.d").mkdir(parents=True)
    (root / "etc/pam.d/ftp").write_text("auth required pam_userdb.so db=/etc/ftp\n")
    assert left(RECIPE) == {"libmd.so0", "pam_userdb.so"}


def test_relied_on_are_packages_named_and_depended_on() -> None:
    stanzas = {"tool": "Package: tool\nDepends: libssl3t64 (>= 3.0), a:any | b, libc6 (>= 2.38)\nPre-Depends: c\n"}
    recipe = Recipe(name="hello", version="1", packages=("tool", "libdb5.3t64"))
    relied = system.relied_on(recipe, LOCK, stanzas=stanzas)
    assert relied == {"tool", "libdb5.3t64", "libssl3t64", "a", "b", "c"}


def test_what_made_certificates_for_updates_is_not_relied_on_unless_it_is_asked_for() -> None:
    lock = replace(LOCK, packages=(*LOCK.packages, package("ca-certificates", Role.APP)))
    stanzas = {"ca-certificates": "Package: ca-certificates\nDepends: openssl, debconf\n"}
    asked = replace(RECIPE, packages=("ca-certificates",))
    assert system.relied_on(RECIPE, lock, stanzas=stanzas) == set()
    assert system.relied_on(asked, lock, stanzas=stanzas) == {"ca-certificates", "openssl", "debconf"}
