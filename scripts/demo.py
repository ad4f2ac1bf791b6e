"""The main job from end to end: build the example appliance, boot it, fetch its page, show sizes and times, stop it.

Then its life: 1.1 is published, and the guest updates itself; 1.2 is broken, and the guest goes back and says why.

scripts/demo.py [--firmware] [--no-updates]
"""

import argparse
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
JEOS = Path(sys.executable).parent / "jeos"
APPLIANCE = ROOT / "examples/web"
MACHINE = "jeos-demo"
UPDATED = "jeos-demo-updates"
HOST = "10.0.2.2"  # this machine, as a guest behind QEMU's own router sees it


def say(text: str) -> None:
    """Print a line of the demonstration's own."""
    sys.stderr.write(f"\n\x1b[1m{text}\x1b[0m\n" if sys.stderr.isatty() else f"\n{text}\n")


def jeos(*words: str | Path, capture: bool = False, status: int = 0) -> str:
    """Run a verb, shown as a user would type it; return what it printed if that is asked for."""
    shown = [str(word.relative_to(ROOT)) if isinstance(word, Path) and ROOT in word.parents else word for word in words]
    say(f"$ jeos {' '.join(map(str, shown))}")
    done = subprocess.run([JEOS, *map(str, words)], text=True, stdout=subprocess.PIPE if capture else None)
    if done.returncode != status:
        raise SystemExit(f"it ended with status {done.returncode}, not {status}")
    return done.stdout or ""


@contextmanager
def updating(folder: Path) -> Iterator[Path]:
    """Yield the folder of a recipe like the example's, with a vendor's keys, and a channel that is served meanwhile."""
    recipe = folder / "hello"
    shutil.copytree(APPLIANCE, recipe, ignore=shutil.ignore_patterns("build"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = (recipe / "appliance.toml").read_text()
    text += f'\n[update]\nchannel = "http://{HOST}:{port}/"\nroot = "keys/root.json"\nhold = "5s"\n'
    (recipe / "appliance.toml").write_text(text)
    jeos("keys", "new", "--keys", recipe / "keys")
    (recipe / "channel").mkdir()
    serve: list[str | Path] = [
        JEOS,
        "channel",
        "serve",
        "--channel",
        recipe / "channel",
        "--listen",
        f"127.0.0.1:{port}",
    ]
    say(f"$ jeos channel serve --listen 127.0.0.1:{port} &")
    server = subprocess.Popen(serve, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield recipe
    finally:
        server.terminate()
        server.wait()


def release(recipe: Path, version: str, *, broken: bool = False) -> None:
    """Build and publish a version whose page names it; a `broken` one has a web server that cannot start."""
    toml, page = recipe / "appliance.toml", recipe / "site/index.html"
    text = re.sub(r'(?m)^version = ".*"', f'version = "{version}"', toml.read_text())
    toml.write_text(text)
    page.write_text(re.sub("<title>.*</title>", f"<title>It runs {version}</title>", page.read_text()))
    if broken:
        (recipe / "nginx.conf").write_text("this is a mistake\n")
    jeos("build", recipe)
    jeos("publish", recipe, "--keys", recipe / "keys", "--channel", recipe / "channel")


def show_updates(folder: Path) -> None:
    """Run 1.0, let it update itself to 1.1, and go back from 1.2."""
    with updating(folder) as recipe:
        release(recipe, "1.0")
        said = jeos(
            "run", recipe, "--name", UPDATED, "--detach", "--wait", "healthy", "--timeout", "5m", "--json", capture=True
        )
        port = int(json.loads(said)["state"]["forwards"][0]["host"])
        say(f"http://127.0.0.1:{port}/ answers: {title(fetch(port, seconds=300))}")
        release(recipe, "1.1")
        jeos("update", UPDATED, "--now")
        say(f"http://127.0.0.1:{port}/ answers: {title(fetch(port, seconds=300))}")
        release(recipe, "1.2", broken=True)
        jeos("update", UPDATED, "--now", status=9)
        jeos("exec", UPDATED, "--", "jeos-agent", "status")
        say(f"http://127.0.0.1:{port}/ answers: {title(fetch(port, seconds=300))}")


def title(page: str) -> str:
    """Return the title of a page, or its beginning."""
    found = re.search(r"<title>(.*?)</title>", page)
    return found.group(1) if found else page[:60]


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
    parser.add_argument("--no-updates", action="store_true", help="leave out how it updates itself")
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
        say(f"http://127.0.0.1:{port}/ answers: {title(page)}")
        jeos("ls")
        jeos("stop", MACHINE)
    finally:
        subprocess.run([JEOS, "--quiet", "rm", "--force", MACHINE], check=False)
    jeos("size", APPLIANCE, "--top", "5")
    if not args.no_updates:
        os.environ.setdefault("JEOS_PASSPHRASE", secrets.token_hex(8))
        os.environ["JEOS_NETWORK"] = "slirp"  # where HOST leads to this machine
        with tempfile.TemporaryDirectory(prefix="jeos-demo-") as folder:
            try:
                show_updates(Path(folder))
            finally:
                subprocess.run([JEOS, "--quiet", "rm", "--force", UPDATED], check=False)
    say(f"built in {built - started:.1f} s, page answered {answered - built:.1f} s after `jeos run`")


if __name__ == "__main__":
    main()
