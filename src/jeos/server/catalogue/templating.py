"""What the catalogue's templates call: sizes in words, addresses of versions, names of formats."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from django.utils import formats

from jeos.server.catalogue.models import Appliance

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


NAMES: dict[str, object] = {"size_words": size_words, "version_page": version_page, "host_of": host_of}
