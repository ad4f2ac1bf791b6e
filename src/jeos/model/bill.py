"""A bill of materials (CycloneDX), read for what is in an appliance: packages, versions, and Debian's sources of them.

    for part in parts(document):
        part.name, part.version, part.source, part.source_version

A document may come from anybody: what makes no sense is left out, and what is too large is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from jeos.core.errors import InputError

MOST_PARTS = 20_000
LONGEST = 200  # characters of a name or version
_DEBIAN = re.compile(r"(?:[0-9]+:)?[0-9A-Za-z.+~:-]+")  # deb-version(7)


@dataclass(frozen=True, slots=True)
class Part:
    """One package: `kind` is the type of its package URL ("deb", "pypi"), `distribution` as "debian-13" or "".

    `source` and `source_version` are those of Debian's source package, which its security tracker speaks of.
    """

    name: str
    version: str
    kind: str
    distribution: str = ""
    source: str = ""
    source_version: str = ""


def parts(document: Mapping[str, object]) -> list[Part]:
    """Return the packages of a bill of materials, by name. Raises InputError if it is none or has too many."""
    components = document.get("components", [])
    if document.get("bomFormat") != "CycloneDX" or not isinstance(components, list):
        raise InputError("this is no bill of materials (CycloneDX)", hint="`jeos sbom` prints one")
    if len(components) > MOST_PARTS:
        raise InputError(f"this bill of materials has {len(components)} parts, more than {MOST_PARTS}")
    found = [part for component in components if isinstance(component, dict) for part in [_part(component)] if part]
    return sorted({(part.kind, part.name): part for part in found}.values(), key=lambda part: (part.name, part.kind))


def _part(component: Mapping[str, object]) -> Part | None:
    """Return one component, or None for what is no package."""
    url = component.get("purl")
    if not isinstance(url, str) or not url.startswith("pkg:") or len(url) > LONGEST * 5:
        return None
    path, _, query = url.removeprefix("pkg:").partition("#")[0].partition("?")
    place, at, version = path.rpartition("@")
    kind, _, name = place.partition("/")
    name, version = unquote(name.rpartition("/")[2]), unquote(version)
    if not at or not _is_line(name) or not _is_line(version) or not _is_line(kind):
        return None
    qualifiers = {key: values[0] for key, values in parse_qs(query).items()}
    distribution = qualifiers.get("distro", "") if kind == "deb" else ""
    source, _, source_version = qualifiers.get("upstream", "").partition("@")
    source, source_version = source or name, source_version or version
    if not _is_line(source) or not _is_line(source_version) or (distribution and not _is_line(distribution)):
        return None
    if kind != "deb" or not _DEBIAN.fullmatch(source_version):
        source = source_version = ""
    return Part(
        name=name,
        version=version,
        kind=kind,
        distribution=distribution,
        source=source,
        source_version=source_version,
    )


def _is_line(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isprintable()
