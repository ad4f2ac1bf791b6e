"""A machine as it was at one instant, kept in files: what its devices and memory held, and which disks belong to it.

`Saved` is written last (`saved.json`), so that a folder with one is complete. A `Start` tells a machine's supervisor
where the memory is that it begins with.
"""

import json
from dataclasses import asdict, dataclass

from jeos.core.errors import InputError
from jeos.model.machine import Machine, machine_text, parse_machine

DEFAULT = "saved"  # the name of what is saved without one


@dataclass(frozen=True, slots=True)
class Start:
    """How a machine starts that does not begin with an empty memory.

    `ram` is the file that is its memory, "" for ordinary memory; if it is `private`, the machine sees what the file
    holds and keeps its own changes to itself. `devices` is the file with what its devices (and an ordinary memory)
    held, "" for a machine that boots. `again` is one that was there before: its identity stays; another was made of one
    whose network cards had the addresses `old_macs`. `agent` tells whether an agent is in the guest, `qemu` which QEMU
    wrote the file. `balloon` is what ordinary machines have. `first_address` is the first one that QEMU's own network
    gives away, "" for the usual one. `vsock` tells whether it had one, `packed` whether its queues are packed rings.
    """

    ram: str = ""
    private: bool = False
    devices: str = ""
    again: bool = True
    agent: bool = False
    balloon: bool = True
    network: str = ""
    accelerator: str = ""
    qemu: str = ""
    first_address: str = ""
    vsock: bool = False
    packed: bool = False
    old_macs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """A machine at one instant; `tag` names its disks' states and its folder, `taken` is in seconds since 1970.

    `stopped` tells that the machine did not run on afterwards, `size` is what its files take, in bytes.
    """

    name: str
    tag: str
    machine: Machine
    taken: float = 0.0
    qemu: str = ""
    accelerator: str = ""
    network: str = ""
    version: str = ""
    agent: bool = False
    balloon: bool = True
    first_address: str = ""
    vsock: bool = False
    packed: bool = False
    stopped: bool = False
    size: int = 0


def start_text(start: Start) -> str:
    """Return a start as one line of JSON."""
    return json.dumps(asdict(start))


def parse_start(text: str) -> Start:
    """Read a start from JSON that `start_text` wrote."""
    fields = json.loads(text)
    fields["old_macs"] = tuple(fields["old_macs"])
    return Start(**fields)


def saved_text(saved: Saved) -> str:
    """Return what was saved as JSON."""
    fields = {**asdict(saved), "machine": json.loads(machine_text(saved.machine))}
    return json.dumps(fields, indent=2) + "\n"


def parse_saved(text: str, *, source: str) -> Saved:
    """Read what was saved from JSON; raises InputError, naming `source`, if it is not that."""
    try:
        fields = json.loads(text)
        fields["machine"] = parse_machine(json.dumps(fields["machine"]), source=source)
        return Saved(**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source} does not tell what was saved: {error}", hint="remove it: jeos rm") from None
