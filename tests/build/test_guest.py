"""What of jeos goes into an image: complete, and nothing that is not needed."""

import fnmatch
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jeos.build import guest, guest_modules
from jeos.model.tree import Kind

# Prints the files of all modules that are imported by everything that the agent can do.
TRACE = """
import sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    __import__(name)
open("/dev/null", encoding="ascii").close()
b"x".decode("latin-1").encode("ascii")
print(*(module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)), sep="\\n")
"""


# What updates import only in some cases: overrides of the operator, dates, names of hosts, formats of metadata.
LAZY = ("tomllib", "_strptime", "calendar", "encodings.idna", "encodings.utf_16_le", "tuf.api.serialization.json")
# What `shutil` and `http.client` import if it is there, and do without.
OPTIONAL = ("bz2.py", "lzma.py", "_compression.py", "ssl.py")


@pytest.fixture(params=["agent", "updates"])
def updates(request: pytest.FixtureRequest) -> bool:
    return str(request.param) == "updates"


@pytest.fixture
def root(tmp_path: Path, updates: bool) -> Path:
    """A folder with all files of the agent, as they would be in an image."""
    for item in guest.agent_files(updates=updates):
        place = tmp_path / item.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if item.kind is Kind.SYMLINK:
            place.symlink_to(item.target)
        else:
            place.write_bytes(item.content)
            place.chmod(item.mode)
    return tmp_path


def imported(root: Path, *more: str) -> list[Path]:
    python = root / guest.PYTHON
    names = [str(path.relative_to(python).with_suffix("")).replace("/", ".") for path in python.rglob("*.py")]
    names = [name.removesuffix(".__init__") for name in names if name.startswith("jeos")]
    argv = [sys.executable, "-IS", "-c", TRACE, str(python), *names, *more]
    return [Path(line) for line in subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()]


def test_what_updates_stays_out_of_images_without_them() -> None:
    few, all_of_them = (guest_modules.modules(updates=updates) for updates in (False, True))
    assert {name.split("/")[1] for name in few if name.count("/") > 1} == {"agent", "model"}
    assert {name.split("/")[0] for name in all_of_them} == {"jeos", "securesystemslib", "tuf"}
    assert few.items() < all_of_them.items()


def test_the_files_import_each_other_and_nothing_else_of_jeos(root: Path) -> None:
    ours = {path for path in imported(root) if path.is_relative_to(root)}
    assert {path for path in ours if "jeos" in path.relative_to(root / guest.PYTHON).parts} == set(
        (root / guest.PYTHON / "jeos").rglob("*.py")
    )


@pytest.mark.parametrize("tls", [False, True])
def test_what_the_agent_imports_of_python_is_kept(root: Path, updates: bool, tls: bool) -> None:
    library = Path(os.__file__).parent
    kept = guest.python_modules(tls=tls, updates=updates)
    files = imported(root, *(["ssl"] if tls else []), *(LAZY if updates else []))
    # The compiled ones are files elsewhere, and part of Debian's /usr/bin/python3.
    wanted = [path.relative_to(library) for path in files if path.is_relative_to(library)]
    missing = [
        str(path)
        for path in wanted
        if path.suffix == ".py"
        and path.parts[0] not in ("importlib", "zipimport.py", "ntpath.py")  # frozen, in every Python
        and path.parts[0] not in OPTIONAL
        and not any(fnmatch.fnmatch(str(path), pattern) or str(path).startswith(f"{pattern}/") for pattern in kept)
    ]
    assert missing == []


def test_bytecode_is_kept_with_its_module() -> None:
    kept = guest.python_modules()
    for path in ("os.py", "__pycache__/os.cpython-313.pyc", "encodings/__pycache__/utf_8.cpython-311.pyc", "json"):
        assert any(fnmatch.fnmatch(path, pattern) for pattern in kept), path
    assert not any(fnmatch.fnmatch("ssl.py", pattern) for pattern in kept)
    for encrypted in (guest.python_modules(tls=True), guest.python_modules(updates=True)):
        assert any(fnmatch.fnmatch("ssl.py", pattern) for pattern in encrypted)


def test_the_command_runs_from_its_place(root: Path) -> None:
    command = root / guest.COMMAND
    assert stat.S_IMODE(command.stat().st_mode) == 0o755
    script = command.read_text().replace('"/usr/lib/jeos', f'"{root}/usr/lib/jeos')
    done = subprocess.run([sys.executable, "-IS", "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("The `jeos-agent` command of the guest.")


def test_units_are_wanted_by_links_that_lead_to_them(root: Path, updates: bool) -> None:
    units = root / guest.UNITS
    links = sorted(path for path in units.rglob("*") if path.is_symlink())
    more = ["sysinit.target.wants/jeos-begin.service", "sysinit.target.wants/jeos-confirm.service"]
    assert [str(path.relative_to(units)) for path in links] == [
        "sysinit.target.wants/jeos-agent.service",
        *(more if updates else []),
        "sysinit.target.wants/jeos-properties.service",
        *(["timers.target.wants/jeos-update.timer"] if updates else []),
    ]
    assert all(path.resolve().is_file() for path in links)


def test_without_properties_nothing_takes_them() -> None:
    paths = {item.path for item in guest.agent_files(properties=False)}
    assert not any("properties.service" in path for path in paths)


def test_updates_ship_only_where_they_are_wanted() -> None:
    plain = {item.path for item in guest.agent_files()}
    updating = {item.path for item in guest.agent_files(updates=True)}
    assert not any("jeos/update/" in path or "jeos/disk/" in path or "jeos-confirm" in path for path in plain)
    for path in ("jeos/update/apply.py", "jeos/update/confirm.py", "jeos/disk/gpt.py", "jeos/agent/trial.py"):
        assert f"usr/lib/jeos/python/{path}" in updating
    assert "usr/lib/systemd/system/sysinit.target.wants/jeos-begin.service" in updating
    assert not any(path.startswith("usr/lib/jeos/python/jeos/build") for path in updating)
    assert plain < updating


def test_systemd_understands_the_units(root: Path) -> None:
    units = sorted(str(path) for path in (root / guest.UNITS).glob("jeos-*.*"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "jeos" in line and "not executable" not in line]
    assert ours == []
