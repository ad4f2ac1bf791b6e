"""A recipe with every key at once: built, started, and looked at from inside."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apt_repository import Archive, Package, made_key, serving
from channel_keys import vendor as channel_vendor
from jeos.build import user_network
from jeos.build.outputs import Outputs
from jeos.build.sources import host_keyrings, repositories
from jeos.disk.erofs_reader import Filesystem
from jeos.model.recipe import Recipe
from jeos.model.recipe_keys import RECIPE, table_of
from jeos.model.recipe_tables import Table
from jeos_command import Jeos, write_recipe
from machine_use import BOOT, free_port, inside
from tiny_debs import make_deb
from tiny_wheels import INFO, make_wheel

pytestmark = [pytest.mark.network, pytest.mark.vm]
HERE = Path(__file__).parent
NAME = "everything"
SYSTEM = 2  # number of the partition
UNIT = "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
SECRET = "a 'quoted' \"secret\" $HOME"
TITLE = 'Ada\'s "shop" $HOME'
PROGRAM = b"""
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

NAMES = ("SITE_TITLE", "WORKERS", "DEBUG", "TIER", "PASSWORD")

class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        credential = Path(os.environ["CREDENTIALS_DIRECTORY"], "password").read_text()
        said = {"environment": {name: os.environ.get(name) for name in NAMES}, "credential": credential}
        self.send_response(204 if self.path == "/health" else 200)
        self.end_headers()
        if self.path != "/health":
            self.wfile.write(json.dumps(said).encode())

def main():
    HTTPServer(("", 8000), Shop).serve_forever()
"""


def run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def make_parts(folder: Path) -> None:
    """Write what the recipe names, except the repository's key."""
    site, keys = folder / "site", folder / "keys"
    (site / "deep").mkdir(parents=True)
    (site / "page.html").write_text("page\n")
    (site / "deep/link").symlink_to("../page.html")
    (folder / "EULA.txt").write_text("You agree.\n")
    (folder / "README.md").write_text("# A shop with everything\n")
    (folder / "CHANGELOG.md").write_text("# Changes\n\n## 1.0.0\n\n- Everything.\n")
    keys.mkdir()
    shutil.copy(host_keyrings()[0], keys / "debian.gpg")
    request = ["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=everything/"]
    run(*request, "-keyout", keys / "boot.key", "-out", keys / "boot.crt")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@example", "-f", keys / "ada")
    units = {f"usr/lib/systemd/system/own-{name}.service": UNIT for name in ("wanted", "unwanted", "never")}
    started = {
        f"etc/systemd/system/multi-user.target.wants/own-{name}.service": f"/usr/lib/systemd/system/own-{name}.service"
        for name in ("unwanted", "never")
    }
    make_deb(folder, "own", files={**units, "usr/share/own/unwanted": "x", "usr/share/own/wanted": "x"}, links=started)
    parts = {
        "shop/__init__.py": PROGRAM,
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{INFO}/entry_points.txt": b"[console_scripts]\nshop = shop:main\n",
    }
    make_wheel(folder / "shop-1.0-py3-none-any.whl", parts)
    (keys / "root.json").write_bytes(channel_vendor().roots[0])


def recipe_text(folder: Path, *, vendor: str) -> str:
    """Return the recipe with what is particular to this machine and run."""
    debian = {source.name: source.url for source in repositories(Recipe(name="a", version="1"), folder=folder)}
    values = {
        "MIRROR": debian["debian"],
        "SECURITY": debian["debian-security"],
        "VENDOR": vendor,
        "SSH_KEY": (folder / "keys/ada.pub").read_text().strip(),
    }
    return re.sub("@([A-Z_]+)@", lambda match: values[match[1]], (HERE / "everything.toml").read_text())


