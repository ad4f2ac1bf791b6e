"""What else the site has about an appliance: content of other kinds with one of its tags, or with its name as a tag."""

from __future__ import annotations

from jeos.server.accounts.models import Member
from jeos.server.catalogue.models import Appliance
from jeos.server.content import kinds, tags
from jeos.server.content.kinds import Card
from jeos.server.content.models import Tagged

OF_EACH = 12  # pieces that are looked at for each tag
MOST = 8


def tag_of(appliance: Appliance) -> str:
    """Return the tag of what is about an appliance: its name, or the tag that this is a synonym of."""
    name = tags.normal(appliance.name)
    return next((tag.name for tag in tags.resolve([name], create=False)), name)


def cards(appliance: Appliance, member: Member | None) -> list[Card]:
    """Return the newest threads, pages, practices and so on; what has the appliance's name as a tag comes first."""
    names = [tags.normal(appliance.name), *appliance.tags.split()]
    found = {tag.name: tag for tag in tags.resolve(names, create=False)}
    keys: dict[tuple[int, int], None] = {}
    rest: list[Tagged] = []
    for position, name in enumerate(dict.fromkeys(names)):
        if name not in found:
            continue
        rows = Tagged.objects.filter(tag=found[name]).exclude(kind=kinds.APPLIANCE).order_by("-date", "-id")[:OF_EACH]
        if position == 0:
            keys.update({(row.kind, row.number): None for row in rows})
        else:
            rest += rows
    for row in sorted(rest, key=lambda row: (row.date, row.pk), reverse=True):
        keys[row.kind, row.number] = None
    return kinds.cards(list(keys)[: MOST * 2], member=member)[:MOST]
