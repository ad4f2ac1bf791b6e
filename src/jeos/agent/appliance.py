"""What the guest knows about itself: `/usr/lib/jeos/appliance.json`, written by the build.

    {"name": "hello", "version": "1.0.0", "vendor": "…", "summary": "…",
     "ports": [{"guest": 80, "protocol": "tcp", "name": "web"}],
     "health": [{"name": "web", "http": "http://localhost/", "status": 200, "timeout": 10, "within": 120}],
     "properties": [{"name": "admin_email", "type": "string", "required": true, "secret": false, …}],
     "update": {"channel": "https://updates.example/hello", "hold": "60s", "snapshot": [], …}}

Keys have the names of `jeos.model.recipe`'s Health, Property and Update; one that is missing has that class's default.
"""

import json
import os
from collections.abc import Mapping

PLACE = "/usr/lib/jeos/appliance.json"
RUN = "/run/jeos"
KERNEL_COMMAND_LINE = "/proc/cmdline"


class Appliance:
    """The appliance that this guest is."""

    __slots__ = ("health", "name", "ports", "properties", "update", "vendor", "version")

    def __init__(self, said: Mapping[str, object]) -> None:
        self.name = text(said, "name", "appliance")
        self.version = text(said, "version", "")
        self.vendor = text(said, "vendor", "")
        self.ports = objects(said, "ports")
        self.health = objects(said, "health")
        self.properties = objects(said, "properties")
        update = said.get("update")
        self.update: dict[str, object] = update if isinstance(update, dict) else {}


def read(place: str = PLACE) -> Appliance:
    """Return the appliance that a file describes; a nameless one if there is none, so that the agent always serves."""
    try:
        with open(place, encoding="utf-8") as file:
            said = json.load(file)
    except (OSError, ValueError):
        said = {}
    return Appliance(said if isinstance(said, dict) else {})


def text(said: Mapping[str, object], key: str, default: str) -> str:
    """Return a text out of a JSON object."""
    value = said.get(key)
    return value if isinstance(value, str) else default


def number(said: Mapping[str, object], key: str, default: float) -> float:
    """Return a number out of a JSON object."""
    value = said.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default


def objects(said: Mapping[str, object], key: str) -> list[dict[str, object]]:
    """Return a list of objects out of a JSON object."""
    value = said.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def write(path: str, content: str, *, mode: int = 0o644) -> None:
    """Write a small file at once: readers see the old content or the new. `jeos.core.files` is too large to ship."""
    folder, name = path.rpartition("/")[::2]
    os.makedirs(folder, mode=0o755, exist_ok=True)
    temporary = f"{folder}/.{name}.{os.getpid()}.partial"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
