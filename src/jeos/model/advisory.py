"""Known vulnerabilities of Debian's source packages, from the files in which others publish them.

    for advisory in read(json_document):
        advisory.identifier, advisory.source, is_affected(advisory, "3.5.1-1")

Two formats are read: the JSON of Debian's security tracker (one document: packages, of these CVEs, of these releases),
and the Open Source Vulnerability format (OSV 1.7, one document for each advisory, or a list) for ecosystems `Debian:N`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from jeos.core.errors import InputError
from jeos.model import debian_version
from jeos.model.debian_releases import distribution

LONGEST = 200  # characters of a version or name
SUMMARY = 300  # characters of what an advisory says
_VERSION = re.compile(r"(?:[0-9]+:)?[0-9A-Za-z.+~:-]+")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{2,59}")


class Urgency(IntEnum):
    """How urgent a fix is, as the advisory says, or its CVSS score."""

    UNIMPORTANT = 0
    UNKNOWN = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


WORDS = {
    "unimportant": Urgency.UNIMPORTANT,
    "negligible": Urgency.UNIMPORTANT,
    "low": Urgency.LOW,
    "medium": Urgency.MEDIUM,
    "moderate": Urgency.MEDIUM,
    "high": Urgency.HIGH,
    "important": Urgency.HIGH,
    "critical": Urgency.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Advisory:
    """A vulnerability of one source package in one release of a distribution.

    Affected are versions from `introduced` on ("" is the first) that are before `fixed` ("" is never) and not after
    `last` ("" is no bound).
    """

    identifier: str
    distribution: str
    source: str
    introduced: str = ""
    fixed: str = ""
    last: str = ""
    urgency: Urgency = Urgency.UNKNOWN
    summary: str = ""


@lru_cache(maxsize=65_536)
def _key(version: str) -> tuple[object, ...]:
    return debian_version.sort_key(version)


def is_affected(advisory: Advisory, version: str) -> bool:
    """Tell whether a version of the advisory's source package has the vulnerability."""
    if advisory.introduced and _key(version) < _key(advisory.introduced):
        return False
    if advisory.last and _key(version) > _key(advisory.last):
        return False
    return not advisory.fixed or _key(version) < _key(advisory.fixed)


def kind_of(document: object) -> str:
    """Return "osv" or "debian", by the form of a document. Raises InputError for another."""
    if isinstance(document, list):
        return "osv"
    if isinstance(document, dict):
        if "id" in document and ("affected" in document or "modified" in document):
            return "osv"
        first = next(iter(document.values()), None)
        inner = next(iter(first.values()), None) if isinstance(first, dict) else None
        if isinstance(inner, dict) and "releases" in inner:
            return "debian"
    raise InputError(
        "these are no advisories", hint="the JSON of Debian's security tracker, or of the OSV format, is wanted"
    )


def read(document: object) -> Iterator[Advisory]:
    """Yield the advisories in a document; entries that make no sense are left out. Raises InputError."""
    if kind_of(document) == "debian":
        assert isinstance(document, dict)
        yield from _debian(document)
        return
    for one in document if isinstance(document, list) else [document]:
        if isinstance(one, dict) and not one.get("withdrawn"):
            yield from _osv(one)


def _debian(document: Mapping[str, object]) -> Iterator[Advisory]:
    """Yield what Debian's tracker says: by package, vulnerability and release."""
    for source, entries in document.items():
        if not _is_name(source) or not isinstance(entries, dict):
            continue
        for identifier, entry in entries.items():
            releases = entry.get("releases") if isinstance(entry, dict) else None
            if not _IDENTIFIER.fullmatch(identifier) or not isinstance(releases, dict):
                continue
            summary = _line(entry.get("description"))
            for release, state in releases.items():
                found = _state(state) if isinstance(state, dict) else None
                if found is not None:
                    fixed, urgency = found
                    yield Advisory(
                        identifier, distribution(release), source, fixed=fixed, urgency=urgency, summary=summary
                    )


def _state(state: Mapping[str, object]) -> tuple[str, Urgency] | None:
    """Return in which version something is fixed ("" is in none) and how urgent it is; None where nothing is wrong."""
    urgency = WORDS.get(str(state.get("urgency", "")).rstrip("*").lower(), Urgency.UNKNOWN)
    if state.get("status") != "resolved":
        return "", urgency
    fixed = state.get("fixed_version")
    return (str(fixed), urgency) if _is_version(fixed) and fixed != "0" else None


def _osv(document: Mapping[str, object]) -> Iterator[Advisory]:
    """Yield what one advisory in the OSV format says of Debian's packages."""
    identifier = _osv_identifier(document)
    affected = document.get("affected")
    if not identifier or not isinstance(affected, list):
        return
    summary = _line(document.get("summary")) or _line(document.get("details"))
    for part in affected:
        package = part.get("package") if isinstance(part, dict) else None
        if not isinstance(package, dict):
            continue
        ecosystem, colon, release = str(package.get("ecosystem", "")).partition(":")
        source = package.get("name")
        if ecosystem != "Debian" or not colon or not isinstance(source, str) or not _is_name(source):
            continue
        urgency = _osv_urgency(document, part)
        for introduced, fixed, last in _ranges(part):
            yield Advisory(identifier, distribution(release), source, introduced, fixed, last, urgency, summary)


