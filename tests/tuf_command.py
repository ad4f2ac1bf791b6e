"""The command that TUF's conformance suite asks for: init, refresh, download, by our client as appliances run it.

python3 -IS tests/tuf_command.py PYTHON_FOLDER --metadata-dir DIR init ROOT
python3 -IS tests/tuf_command.py PYTHON_FOLDER --metadata-dir DIR --metadata-url URL refresh

Its protocol is CLIENT-CLI.md in the suite. The suite looks for the trusted root as root.json in the folder of metadata,
where our client keeps none, so a copy is put there.
"""

import sys

sys.path.insert(0, sys.argv.pop(1))

import argparse
import hashlib
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from jeos.core.errors import JeosError, NetworkError
from jeos.trust.client import Client, Missing, Target

INITIAL = "initial"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url", default="")
    parser.add_argument("--target-name", action="append", default=[])
    parser.add_argument("--target-dir", type=Path)
    parser.add_argument("--target-base-url", default="")
    parser.add_argument("action", choices=("init", "refresh", "download"))
    parser.add_argument("root", nargs="?", type=Path)
    return parser.parse_args()


def fetch_from(metadata: str, targets: str) -> "Fetcher":
    return Fetcher({"metadata": metadata.rstrip("/"), "targets": targets.rstrip("/")})


class Fetcher:
    """Fetches files of the suite's repository over HTTP."""

    def __init__(self, places: dict[str, str]) -> None:
        self.places = places

    def __call__(self, path: str, *, limit: int) -> bytes:
        kind, _, rest = path.partition("/")
        try:
            with urllib.request.urlopen(f"{self.places[kind]}/{rest}", timeout=60) as answer:
                return bytes(answer.read(limit + 1))
        except urllib.error.HTTPError as error:
            if error.code in (403, 404):
                raise Missing(f"no {path}") from None
            raise NetworkError(f"{path}: {error}") from None


def is_there(place: Path, target: Target) -> bool:
    if not place.exists() or place.stat().st_size != target.length:
        return False
    data = place.read_bytes()
    return all(hashlib.new(name, data).hexdigest() == digest for name, digest in target.hashes.items())


def download(client: Client, names: list[str], folder: Path) -> None:
    for name in names:
        target = client.find(name)
        if target is None:
            raise NetworkError(f"there is no target {name}")
        place = folder / urllib.parse.quote(name, safe="")
        if not is_there(place, target):
            place.write_bytes(client.download(target))


def main() -> int:
    args = arguments()
    folder: Path = args.metadata_dir
    if args.action == "init":
        shutil.copy(args.root, folder / INITIAL)
        shutil.copy(args.root, folder / "root.json")
        return 0
    fetch = fetch_from(args.metadata_url, args.target_base_url)
    client = Client(str(folder), root=(folder / INITIAL).read_bytes(), fetch=fetch, now=time.time)
    try:
        client.refresh()
        download(client, args.target_name, args.target_dir)
    except JeosError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    finally:
        roots = sorted((folder / "roots").glob("*.json"), key=lambda path: int(path.stem))
        if roots:
            shutil.copy(roots[-1], folder / "root.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
