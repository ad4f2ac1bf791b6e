"""Check that every Python package that jeos depends on has a licence that an Apache-2.0 project can ship with."""

import json
import re
import subprocess
import sys
from pathlib import Path

ALLOWED = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL[- ]2\.0|Mozilla Public License 2\.0|0BSD|Unlicense)\b"
)
# Weak copyleft is fine for a library that is used as it is published, by import.
REVIEWED = {
    "libvirt-python": "LGPLv2+; used through its public interface, not modified; only where machines are on libvirt",
    "qemu.qmp": "LGPLv2+; used through its public interface, not modified",
    "psycopg": "LGPL-3.0; used through its public interface, not modified; only by the server on PostgreSQL",
    "psycopg-binary": "LGPL-3.0; the same",
}


def names(requirements: Path) -> set[str]:
    """Return the normalized names of the packages in a requirements file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==", requirements.read_text(), flags=re.MULTILINE)
    return {normalize(name) for name in found}


def normalize(name: str) -> str:
    """Return a package's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """Print what is not allowed and return 1 if there is any."""
    root = Path(__file__).parent.parent
    lists = ("runtime", "server", "libvirt")
    shipped = set().union(*(names(root / f"requirements/{one}.txt") for one in lists))
    command = [str(Path(sys.executable).parent / "pip-licenses"), "--format=json", "--from=mixed"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    reviewed = {normalize(name) for name in REVIEWED}
    bad = [
        f"{package['Name']}: {package['License']}"
        for package in listed
        if normalize(package["Name"]) in shipped - reviewed and not ALLOWED.search(package["License"])
    ]
    for problem in bad:
        sys.stderr.write(f"licence not allowed: {problem}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
