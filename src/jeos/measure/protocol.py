"""The lines that the measuring program says (probe/probe.lua), as values.

parse("@ done system-call 76470 1 - 8280 152.2 152.6")   # Done(name="system-call", operations=76470, …)
parse("Linux version 6.12 …")                            # None: a line of somebody else
"""

from dataclasses import dataclass

from jeos.core.errors import MachineError

MARK = "@ "
GO = b"go\n"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something worth knowing of the system that measures."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The program waits for a line before it measures this."""

    name: str


@dataclass(frozen=True, slots=True)
class Warm:
    """The program has prepared this, filled caches, and waits for another line."""

    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The program has measured this, and waits for a line before it says what came out."""

    name: str


@dataclass(frozen=True, slots=True)
class Done:
    """What was measured: `nanoseconds` of one operation for each repetition, in order.

    `operations` counts those of all repetitions; page `faults`, `misses` of the data TLB and nanoseconds that the
    program `waited` for a processor are of all of them, None where not known.
    """

    name: str
    operations: int
    nanoseconds: tuple[float, ...]
    faults: int | None = None
    misses: int | None = None
    waited: int | None = None


@dataclass(frozen=True, slots=True)
class Lacks:
    """What cannot be measured there, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The program ended before its end."""

    why: str


@dataclass(frozen=True, slots=True)
class End:
    """All is measured."""


Said = Fact | Ready | Warm | Stop | Done | Lacks | Failed | End


def parse(line: str) -> Said | None:
    """Return what a line says, or None for one that is not the program's. Raises MachineError if it is garbled."""
    if not line.startswith(MARK):
        return None
    kind, _, rest = line.removeprefix(MARK).strip().partition(" ")
    first, _, text = rest.partition(" ")
    if kind == "fact":
        return Fact(first, text)
    if kind == "ready":
        return Ready(first)
    if kind == "warm":
        return Warm(first)
    if kind == "stop":
        return Stop(first)
    if kind == "lacks":
        return Lacks(first, text)
    if kind == "failed":
        return Failed(rest)
    if kind == "end":
        return End()
    if kind == "done":
        return _done(first, text.split(), line=line)
    raise _garbled(line)


def _done(name: str, words: list[str], *, line: str) -> Done:
    try:
        operations, faults, misses, waited = (None if word == "-" else int(word) for word in words[:4])
        nanoseconds = tuple(float(word) for word in words[4:])
    except ValueError:
        raise _garbled(line) from None
    if not operations or not nanoseconds:
        raise _garbled(line)
    return Done(name, operations, nanoseconds, faults=faults, misses=misses, waited=waited)


def _garbled(line: str) -> MachineError:
    return MachineError(f"the measuring program said something garbled: {line[:200]!r}", hint="measure again")
