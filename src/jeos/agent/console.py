"""The status screen: a few lines on the guest's consoles, for whoever looks at the machine and not at its network."""

import os
from collections.abc import Mapping, Sequence

ACTIVE = "/sys/class/tty/console/active"
BAR = "-" * 60


def consoles(place: str = ACTIVE) -> list[str]:
    """Return the devices that the kernel shows its messages on; the foreground terminal is tty1's place."""
    try:
        with open(place) as file:
            names = file.read().split()
    except OSError:
        return []
    return [f"/dev/{'tty1' if name == 'tty0' else name}" for name in names]


def screen(described: Mapping[str, object]) -> str:
    """Return the screen for what `jeos.agent.status` says. Nothing in it changes with time alone."""
    lines = ["", BAR, f" {described['name']} {described['version']}".rstrip()]
    addresses, ports = described["addresses"], described["ports"]
    if isinstance(addresses, list):
        lines.append(f" address  {', '.join(addresses) or 'none yet'}")
    if isinstance(ports, list) and ports:
        lines.append(f" ports    {', '.join(_port(port) for port in ports)}")
    if described.get("licence"):
        lines.append(f" licence  {described['licence']}")
    lines.append(f" health   {described['health']}")
    reasons = described["reasons"]
    if isinstance(reasons, list):
        lines += [f"          {_plain(str(reason))}" for reason in reasons]
    slot, update = described.get("slot"), described.get("update")
    if isinstance(update, dict):
        from jeos.agent import update_status  # only in images that update themselves

        first, *more = update_status.lines(update)
        lines.append(f" update   {_plain(first)}")
        lines += [f"          {_plain(line)}" for line in ([f"runs from slot {slot}"] if slot else []) + more]
    return "\n".join([*lines, BAR, ""])


def put(text: str, places: Sequence[str]) -> None:
    """Write a text on consoles; one that does not take it at once goes without."""
    for place in places:
        try:
            descriptor = os.open(place, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            os.write(descriptor, text.replace("\n", "\r\n").encode(errors="replace"))
        except OSError:
            pass
        finally:
            os.close(descriptor)


def _port(port: object) -> str:
    if not isinstance(port, dict):
        return "?"
    name = f" ({port['name']})" if port.get("name") else ""
    return f"{port.get('guest')}/{port.get('protocol', 'tcp')}{name}"


def _plain(text: str) -> str:
    """Return a text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
