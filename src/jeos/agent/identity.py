"""Becoming a machine of its own: what a copy of a running machine must not share with the one that it was made of.

    {"machine_id": "6b7f0c1e…", "macs": {"52:54:00:0a:bc:de": "52:54:00:11:22:33"}}

With `"rehearsal": true` nothing but the identity is touched, which is set to what it is: then all that this needs is in
memory when the machine is copied, and the copies need no time to load it.

The machine id, the addresses of the network cards, the SSH server's keys and the seed of the next boot's random numbers
become new. What else an appliance has that must differ, its own programs change: those in `/usr/lib/jeos/copy.d` and
`/etc/jeos/copy.d` are run in the order of their names, with the new machine id as their word.
Source: Linux, netdevice(7), SIOCSIFHWADDR; machine-id(5); sshd(8); systemd-random-seed.service(8).
"""

import fcntl
import os
import re
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress

from jeos.agent.appliance import write
from jeos.agent.freeze import hooks
from jeos.agent.health import try_command

MACHINE_ID = "/etc/machine-id"
SEED = "/var/lib/systemd/random-seed"
KEYS = "/etc/ssh"
HOOKS = ("/usr/lib/jeos/copy.d", "/etc/jeos/copy.d")
HOOK_SECONDS = 30.0
CARDS = "/sys/class/net"
SIOCSIFHWADDR = 0x8924  # linux/sockios.h
ARPHRD_ETHER = 1  # linux/if_arp.h
IFREQ = "16sH6s16x"  # struct ifreq, 40 bytes: a name, then a hardware address
KEYGEN = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f")  # one is enough, as at the first boot


def become(said: Mapping[str, object], *, folders: Sequence[str] = HOOKS) -> str:
    """Become the machine that the host says; return what failed, or "". Raises ValueError for what makes no sense."""
    name, macs = said.get("machine_id"), said.get("macs")
    if not isinstance(name, str) or not re.fullmatch("[0-9a-f]{32}", name) or not isinstance(macs, dict):
        raise ValueError("a machine's identity is a machine id and addresses")
    write_machine_id(name)
    with suppress(OSError):
        os.unlink(SEED)
    wrong = "" if said.get("rehearsal") else _run_programs(name, folders)
    change_addresses({str(old): str(new) for old, new in macs.items()})  # last: others wake up for it, and take turns
    return wrong


def _run_programs(name: str, folders: Sequence[str]) -> str:
    wrong = renew_keys()
    for hook in hooks(folders):
        failed = try_command([hook, name], seconds=HOOK_SECONDS)
        wrong = wrong or (f"{hook}: {failed}" if failed else "")
    return wrong


def slow(said: Mapping[str, object], folders: Sequence[str] = HOOKS) -> bool:
    """Tell whether becoming another machine means running programs, which takes its time."""
    return not said.get("rehearsal") and bool(key_files() or hooks(folders))


def write_machine_id(name: str, place: str = MACHINE_ID) -> None:
    """Replace the machine id; where something is mounted over it, what that holds."""
    try:
        write(place, f"{name}\n", mode=0o444)
    except OSError:
        with open(place, "w", encoding="utf-8") as file:
            file.write(f"{name}\n")


def change_addresses(macs: Mapping[str, str], folder: str = CARDS) -> None:
    """Give each network card that has an old address the new one. Raises OSError if the card refuses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for card in sorted(os.listdir(folder)):
            try:
                with open(f"{folder}/{card}/address") as file:
                    new = macs.get(file.read().strip(), "")
            except OSError:  # it is no card
                continue
            if new:
                fcntl.ioctl(any_socket, SIOCSIFHWADDR, request_of(card, new))


def request_of(card: str, address: str) -> bytes:
    """Return the kernel's form of an order to give a card an address."""
    return struct.pack(IFREQ, card.encode(), ARPHRD_ETHER, bytes.fromhex(address.replace(":", "")))


def key_files(folder: str = KEYS) -> "list[str]":
    """Return the SSH server's keys, both halves of each."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [f"{folder}/{name}" for name in sorted(names) if re.fullmatch(r"ssh_host_[a-z0-9]+_key(\.pub)?", name)]


def renew_keys(folder: str = KEYS) -> str:
    """Replace the SSH server's keys, if it has any, and have it take the new one; return what failed, or ""."""
    old = key_files(folder)
    if not old:
        return ""
    for path in old:
        os.unlink(path)
    failed = try_command([*KEYGEN, f"{folder}/ssh_host_ed25519_key"], seconds=HOOK_SECONDS)
    return failed or try_command(["systemctl", "try-restart", "ssh.service"], seconds=HOOK_SECONDS)
