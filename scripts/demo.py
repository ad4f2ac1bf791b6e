"""The main job from end to end: build the example appliance, boot it, fetch its page, show sizes and times, stop it.

scripts/demo.py [--firmware]
"""

import argparse
import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent
JEOS = Path(sys.executable).parent / "jeos"
APPLIANCE = ROOT / "examples/web"
MACHINE = "jeos-demo"


def say(text: str) -> None:
    """Print a line of the demonstration's own."""
    sys.stderr.write(f"\n\x1b[1m{text}\x1b[0m\n" if sys.stderr.isatty() else f"\n{text}\n")


def jeos(*words: str | Path, capture: bool = False) -> str:
    """Run a verb, shown as a user would type it; return what it printed if that is asked for."""
    shown = [str(word.relative_to(ROOT)) if isinstance(word, Path) else word for word in words]
    say(f"$ jeos {' '.join(shown)}")
    done = subprocess.run([JEOS, *map(str, words)], check=True, text=True, stdout=subprocess.PIPE if capture else None)
    return done.stdout or ""


def fetch(port: int, *, seconds: float) -> str:
    """Return the appliance's page, asked for until it comes."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def main() -> None:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--firmware", action="store_true", help="boot through UEFI firmware, as on a hypervisor")
    args = parser.parse_args()
    started = time.monotonic()
    jeos("build", APPLIANCE)
    built = time.monotonic()
    way = ["--firmware"] if args.firmware else []
    try:
        answer = json.loads(
            jeos("run", APPLIANCE, "--name", MACHINE, "--port", "0:80", "--detach", "--json", *way, capture=True)
        )
        port = int(answer["state"]["forwards"][0]["host"])
        page = fetch(port, seconds=300)
        answered = time.monotonic()
        title = re.search(r"<title>(.*?)</title>", page)
        say(f"http://127.0.0.1:{port}/ answers: {title.group(1) if title else page[:60]}")
        jeos("ls")
        jeos("stop", MACHINE)
    finally:
        subprocess.run([JEOS, "--quiet", "rm", "--force", MACHINE], check=False)
    jeos("size", APPLIANCE, "--top", "5")
    say(f"built in {built - started:.1f} s, page answered {answered - built:.1f} s after `jeos run`")


if __name__ == "__main__":
    main()
