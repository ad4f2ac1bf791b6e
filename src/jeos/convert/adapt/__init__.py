"""What would stop a foreign machine from working on its new home, and how it is mended: one module for each fix.

    for fix in plan(machine, options):
        print(fix.title, fix.notes, fix.cannot)

A module here is a fix: `NAME`, `TITLE`, `ORDER` (fixes are planned from the smallest on) and
`plan(machine, options) -> Fix | None`, which only looks, and returns None where there is nothing to mend. Each is
planned on what those before it would leave. Those whose names start with "windows_" are for Windows alone. Adding a fix
is adding its module and its test.
"""

import importlib
import pkgutil
from functools import cache
from typing import Protocol, cast

from jeos.convert.changed import Changed
from jeos.convert.changes import Fix
from jeos.convert.machine import Machine, Options
from jeos.core.errors import InputError


class Module(Protocol):
    """What a module of this package has."""

    NAME: str
    TITLE: str
    ORDER: int

    def plan(self, machine: Machine, options: Options) -> Fix | None:
        """Return what to change, or None where nothing needs to be."""
        ...


def modules() -> tuple[Module, ...]:
    """Return all fixes, in the order in which they are planned."""
    return _modules(windows=True)


@cache
def _modules(*, windows: bool) -> tuple[Module, ...]:
    """Return all fixes, or those that may be of use to others than Windows: loading the rest would only cost time."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    names = [name for name in names if windows or not name.startswith("windows_")]
    found = [cast(Module, importlib.import_module(f"{__name__}.{name}")) for name in names]
    return tuple(sorted(found, key=lambda module: module.ORDER))


def plan(machine: Machine, options: Options) -> tuple[Fix, ...]:
    """Return what each fix would change, in order; what a damaged file keeps from being mended is in its `cannot`."""
    fixes: list[Fix] = []
    for module in _modules(windows=not machine.linux):
        try:
            fix = module.plan(machine, options)
        except InputError as error:
            fix = Fix(name=module.NAME, title=module.TITLE, cannot=(error.message,))
        if fix is None:
            continue
        fixes.append(fix)
        machine = Machine(survey=machine.survey, system=machine.system, root=Changed(machine.root, fix.changes))
    return tuple(fixes)
