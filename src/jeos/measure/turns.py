"""The words with which sides are led through the measurements, one at a time."""

from typing import TypeVar

from jeos.measure.protocol import Done, End, Fact, Lacks, Ready, Stop, Warm
from jeos.measure.side import Side

Said = TypeVar("Said", Warm, Stop, Done)


async def next_name(side: Side, facts: dict[str, str]) -> str:
    """Return the name of what a side is ready to measure, "" if it is at its end; keep the facts that it tells."""
    while True:
        said = await side.hear()
        if isinstance(said, Fact):
            facts[said.name] = said.text
        elif isinstance(said, Ready):
            return said.name
        elif isinstance(said, End):
            return ""


async def let(side: Side, end: type[Said], lacks: dict[str, str]) -> Said | None:
    """Let a side prepare what it is ready for (`Warm`), measure it (`Stop`), tell of it (`Done`); None if it cannot."""
    await side.go()
    while True:
        said = await side.hear()
        if isinstance(said, end):
            return said
        if isinstance(said, Lacks):
            lacks[side.name] = said.why
            return None
