"""The client runs in an appliance: with the listed files only, and nothing else that is installed here."""

import subprocess
import sys
from pathlib import Path

import pytest

from jeos.core.errors import HostError
from jeos.trust import shipped
from lean_python import OURS, install
from vendor import NOW, Vendor

FROZEN = ("zipimport.py", "ntpath.py")  # in every Python
DONE_WITHOUT = ("bz2.py", "lzma.py", "_compression.py")

# Does all that a machine does with a channel, then prints the files of all modules that were imported.
USE = """
import sys
sys.path.insert(0, sys.argv[1])
from jeos.core.errors import TrustError
from jeos.trust.client import Client, Missing
channel, kept, now = sys.argv[2], sys.argv[3], float(sys.argv[4])
def fetch(path, *, limit):
    try:
        with open(f"{channel}/{path}", "rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        raise Missing(path) from None
def client(now):
    return Client(kept, root=fetch("root", limit=9999), fetch=fetch, now=lambda: now)
first = client(now)
assert first.download(first.targets()["releases/a_1.json"]) == b"a release"
assert first.find("other") is None
client(now).refresh()
try:
    client(now * 2).refresh()
    raise AssertionError("it should have expired")
except TrustError:
    pass
assert "cryptography" not in sys.modules
print(*(module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)), sep="\\n")
"""


DEBIAN = Path("/usr/bin/python3")  # what appliances have, where this machine is a Debian


@pytest.fixture(scope="module", params=sorted({Path(sys.executable), *([DEBIAN] if DEBIAN.exists() else [])}))
def imported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("lean")
    install(folder / "python")
    vendor = Vendor()
    vendor.offer("releases/a_1.json", b"a release")
    vendor.timestamp.unrecognized_fields["date"] = "2027-01-10T00:00:00Z"
    vendor.next()
    vendor.next_root()
    for name, data in {**vendor.serve, "root": vendor.first_root}.items():
        (folder / "channel" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "channel" / name).write_bytes(data)
    words = [str(folder / name) for name in ("python", "channel", "kept")]
    argv = [str(request.param), "-ISB", "-c", USE, *words, str(NOW)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return [Path(line) for line in done.stdout.splitlines()]


def test_what_is_shipped_is_what_is_used(imported: list[Path]) -> None:
    used = {str(path).rpartition("/python/")[2] for path in imported if "/python/" in str(path)}
    assert used == {*shipped.THIRD_PARTY, *(f"jeos/{name}" for name in OURS)}


def test_what_is_used_of_python_is_listed(imported: list[Path]) -> None:
    library = next(path for path in imported if path.name == "os.py").parent
    used = [str(path.relative_to(library)) for path in imported if path.is_relative_to(library)]
    modules = [name for name in used if name.endswith(".py") and not name.startswith(FROZEN)]
    missing = [
        name
        for name in modules
        if name not in DONE_WITHOUT
        and not any(name == f"{listed}.py" or name.startswith(f"{listed}/") for listed in shipped.STANDARD_LIBRARY)
    ]
    assert missing == []
    if library.is_relative_to("/usr/lib"):  # others build more of Python as files of their own
        compiled = {Path(name).name.partition(".")[0] for name in used if name.startswith("lib-dynload/")}
        assert compiled - {"_bz2", "_lzma"} <= set(shipped.COMPILED)


def test_libraries_are_those_of_the_code() -> None:
    from jeos.trust.crypto import LIBRARY

    assert LIBRARY in shipped.LIBRARIES


def test_third_party_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "THIRD_PARTY", ("tuf/api/gone.py",))
    with pytest.raises(HostError, match=r"tuf/api/gone\.py is not installed"):
        list(shipped.third_party())
