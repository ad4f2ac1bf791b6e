"""Packages installed with dpkg of this machine, in roots made of this machine's programs."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from jeos.build import configure, dpkg_database
from jeos.build.compose import Composition
from jeos.build.unpack import Unpacked
from jeos.core.errors import ProcessError
from namespaces import call, make_root
from tiny_debs import make_deb, make_unpacked

pytestmark = pytest.mark.root
SH = "#!/bin/sh\nset -e\n"
TIME = 1_700_000_000
TRIGGERS = "interest /usr/share/x\ninterest-noawait /srv\ninterest name\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("configure") / "base")


def install(packages: Sequence[Unpacked], *below: Path, folder: Path) -> Path:
    """Install packages above other folders and return the layer."""
    into = folder / "layer"
    into.mkdir(parents=True)

    log, scratch = folder / "log", folder / "scratch"
    log.touch()
    call(lambda: configure.install(packages, into=into, below=list(below), scratch=scratch, time=TIME, log=log))
    return into


def test_package_is_installed(base: Path, tmp_path: Path) -> None:
    postinst = (
        SH + 'echo "$1 [$2] $DPKG_MAINTSCRIPT_PACKAGE $SOURCE_DATE_EPOCH" > /var/said; cat /etc/a.conf >> /var/said\n'
    )
    package = make_unpacked(
        tmp_path,
        "a",
        files={"etc/a.conf": "setting\n", "usr/share/a": "data"},
        extra={"conffiles": "/etc/a.conf\n", "postinst": postinst},
    )
    layer = install([package], base, folder=tmp_path)
    assert (layer / "var/said").read_text() == "configure [] a 1700000000\nsetting\n"
    assert (layer / "etc/a.conf").read_text() == "setting\n"
    assert not (layer / "etc/a.conf.dpkg-new").exists()
    assert (layer / "usr/share/a").samefile(package.data / "usr/share/a")
    status = (layer / "var/lib/dpkg/status").read_text()
    assert "Package: a\nStatus: install ok installed\n" in status
    assert re.search(r"^ /etc/a.conf [0-9a-f]{32}$", status, re.MULTILINE)
    assert not (tmp_path / "scratch").exists()


def described(folder: Path) -> list[tuple[object, ...]]:
    return [
        (path.name, path.read_text(), path.stat().st_mode, path.stat().st_uid) for path in sorted(folder.rglob("?"))
    ]


def test_cached_files_stay_as_they_are(base: Path, tmp_path: Path) -> None:
    postinst = SH + "echo more >> /usr/share/a; chown 33:33 /usr/share/b; chmod 600 /usr/share/b; rm /usr/share/c\n"
    files = {f"usr/share/{name}": "data\n" for name in "abc"}
    package = make_unpacked(tmp_path, "a", files=files, extra={"postinst": postinst})
    before = described(package.data)
    layer = install([package], base, folder=tmp_path)
    assert described(package.data) == before
    assert (layer / "usr/share/a").read_text() == "data\nmore\n"
    assert (layer / "usr/share/b").stat().st_uid == 33
    assert not (layer / "usr/share/c").exists()


def test_preinst_runs_before_the_files_are_there(base: Path, tmp_path: Path) -> None:
    preinst = SH + 'echo "$1 $DPKG_MAINTSCRIPT_NAME $0" > /var/said; ls /usr/share/a >> /var/said 2>&1 || :\n'
    preinst += "dpkg-divert --package a --divert /usr/share/b.real --no-rename --add /usr/share/b\n"
    first = make_unpacked(tmp_path, "a", files={"usr/share/a": "a", "usr/share/b": "a's"}, extra={"preinst": preinst})
    needs = {"Pre-Depends": "a"}
    second = make_unpacked(tmp_path, "z", files={"usr/share/b": "z's"}, control=needs, extra={"preinst": SH})
    layer = install([first, second], base, folder=tmp_path)
    said = (layer / "var/said").read_text().splitlines()
    assert said[0] == "install preinst /var/lib/dpkg/tmp.ci/preinst"
    assert "No such file" in said[1]
    assert (layer / "usr/share/b").read_text() == "a's"
    assert (layer / "usr/share/b.real").read_text() == "z's"
    left = sorted(path.name for path in (layer / "var/lib/dpkg").iterdir())
    assert not {"tmp.ci", "jeos.ci"} & set(left)


def test_triggers_are_pulled(base: Path, tmp_path: Path) -> None:
    postinst = SH + 'echo "$*" >> /var/said\n'
    triggers = "interest-noawait /usr/share/plugins\ninterest named\n"
    watcher = make_unpacked(tmp_path, "watcher", extra={"postinst": postinst, "triggers": triggers})
    system = install([watcher], base, folder=tmp_path / "one")
    assert (system / "var/said").read_text() == "configure \n"
    wakes = {"triggers": "activate-noawait named\n"}
    plugin = make_unpacked(tmp_path, "plugin", files={"usr/share/plugins/x": "x"}, extra=wakes)
    into = install([plugin], system, base, folder=tmp_path / "two")
    first, *rest = (into / "var/said").read_text().splitlines()
    assert first == "configure "
    assert set(" ".join(rest).split()) == {"triggered", "/usr/share/plugins", "named"}
    status = (into / "var/lib/dpkg/status").read_text()
    assert status.count("Status: install ok installed") == 2


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("postinst", "post-installation script of the package bad returned error exit status 3"),
        ("preinst", "preinst script of the package bad failed with status 3"),
    ],
)
def test_script_that_fails(base: Path, tmp_path: Path, script: str, told: str) -> None:
    package = make_unpacked(tmp_path, "bad", extra={script: SH + "echo this is why\nexit 3\n"})
    with pytest.raises(ProcessError) as caught:
        install([package], base, folder=tmp_path)
    first, *rest = caught.value.message.splitlines()
    assert first == f"the {script} script of the package bad failed with status 3"
    assert rest[-1] == "  this is why"
    assert caught.value.hint == f"all that was printed is in {tmp_path}/log"


def test_package_that_lacks_another(base: Path, tmp_path: Path) -> None:
    package = make_unpacked(tmp_path, "bad", control={"Depends": "nothing"})
    with pytest.raises(ProcessError) as caught:
        install([package], base, folder=tmp_path)
    assert caught.value.message.splitlines()[0] == (
        "the package bad cannot be configured: dependency problems - leaving unconfigured"
    )


def test_daemon_of_a_script_is_ended(base: Path, tmp_path: Path) -> None:
    package = make_unpacked(tmp_path, "d", extra={"postinst": SH + "setsid sleep 5772.156 &\n"})
    layer = install([package], base, folder=tmp_path)
    assert "install ok installed" in (layer / "var/lib/dpkg/status").read_text()
    assert not any(b"5772.156" in line for line in command_lines())


def command_lines() -> list[bytes]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found.append((entry / "cmdline").read_bytes())
        except OSError:
            continue
    return found


def test_killed_build_leaves_no_mount_and_no_process(base: Path, tmp_path: Path) -> None:
    package = make_unpacked(tmp_path, "k", extra={"postinst": SH + "sleep 1414.2135\n"})
    mounts = Path("/proc/self/mounts").read_text()
    child = os.fork()
    if child == 0:
        try:
            install([package], base, folder=tmp_path)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 20
    while not any(b"sleep\x001414.2135" in line for line in command_lines()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (builder,) = Path(f"/proc/{child}/task/{child}/children").read_text().split()
    os.kill(int(builder), signal.SIGKILL)
    os.waitpid(child, 0)
    while any(b"1414.2135" in line for line in command_lines()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert Path("/proc/self/mounts").read_text() == mounts
    shutil.rmtree(tmp_path / "scratch")


def test_database_equals_that_of_dpkg(tmp_path: Path) -> None:
    """Unpack the same packages with dpkg itself, and compare what both wrote down."""
    table: dict[str, dict[str, object]] = {
        "plain": {
            "files": {"usr/share/plain": "1", "etc/plain.conf": "2"},
            "extra": {"conffiles": "/etc/plain.conf\n"},
        },
        "many": {"control": {"Multi-Arch": "same"}, "files": {"usr/lib/many": "3"}, "links": {"usr/lib/l": "many"}},
        "watcher": {
            "extra": {"triggers": "interest /usr/share/x\ninterest-noawait /srv\ninterest name\n", "postinst": SH}
        },
    }
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for name in ("info", "updates", "triggers"):
        (theirs / "var/lib/dpkg" / name).mkdir(parents=True)
    (theirs / "var/lib/dpkg/status").touch()
    (tmp_path / "debs").mkdir()
    debs = [make_deb(tmp_path / "debs", name, **fields) for name, fields in table.items()]  # type: ignore[arg-type]
    dpkg = ["dpkg", f"--root={theirs}", "--log=/dev/null", "--force-script-chrootless", "--unpack", *map(str, debs)]
    subprocess.run(dpkg, check=True, capture_output=True)
    packages = [make_unpacked(tmp_path, name, **fields) for name, fields in table.items()]
    ours.mkdir()
    composition, database = Composition(into=ours), dpkg_database.Database(ours)
    for package in packages:
        composition.add(package)
    dpkg_database.write_scripts(packages, database)
    dpkg_database.record(packages, database, composition=composition)
    assert texts(ours) == texts(theirs)
    for root in (ours, theirs):
        (root / "var/lib/dpkg/arch").unlink(missing_ok=True)
    assert listed(ours) == listed(theirs)


def texts(root: Path) -> dict[str, list[str]]:
    """Return the lines of the database's files, in no order: dpkg sorts neither fields nor triggers."""
    paths = [path for name in ("info", "triggers") for path in (root / "var/lib/dpkg" / name).iterdir()]
    found = {
        path.name: sorted(path.read_text().splitlines()) for path in paths if path.name not in ("Lock", "Unincorp")
    }
    return {name: lines for name, lines in found.items() if lines}


def listed(root: Path) -> str:
    """Return what dpkg-query makes of a database."""
    form = "${Package}|${Architecture}|${Status}|${Version}|${Conffiles}|${Description}\n"
    command = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", f"--showformat={form}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