def _osv_identifier(document: Mapping[str, object]) -> str:
    """Return the CVE that an advisory is about, if it is one, else the advisory's own name."""
    others: list[object] = []
    for field in ("aliases", "upstream"):
        value = document.get(field)
        others += value if isinstance(value, list) else []
    found = {text for text in others if isinstance(text, str) and _CVE.fullmatch(text)}
    own = str(document.get("id", ""))
    if len(found) == 1:
        return found.pop()
    return own if _IDENTIFIER.fullmatch(own) else ""


def _ranges(part: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Yield from which version on, before which and up to which a package is affected."""
    ranges = part.get("ranges")
    found = False
    for one in ranges if isinstance(ranges, list) else []:
        if not isinstance(one, dict) or one.get("type") != "ECOSYSTEM" or not isinstance(one.get("events"), list):
            continue
        introduced: str | None = None
        for event in one["events"]:
            if not isinstance(event, dict):
                continue
            found = True
            if _is_version(event.get("introduced")):
                introduced = "" if event["introduced"] == "0" else event["introduced"]
            elif introduced is not None and _is_version(event.get("fixed")):
                yield introduced, event["fixed"], ""
                introduced = None
            elif introduced is not None and _is_version(event.get("last_affected")):
                yield introduced, "", event["last_affected"]
                introduced = None
        if introduced is not None:
            yield introduced, "", ""
    versions = part.get("versions")
    if not found and isinstance(versions, list):
        for version in versions:
            if _is_version(version):
                yield version, "", version


def _osv_urgency(document: Mapping[str, object], part: Mapping[str, object]) -> Urgency:
    """Return how urgent an advisory is: in Debian's own words, else by its CVSS score."""
    for holder in (part.get("ecosystem_specific"), part.get("database_specific"), document.get("database_specific")):
        if isinstance(holder, dict):
            for field in ("urgency", "severity"):
                word = WORDS.get(str(holder.get(field, "")).lower())
                if word is not None:
                    return word
    for holder in (part.get("severity"), document.get("severity")):
        for one in holder if isinstance(holder, list) else []:
            if isinstance(one, dict) and one.get("type") == "CVSS_V3":
                score = cvss_base(str(one.get("score", "")))
                if score is not None:
                    return rating(score)
    return Urgency.UNKNOWN


_METRICS: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    **{name: {"H": 0.56, "L": 0.22, "N": 0.0} for name in ("C", "I", "A")},
}
_PRIVILEGES = {False: {"N": 0.85, "L": 0.62, "H": 0.27}, True: {"N": 0.85, "L": 0.68, "H": 0.5}}


def cvss_base(vector: str) -> float | None:
    """Return the base score (0 to 10) of a CVSS 3.0 or 3.1 vector, or None for anything else.

    Formula and weights: CVSS v3.1 Specification, sections 7.1 and 7.4.
    """
    said = dict(part.split(":", 1) for part in vector.split("/") if ":" in part)
    if said.pop("CVSS", "") not in ("3.0", "3.1") or said.get("S") not in ("U", "C"):
        return None
    changed = said["S"] == "C"
    try:
        weight = {name: weights[said[name]] for name, weights in _METRICS.items()}
        privileges = _PRIVILEGES[changed][said["PR"]]
    except KeyError:
        return None
    left = (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"])
    impact = 7.52 * (1 - left - 0.029) - 3.25 * (1 - left - 0.02) ** 15 if changed else 6.42 * (1 - left)
    if impact <= 0:
        return 0.0
    ease = 8.22 * weight["AV"] * weight["AC"] * privileges * weight["UI"]
    return _round_up(min(10.0, (1.08 if changed else 1.0) * (impact + ease)))


def _round_up(value: float) -> float:
    """Return the smallest number of one decimal that is not below a value (CVSS v3.1, appendix A)."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10


def rating(score: float) -> Urgency:
    """Return the rating of a score (CVSS v3.1, section 5)."""
    if score == 0:
        return Urgency.UNIMPORTANT
    bounds = ((9.0, Urgency.CRITICAL), (7.0, Urgency.HIGH), (4.0, Urgency.MEDIUM))
    return next((urgency for least, urgency in bounds if score >= least), Urgency.LOW)


def _is_name(text: object) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST and bool(_NAME.fullmatch(text))


def _is_version(text: object) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST and bool(_VERSION.fullmatch(text))


def _line(text: object) -> str:
    """Return a text as one line that is not too long and can be kept anywhere."""
    if not isinstance(text, str):
        return ""
    flat = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return flat if len(flat) <= SUMMARY else flat[: SUMMARY - 2].rstrip() + " …"
