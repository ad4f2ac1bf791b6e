"""A release in a channel: what the signed description of one version says, and the blobs that it needs.

    release = load(data)                       # a TUF target, so its bytes are signed
    wanted = patch_from(release, root_hash)    # the patch for a system with that root hash, if there is one

A blob is a file of the channel that is named by its SHA-256. The description is JSON with sorted keys and without
spaces, so that one release has one string of bytes; `docs/reference/channel.md` and `patch-format.md` tell the rest.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from jeos.core.errors import InputError

FORMAT = 1
MOST_BYTES = 8192  # of a description: what a guest is ready to hold before it knows anything
MOST_PATCHES = 16
MOST_PACKS = 32
MOST_NOTES = 2048  # characters
LARGEST_BLOB = 1 << 36  # bytes
LARGEST_SYSTEM = 1 << 36  # bytes
BLOCK = 4096

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SALT = re.compile(r"(?:[0-9a-f]{2}){0,256}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.^~+-]{0,63}")
_LABEL_BYTES = 15  # of an EROFS


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of the channel: the SHA-256 of its bytes in hexadecimal, and how many there are."""

    sha256: str
    length: int

    def __post_init__(self) -> None:
        _text(self.sha256, _DIGEST, "a blob's SHA-256")
        _number(self.length, LARGEST_BLOB, "a blob's length")


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch from the system with this root hash; `version` is what people call it."""

    root_hash: str
    version: str
    blob: Blob

    def __post_init__(self) -> None:
        _text(self.root_hash, _DIGEST, "a patch's root hash")
        _text(self.version, _VERSION, "a patch's version")


@dataclass(frozen=True, slots=True)
class System:
    """What the writers of a slot need beside the tree: sizes in bytes, `time` in seconds since 1970, salt in hex.

    `uuid`, `label` and `time` are those of the EROFS, `hashes_uuid` and `salt` those of its dm-verity device.
    """

    size: int
    uuid: str
    label: str
    time: int
    hashes_size: int
    hashes_uuid: str
    salt: str

    def __post_init__(self) -> None:
        for size in (self.size, self.hashes_size):
            _number(size, LARGEST_SYSTEM, "a system's size")
            if size % BLOCK or not size:
                raise _wrong(f"a system has {size} bytes, not whole blocks of {BLOCK}")
        _number(self.time, 1 << 40, "a system's time")
        _text(self.uuid, _UUID, "a system's UUID")
        _text(self.hashes_uuid, _UUID, "the UUID of a system's hashes")
        _text(self.salt, _SALT, "a system's salt")
        if not isinstance(self.label, str) or len(self.label.encode("utf-8", "replace")) > _LABEL_BYTES:
            raise _wrong(f"a system has the label {self.label!r}")


@dataclass(frozen=True, slots=True)
class Release:
    """One version of an appliance: `date` is in seconds since 1970, `root_hash` dm-verity's in hexadecimal.

    `kernel` is the whole unified kernel image, `index` says what the tree is and where in `packs` each content is.
    Raises InputError if a field is not what it should be.
    """

    name: str
    version: str
    architecture: str
    date: int
    root_hash: str
    system: System
    kernel: Blob
    index: Blob
    packs: tuple[Blob, ...]
    patches: tuple[Patch, ...] = ()
    notes: str = ""

    def __post_init__(self) -> None:
        _text(self.name, _NAME, "a release's name")
        _text(self.version, _VERSION, "a release's version")
        _text(self.architecture, _NAME, "a release's architecture")
        _number(self.date, 1 << 40, "a release's date")
        _text(self.root_hash, _DIGEST, "a release's root hash")
        if len(self.patches) > MOST_PATCHES or len(self.packs) > MOST_PACKS:
            raise _wrong(f"it has {len(self.patches)} patches and {len(self.packs)} packs")
        if not isinstance(self.notes, str) or len(self.notes) > MOST_NOTES:
            raise _wrong(f"its notes have more than {MOST_NOTES} characters")

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Return every blob of the channel that the release needs."""
        return (self.kernel, self.index, *self.packs, *(patch.blob for patch in self.patches))


def patch_from(release: Release, root_hash: str) -> Patch | None:
    """Return the patch from the system with this root hash, or None if there is none."""
    return next((patch for patch in release.patches if patch.root_hash == root_hash), None)


def dump(release: Release) -> bytes:
    """Return the canonical description. Raises InputError if it would be longer than `MOST_BYTES`."""
    values = {"jeos-release": FORMAT, **asdict(release)}
    data = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    if len(data) > MOST_BYTES:
        raise InputError(
            f"the description of {release.name} {release.version} has {len(data)} bytes, more than {MOST_BYTES}",
            hint="shorten its notes, or keep fewer patches",
        )
    return data


def load(data: bytes) -> Release:
    """Return the release that a description tells of. Raises InputError for anything but what `dump` returns."""
    if len(data) > MOST_BYTES:
        raise _wrong(f"it has {len(data)} bytes, more than {MOST_BYTES}")
    try:
        values = json.loads(data)
        if values.pop("jeos-release") != FORMAT:
            raise ValueError("an unknown format")
        release = _release(values)
        canonical = dump(release) == data
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _wrong(f"{type(error).__name__}: {error}") from error
    if not canonical:
        raise _wrong("it is not in canonical form")
    return release


def _release(values: dict[str, object]) -> Release:
    packs, patches = values["packs"], values["patches"]
    if not isinstance(packs, list) or not isinstance(patches, list):
        raise TypeError("packs and patches are lists")
    fixed = {
        "system": System(**_table(values["system"])),
        "kernel": _blob(values["kernel"]),
        "index": _blob(values["index"]),
        "packs": tuple(_blob(item) for item in packs),
        "patches": tuple(Patch(**{**_table(item), "blob": _blob(_table(item)["blob"])}) for item in patches),
    }
    return Release(**{**_table(values), **fixed})


def _table(value: object) -> dict[str, Any]:  # the classes check what is in it
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:80]!r} is no table")
    return value


def _blob(value: object) -> Blob:
    return Blob(**_table(value))


def _text(value: object, shape: re.Pattern[str], what: str) -> None:
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise _wrong(f"{what} is {str(value)[:80]!r}")


def _number(value: object, most: int, what: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < most:
        raise _wrong(f"{what} is {str(value)[:80]}")


def _wrong(reason: str) -> InputError:
    return InputError(f"this is not the description of a release: {reason}", hint="publish it again with this jeos")
