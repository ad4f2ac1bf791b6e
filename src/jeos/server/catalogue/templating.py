"""What the catalogue's templates call: sizes in words, addresses of versions, names of formats."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jeos.model.advisory import Urgency
from jeos.server.catalogue.models import Appliance
from jeos.server.dates import number

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
STEP = 1024


def size_words(size: int) -> str:
    """Return bytes in the largest binary unit that keeps the number readable, as 1.5 KiB."""
    value = float(size)
    for unit in UNITS:
        if value < STEP or unit == UNITS[-1]:
            digits = 0 if unit == "B" or value >= 100 else 1
            return f"{formats.number_format(round(value, digits), decimal_pos=digits)}\u00a0{unit}"
        value /= STEP
    raise AssertionError("unreachable")


def version_page(appliance: Appliance, version: str) -> str:
    """Return the address of a version's page."""
    return f"{appliance.get_absolute_url()}versions/{quote(version)}/"


def host_of(address: str) -> str:
    """Return the host of an address, as people read it."""
    return urlsplit(address).hostname or address


def finding_names() -> dict[str, str]:
    """Return what an urgency is called on the page of a version; the most urgent first."""
    return {
        "critical": _("critical"),
        "high": _("high"),
        "medium": _("medium"),
        "low": _("low"),
        "unknown": _("not rated"),
        "unimportant": _("unimportant"),
    }


def finding_counts(findings: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return how many vulnerabilities of each urgency there are: its name, and the words; the most urgent first."""
    words = {
        "critical": ngettext("{n} critical", "{n} critical", findings.get("critical", 0)),
        "high": ngettext("{n} high", "{n} high", findings.get("high", 0)),
        "medium": ngettext("{n} medium", "{n} medium", findings.get("medium", 0)),
        "low": ngettext("{n} low", "{n} low", findings.get("low", 0)),
        "unknown": ngettext("{n} not rated", "{n} not rated", findings.get("unknown", 0)),
        "unimportant": ngettext("{n} unimportant", "{n} unimportant", findings.get("unimportant", 0)),
    }
    return [(name, said.format(n=number(findings[name]))) for name, said in words.items() if findings.get(name)]


def urgency_name(urgency: int) -> str:
    """Return what an urgency is called in classes and counts."""
    return Urgency(urgency).name.lower()


NAMES: dict[str, object] = {
    "size_words": size_words,
    "version_page": version_page,
    "host_of": host_of,
    "finding_counts": finding_counts,
    "urgency_name": urgency_name,
}
