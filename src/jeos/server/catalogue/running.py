"""The line to paste that takes an appliance and runs it with jeos."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from jeos.server.catalogue.models import Appliance, Version

RUNS = ("qcow2", "raw")  # formats of disks that `jeos run` starts, the best first
LOWEST_PORT = 1024  # that everybody may listen on
SHIFT = 8000  # so that port 80 of the guest is 8080 of the host, and 443 is 8443


def best(downloads: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the download that `jeos run` takes first, or None if it takes none of them."""
    known = [download for download in downloads if download.get("format") in RUNS]
    return min(known, key=lambda download: RUNS.index(download["format"]), default=None)


def line(appliance: Appliance, version: Version) -> str:
    """Return the commands that fetch and run a version, one a line; "" if nothing is there that can be run."""
    download = best(version.downloads)
    if download is None:
        return ""
    file = urlsplit(download["url"]).path.rpartition("/")[2] or f"{appliance.name}.{download['format']}"
    words = ["jeos", "run", file]
    if appliance.facts.get("memory"):  # a disk alone does not say what it wants
        words += ["--memory", f"{appliance.facts['memory']}M"]
    if appliance.facts.get("cpus", 1) > 1:
        words += ["--cpus", str(appliance.facts["cpus"])]
    for port in appliance.facts.get("ports", ()):
        words += ["--port", f"{host_port(port['guest'])}:{port['guest']}{_protocol(port)}"]
    lines = [shlex.join(["curl", "-fLO", download["url"]])]
    if download.get("sha256"):
        lines.append(f"echo {shlex.quote(download['sha256'] + '  ' + file)} | sha256sum -c")
    return "\n".join([*lines, shlex.join(words)])


def required(appliance: Appliance) -> list[str]:
    """Return the properties that must be given: `jeos run` gives them to what it built, not to a disk alone."""
    rows = appliance.facts.get("properties", ())
    return [one["name"] for one in rows if one.get("required") and one.get("default") is None]


def host_port(guest: int) -> int:
    """Return the port of the host that leads to one of the guest."""
    return guest if guest >= LOWEST_PORT else SHIFT + guest


def _protocol(port: dict[str, Any]) -> str:
    return "" if port.get("protocol", "tcp") == "tcp" else f"/{port['protocol']}"