@pytest.fixture(scope="module")
def built(jeos: Jeos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outputs]:
    folder = tmp_path_factory.mktemp(NAME)
    make_parts(folder)
    packages = [
        Package("chooser", fields={"Depends": "first-choice | second-choice"}, changelog="new"),
        Package("first-choice"),
        Package("second-choice", changelog="new"),
    ]
    with made_key() as key, serving(folder / "packages") as server:
        shutil.copy(key.public, folder / "keys/vendor.asc")
        Archive(folder / "packages", key=key).publish("stable", packages)
        (folder / "appliance.toml").write_text(recipe_text(folder, vendor=server.url))
        yield jeos.build(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def ports(jeos: Jeos, built: Outputs) -> Iterator[dict[int, int]]:
    """Start the machine, wait until all its health checks hold, and return its ports on this host."""
    folder = built.folder.parent
    (folder / "password").write_text(SECRET + "\n")
    found = {guest: free_port() for guest in (22, 8000)}
    words: list[str | Path] = ["run", folder, "--detach", "--wait", "healthy", "--timeout", str(BOOT), "--accel", "tcg"]
    words += ["--direct"]  # though it updates itself: what is asked here does not depend on firmware
    words += [word for guest, host in found.items() for word in ("--port", f"{host}:{guest}")]
    values = ["--set", f"site-title={TITLE}", "--set", "tier=large", "--set-file", f"password={folder}/password"]
    try:
        jeos.run(*words, *values, "--accept-eula")
        yield found
    finally:
        sys.stdout.write(jeos.run("logs", NAME).stdout)  # which pytest shows if something failed
        jeos.run("rm", "--force", NAME)


def test_what_a_catalogue_shows_stays_outside(built: Outputs) -> None:
    """The texts are no part of the image; what a publication takes of them is in tests/cli."""
    names = {path.rpartition("/")[2] for path in built.tree().by_path()}
    assert not {"README.md", "CHANGELOG.md"} & names


def read(built: Outputs, path: str) -> bytes:
    """Return a file of the built system."""
    slot = next(one for one in built.image.partitions if one.number == SYSTEM)
    copy = built.folder / "slot"
    with built.disk.open("rb") as disk, copy.open("wb") as out:
        disk.seek(slot.start)
        out.write(disk.read(built.image.system_size))
    with copy.open("rb") as file:
        content = Filesystem(file).read(path)
    copy.unlink()
    return content


def keys_in(values: Any, *, table: Table) -> set[str]:
    """Return the table's keys that are there, those of tables in it with their table's name."""
    found = set()
    for one in values if isinstance(values, list) else [values]:
        for key in table.keys:
            if key.name in one:
                inner = table_of(key)
                found |= {key.name}
                found |= {f"{key.name}.{name}" for name in keys_in(one[key.name], table=inner)} if inner else set()
    return found


def test_recipe_has_every_key() -> None:
    known = {key.name for key in RECIPE.keys}
    known |= {f"{key.name}.{inner.name}" for key in RECIPE.keys if (table := table_of(key)) for inner in table.keys}
    assert keys_in(tomllib.loads((HERE / "everything.toml").read_text()), table=RECIPE) == known


def test_packages_are_those_of_the_recipe(built: Outputs) -> None:
    parts = {part["name"] for part in json.loads(built.sbom.read_text())["components"]}
    assert {"chooser", "second-choice", "own", "shop", "python3", "openssh-server"} <= parts
    assert "first-choice" not in parts
    assert [name for name in parts if re.fullmatch(r"linux-image-[\d.]+\+deb13-amd64", name)]


def test_slim_follows_the_recipe(built: Outputs) -> None:
    paths = built.tree().by_path()
    assert "usr/share/doc/chooser/changelog.Debian.gz" in paths
    assert "usr/share/doc/second-choice/changelog.Debian.gz" not in paths
    assert "usr/share/own/wanted" in paths
    assert "usr/share/own/unwanted" not in paths
    assert "locales" not in {rule.name for rule in built.report().rules}


def test_image_has_the_licence_and_no_secret(built: Outputs) -> None:
    assert read(built, "usr/share/jeos/EULA") == b"You agree.\n"
    assert not [path for path in built.tree().by_path() if path.endswith(("boot.key", "keys/ada"))]


def test_disk_has_the_sizes_of_the_recipe(built: Outputs) -> None:
    sizes = {part.label: part.size >> 20 for part in built.image.partitions}
    assert (sizes["esp"], sizes["data"]) == (96, 300)
    slots = [part.size >> 20 for part in built.image.partitions if part.number in (2, 4)]
    assert slots == [300, 300]
    assert (built.image.memory, built.image.cpus) == (640, 2)


def test_kernel_image_is_signed(built: Outputs) -> None:
    assert "Signature verification OK" in run("sbverify", "--cert", built.folder.parent / "keys/boot.crt", built.kernel)


def test_commands_have_a_network_only_if_the_recipe_says_so(built: Outputs) -> None:
    host = len(Path("/proc/net/dev").read_text().splitlines()) if user_network.complaint() else 4  # lo and tap0
    assert int(read(built, "usr/share/interfaces-without-network")) == 3  # two lines of headings, and lo
    assert int(read(built, "usr/share/interfaces-with-network")) == host


def test_image_has_what_updates_are_verified_with(built: Outputs) -> None:
    assert read(built, "usr/lib/jeos/root.json") == (built.folder.parent / "keys/root.json").read_bytes()
    said = json.loads(read(built, "usr/lib/jeos/appliance.json"))["update"]
    written = tomllib.loads((HERE / "everything.toml").read_text())["update"]
    assert (said["channel"], said["ring"], said["snapshot"]) == tuple(
        written[key] for key in ("channel", "ring", "snapshot")
    )
    assert built.image.updates


def test_licence_is_agreed_to_before_anything_starts(jeos: Jeos, built: Outputs, tmp_path: Path) -> None:
    somebody = jeos.having(JEOS_STATE_DIR=str(tmp_path))
    said = somebody.run("run", built.folder.parent, "--detach", status=2).stderr
    place = built.folder / f"{NAME}_{built.image.version}.eula.txt"
    assert said == (f"error: this appliance has a licence to agree to\nhint: read {place}, then add --accept-eula\n")
    assert place.read_text() == "You agree.\n"
    assert json.loads(somebody.run("ls", "--json").stdout) == []


def test_properties_are_checked_before_anything_starts(jeos: Jeos, built: Outputs) -> None:
    folder = built.folder.parent
    words = ["run", str(folder), "--detach", "--name", "bare", "--accept-eula"]
    said = jeos.run(*words, "--set", "tier=large", status=2).stderr
    assert said.startswith("error: the property password must be set\nhint: --set-file password=FILE")
    said = jeos.run(*words, "--set", "tier=medium", "--set", "password=x", status=2).stderr
    assert "small" in said
    assert "large" in said
    assert "bare" not in [one["machine"]["name"] for one in json.loads(jeos.run("ls", "--json").stdout)]


def test_properties_arrive(ports: dict[int, int]) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{ports[8000]}/", timeout=30) as answer:
        said = json.loads(answer.read())
    expected = {"SITE_TITLE": TITLE, "WORKERS": "4", "DEBUG": "false", "TIER": "large", "PASSWORD": None}
    assert said == {"environment": expected, "credential": SECRET}


def test_user_logs_in_with_the_key(built: Outputs, ports: dict[int, int]) -> None:
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "ConnectTimeout=60"]
    words: list[str | Path] = ["ssh", "-i", built.folder.parent / "keys/ada", "-p", str(ports[22])]
    words += [word for option in options for word in ("-o", option)]
    said = run(*words, "ada@127.0.0.1", "id; pwd; echo $SHELL; id -nG").splitlines()
    assert said[0].startswith("uid=1500(ada) gid=1500(ada)")
    assert said[1:3] == ["/var/home/lovelace", "/bin/bash"]
    assert {"adm", "keepers"} <= set(said[3].split())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("systemctl is-active own-wanted own-unwanted own-never shop ssh", "active inactive inactive active active"),
        ("systemctl is-enabled own-wanted own-unwanted own-never idle", "enabled disabled masked static"),
        ("systemctl --failed --plain --no-legend", ""),
        ("stat -c '%U:%G %a' /srv/site /srv/site/page.html", "shop:keepers 750 shop:keepers 640"),
        ("readlink /srv/site/deep/link", "../page.html"),
        ("stat -c '%U %a' /srv/drop", "shop 700"),
        ("cat /etc/motd", "Welcome."),
        ("id -nG shop", "shop keepers"),
        ("getent passwd shop | cut -d: -f7", "/usr/sbin/nologin"),
        ("cat /proc/sys/vm/swappiness /proc/sys/net/ipv4/ip_forward", "10 1"),
        ("cut -d' ' -f1 /proc/modules | grep -x dummy", "dummy"),
        ("grep -o everything=1 /proc/cmdline", "everything=1"),
        ("uname -r | grep -c cloud", "0"),
        ("nproc", "2"),
        ("hostname", NAME),
        ("systemctl is-active jeos-update.timer", "active"),
        ("cat /usr/share/jeos/EULA", "You agree."),
        ("jeos-agent status --json | grep -o 'jeos/EULA'", "jeos/EULA"),
        ("stat -c '%U %a' /run/jeos/secrets /run/jeos/secrets/password", "root 700 root 600"),
        ("grep -c -i password /run/jeos/properties.env", "0"),
        (". /etc/os-release; echo $IMAGE_ID $IMAGE_VERSION", f"{NAME} 2.1.0~rc1"),
    ],
)
def test_machine_is_as_the_recipe_says(jeos: Jeos, ports: dict[int, int], command: str, expected: str) -> None:
    assert " ".join(inside(jeos, NAME, "sh", "-c", f"{command}; true").split()) == expected


def test_unknown_unit_is_named(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "own", '[systemd]\nenable = ["nope.service"]\n', lock=tiny)
    said = jeos.run("build", recipe, status=3).stderr
    assert "error: the recipe is to enable nope.service, and the image has no such unit\nhint: " in said
    assert "nope.service" in (recipe / "build/logs/apply.log").read_text()
