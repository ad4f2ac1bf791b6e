"""What `jeos publish --to` tells a catalogue: one version of an appliance, as JSON that both sides check alike.

    data = dump(publication)
    load(data) == publication

Nothing of it is believed without being shown as the publisher's word; what is signed is read from the channel. The
bill of materials (CycloneDX) goes along as the document that the build wrote.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from jeos.core.errors import InputError
from jeos.model.image import Port
from jeos.model.recipe import Property

FORMAT = 1
MOST_BYTES = 16 << 20  # of a publication with its bill of materials
MOST_TEXT = 40_000  # characters of a description
MOST_ROWS = 200  # ports, properties, downloads
MOST_TAGS = 5
LARGEST = 1 << 50  # bytes of anything
LONGEST_LINE = 200  # characters

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.^~+-]{0,63}")
_WORD = re.compile(r"[a-z0-9][a-z0-9.+-]{0,31}")
_DIGEST = re.compile(r"[0-9a-f]{64}|")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Download:
    """A file that people take: `format` as `jeos export` names it, `size` in bytes or 0, `sha256` or ""."""

    format: str
    url: str
    size: int = 0
    sha256: str = ""

    def __post_init__(self) -> None:
        _match(self.format, _WORD, "format of a download")
        address(self.url, "address of a download", required=True)
        _number(self.size, "size of a download")
        _match(self.sha256, _DIGEST, "digest of a download")


@dataclass(frozen=True, slots=True)
class Publication:
    """One version of an appliance.

    Sizes are in bytes, `memory` in MiB, `date` in seconds since 1970. `publisher` is the address name of the
    publisher's page, or "" for the only one that the sender has. `channel` is where machines update themselves from,
    and `root` the vendor's first TUF root, by which the channel is checked; `download_size` is what a machine without
    a patch fetches. `sbom` is a CycloneDX document, or empty.
    """

    name: str
    version: str
    architecture: str
    date: int
    publisher: str = ""
    title: str = ""
    vendor: str = ""
    summary: str = ""
    description: str = ""
    licence: str = ""
    home_page: str = ""
    tags: tuple[str, ...] = ()
    changes: str = ""
    channel: str = ""
    root: str = ""
    ring: str = "stable"
    root_hash: str = ""
    kernel_sha256: str = ""
    disk_size: int = 0
    system_size: int = 0
    kernel_size: int = 0
    download_size: int = 0
    memory: int = 0
    cpus: int = 0
    ports: tuple[Port, ...] = ()
    properties: tuple[Property, ...] = ()
    downloads: tuple[Download, ...] = ()
    sbom: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        _match(self.name, _NAME, "name")
        _match(self.version, _VERSION, "version")
        _match(self.architecture, _WORD, "architecture")
        _match(self.ring, _WORD, "ring")
        if self.publisher:
            _match(self.publisher, _NAME, "publisher")
        for what in ("title", "vendor", "summary", "licence"):
            _text(getattr(self, what), what, longest=LONGEST_LINE, lines=False)
        for what in ("description", "changes"):
            _text(getattr(self, what), what, longest=MOST_TEXT)
        _text(self.root, "root", longest=256 << 10)
        for what in ("home_page", "channel"):
            address(getattr(self, what), what)
        for what in ("root_hash", "kernel_sha256"):
            _match(getattr(self, what), _DIGEST, what)
        for what in ("date", "disk_size", "system_size", "kernel_size", "download_size", "memory", "cpus"):
            _number(getattr(self, what), what)
        if len(self.tags) > MOST_TAGS:
            raise _wrong(f"it has {len(self.tags)} tags, more than {MOST_TAGS}")
        for tag in self.tags:
            _text(tag, "tag", longest=40, lines=False)
        for rows in (self.ports, self.properties, self.downloads):
            if len(rows) > MOST_ROWS:
                raise _wrong(f"one of its lists has {len(rows)} entries, more than {MOST_ROWS}")
        _check_rows(self)


def _check_rows(one: Publication) -> None:
    """Check ports and properties. Raises InputError."""
    for port in one.ports:
        _number(port.guest, "port", largest=65_535)
        _match(port.protocol, _WORD, "protocol")
        _text(port.name, "name of a port", longest=LONGEST_LINE, lines=False)
    for property_ in one.properties:
        for what in ("name", "type", "label", "description", "pattern"):
            _text(getattr(property_, what), f"{what} of a property", longest=2_000)
        if property_.default is not None:
            _text(property_.default, "default of a property", longest=2_000)
        if len(property_.choices) > MOST_ROWS:
            raise _wrong(f"a property has {len(property_.choices)} choices, more than {MOST_ROWS}")
        for choice in property_.choices:
            _text(choice, "choice of a property", longest=LONGEST_LINE)
        for limit in (property_.minimum, property_.maximum):
            if limit is not None and (not isinstance(limit, int) or abs(limit) > LARGEST):
                raise _wrong("the limits of a property are no numbers")
        if not isinstance(property_.required, bool) or not isinstance(property_.secret, bool):
            raise _wrong("`required` and `secret` of a property are true or false")


def address(value: object, what: str, *, required: bool = False) -> None:
    """Raise InputError for what is no address of the web; "" is fine unless `required`."""
    _text(value, what, longest=500, lines=False)
    text = str(value)
    if not text and not required:
        return
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        parts.port  # noqa: B018 - raises ValueError for what is no port
    except ValueError:
        good = False
    if not good or re.search(r"[\s<>\"'\\]", text):
        raise _wrong(f"the {what} {text!r} is no address of the web", hint="http(s)://HOST/… without user or password")


def dump(publication: Publication) -> bytes:
    """Return a publication as JSON. Raises InputError if it has more than `MOST_BYTES`."""
    data = json.dumps({"jeos-publication": FORMAT, **asdict(publication)}, separators=(",", ":")).encode()
    if len(data) > MOST_BYTES:
        raise _wrong(f"it has {len(data)} bytes, more than {MOST_BYTES}", hint="is the bill of materials of one image?")
    return data


def load(data: bytes) -> Publication:
    """Return the publication that some JSON tells of. Raises InputError for anything else."""
    if len(data) > MOST_BYTES:
        raise _wrong(f"it has {len(data)} bytes, more than {MOST_BYTES}")
    try:
        values = json.loads(data)
        if values.pop("jeos-publication") != FORMAT:
            raise ValueError("an unknown format")
        sbom = values.pop("sbom", None)
        return Publication(
            **{
                **values,
                "tags": tuple(_list(values.get("tags", ()))),
                "ports": tuple(Port(**row) for row in _list(values.get("ports", ()))),
                "properties": tuple(
                    Property(**{**row, "choices": tuple(row.get("choices", ()))})
                    for row in _list(values.get("properties", ()))
                ),
                "downloads": tuple(Download(**row) for row in _list(values.get("downloads", ()))),
                "sbom": dict(sbom) if sbom is not None else None,
            }
        )
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _wrong(f"{type(error).__name__}: {error}"[:300]) from error


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError("a list is none")
    return value


def _match(value: object, pattern: re.Pattern[str], what: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _wrong(f"{what}: {str(value)[:80]!r}")


def _text(value: object, what: str, *, longest: int, lines: bool = True) -> None:
    if not isinstance(value, str) or len(value) > longest:
        raise _wrong(f"the {what} is no text of at most {longest} characters")
    if _CONTROL.search(value) or (not lines and re.search(r"[\n\t]", value)):
        raise _wrong(f"the {what} has control characters")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair, as JSON may write it
        raise _wrong(f"the {what} is no Unicode") from None


def _number(value: object, what: str, *, largest: int = LARGEST) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
        raise _wrong(f"{what}: {str(value)[:40]} is no whole number up to {largest}")


def _wrong(why: str, *, hint: str = "") -> InputError:
    return InputError(
        f"this is no publication of an appliance: {why}", hint=hint or "`jeos publish --to` writes what is wanted"
    )
