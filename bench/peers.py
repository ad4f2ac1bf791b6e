"""The tools that jeos is measured beside, each as its manual says and with its packages downloaded before.

mmdebstrap makes a tar of the appliance, mkosi a bootable disk. Both work in a folder of the caller's, so that the
measurement says what they cost and not what the disk does.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.build import sources
from jeos.model.recipe import Recipe
from measure import Cost, cost, median

SUITE = "trixie"
PACKAGES = ("linux-image-cloud-amd64", "systemd", "systemd-sysv", "udev", "dbus", "openssh-server")
OLDEST_MKOSI = 25  # that of Debian 13; earlier ones have other names for the settings below

MKOSI_CONF = """\
[Distribution]
Distribution=debian
Release={suite}

[Output]
Format=disk
ImageId=bench

[Content]
Bootable=yes
Packages={packages}

[Build]
BuildSources=
"""


@dataclass(frozen=True, slots=True)
class Mkosi:
    """What mkosi's three builds cost: everything anew, nothing changed, and one package more as a volatile one."""

    first: Cost
    again: Cost
    added: Cost


def mirrors(suite: str = SUITE) -> list[str]:
    """Return apt lines for a suite from the addresses that this machine's apt has."""
    found = sources.repositories(Recipe(name="bench", version="1", suite=suite), folder=Path())
    return [f"deb {one.url} {suite} {' '.join(one.components)}" for one in found for suite in one.suites]


def sources_file() -> str:
    """Return the same in apt's newer form: mkosi's own list has archives of debug symbols, which mirrors may lack."""
    found = sources.repositories(Recipe(name="bench", version="1"), folder=Path())
    stanza = "Types: deb\nURIs: {url}\nSuites: {suites}\nComponents: {components}\nSigned-By: {key}\n"
    return "\n".join(
        stanza.format(url=one.url, suites=" ".join(one.suites), components=" ".join(one.components), key=one.keys[0])
        for one in found
    )


def mmdebstrap_cost(work: Path, *, runs: int) -> Cost | None:
    """Return what mmdebstrap's tar costs with its packages in a folder, or None without mmdebstrap."""
    if shutil.which("mmdebstrap") is None:
        return None
    debs = work / "debs"
    debs.mkdir()
    common = ["mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(PACKAGES)}", "--skip=essential/unlink"]
    keep = [f'--customize-hook=cp "$1"/var/cache/apt/archives/*.deb {debs}/', "--skip=cleanup/apt/cache"]
    give = [f'--setup-hook=mkdir -p "$1"/var/cache/apt/archives && cp {debs}/*.deb "$1"/var/cache/apt/archives/']
    last = ["--skip=download/empty", SUITE, str(work / "mmdebstrap.tar"), *mirrors()]
    env = {"TMPDIR": str(work)}
    cost([*common, *keep, *last], env=env)
    return median([cost([*common, *give, *last], env=env) for _ in range(runs)])


def mkosi_version() -> int:
    """Return mkosi's version, or 0 if it is not installed."""
    if shutil.which("mkosi") is None:
        return 0
    text = subprocess.run(["mkosi", "--version"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"\d+", text)
    return int(found.group()) if found else 0


def mkosi_cost(work: Path, *, runs: int, more: str) -> Mkosi | None:
    """Return what mkosi's disk costs, or None without a mkosi that is new enough; `more` is the package added last.

    A first run of each kind downloads what it needs and is not counted; the others are told to ask no mirror.
    """
    if mkosi_version() < OLDEST_MKOSI:
        return None
    folders = {name: work / "mkosi" / name for name in ("config", "packages", "cache", "workspace", "output")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    text = MKOSI_CONF.format(suite=SUITE, packages=",".join((*PACKAGES, "systemd-boot")))
    (folders["config"] / "mkosi.conf").write_text(text)
    apt = folders["config"] / "mkosi.sandbox/etc/apt/sources.list.d"
    apt.mkdir(parents=True)
    (apt / "mkosi.sources").write_text(sources_file())

    def build(*options: str, offline: bool = True) -> Cost:
        argv: Sequence[str | Path] = [
            "mkosi",
            "--force",
            f"--package-cache-directory={folders['packages']}",
            f"--cache-directory={folders['cache']}",
            f"--workspace-directory={folders['workspace']}",
            f"--output-directory={folders['output']}",
            f"--cache-only={'always' if offline else 'auto'}",
            *options,
            "build",
        ]
        return cost(argv, env={"TMPDIR": str(work)}, cwd=folders["config"])

    incremental, volatile = "--incremental=yes", f"--volatile-package={more}"
    build(offline=False)
    first = median([build() for _ in range(runs)])
    build(incremental, volatile, offline=False)
    again = median([build(incremental) for _ in range(runs)])
    return Mkosi(first=first, again=again, added=median([build(incremental, volatile) for _ in range(runs)]))
