"""The proof that a point is worth something: its machine starts from it, in isolation, and is well.

    outcome = prove(vault, point, supply=["backup", "serve", …], within=600)
    outcome.reached             # "agent": its health checks hold; "login": it came up, and has no agent to ask

Nothing is restored for it, and nothing is left of it: the machine reads from the vault, has no network, and writes to
an overlay that is deleted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from jeos.backup import boot
from jeos.model.snapshot import Point
from jeos.store.vault import Vault
from jeos.vm import first_start
from jeos.vm.first_start import Outcome

NAME = "proof"


def prove(
    vault: Vault, point: Point, *, supply: Sequence[str], within: float, values: Mapping[str, str] | None = None
) -> Outcome:
    """Start a point and watch it for up to `within` seconds; `values` are its properties, which no backup holds.

    Raises MachineError if QEMU does not start or ends.
    """
    machine = boot.machine(vault, point, name=NAME, supply=supply, isolated=True)
    return first_start.watch(
        replace(machine, properties=tuple(sorted(values or {}))),
        within=within,
        values=values,
        nvram=boot.nvram(vault, point),
        health=bool(machine.appliance),
    )
