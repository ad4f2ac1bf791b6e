"""How a host runs machines best, as `jeos tune` measured it: settings that no program in a guest sees.

They are this host's, not a machine's: the same machine may run elsewhere with others. A `Profile` holds for the kernel
and the QEMU with which it was measured, and for no others.
"""

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from jeos.core.errors import InputError


class Engine(StrEnum):
    """How QEMU hands requests for a disk to the host's kernel: by threads that wait, Linux AIO, or io_uring."""

    THREADS = "threads"
    NATIVE = "native"
    IO_URING = "io_uring"


@dataclass(frozen=True, slots=True)
class Tuning:
    """`direct` goes around the host's cache, an `iothread` serves the disks, `huge` pages of 2 MiB are the memory.

    With `packed`, each queue of disks and networks is one ring that both sides write (virtio 1.1, 2.8), not three
    areas. A guest agrees to that when it boots, so that one that is brought back keeps what it had.
    """

    engine: Engine = Engine.THREADS
    direct: bool = False
    iothread: bool = False
    huge: bool = False
    packed: bool = False


USUAL = Tuning()


@dataclass(frozen=True, slots=True)
class Profile:
    """A tuning, when it was measured (seconds since 1970), and with which kernel and which file of QEMU."""

    tuning: Tuning
    taken: int
    kernel: str
    qemu: str


def profile_text(profile: Profile) -> str:
    """Return a profile as JSON."""
    return json.dumps(asdict(profile), indent=2) + "\n"


def parse_profile(text: str, *, source: str) -> Profile:
    """Read a profile from JSON. Raises InputError, naming `source`, if it is not one."""
    try:
        found = json.loads(text)
        tuning = found["tuning"]
        flags = {field.name: tuning.get(field.name, False) for field in fields(Tuning) if field.name != "engine"}
        if not all(isinstance(flag, bool) for flag in flags.values()):
            raise TypeError("a setting is neither true nor false")
        return Profile(
            tuning=Tuning(engine=Engine(tuning["engine"]), **flags),
            taken=int(found["taken"]),
            kernel=str(found["kernel"]),
            qemu=str(found["qemu"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{source} is not a host's profile: {error}", hint="measure again: jeos tune --apply, or jeos tune --reset"
        ) from None
