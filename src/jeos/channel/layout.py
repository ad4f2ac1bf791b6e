"""What a channel's files are called, and how long caches may keep them. docs/reference/channel.md tells the rest.

blob_name("9c1f…")                           # "data/9c/9c1f…"
cache_control("metadata/timestamp.json")     # "public, max-age=60"
"""

import re

METADATA = "metadata/"
TARGETS = "targets/"
RELEASES = "releases/"  # below `targets/`, and what TUF calls a release's path starts with
DATA = "data/"
WORK = "work/"  # notes of publishing that has not ended; no reader needs them
TIMESTAMP = "metadata/timestamp.json"
SUMS = "SHA256SUMS"
SUMS_SIGNATURE = "SHA256SUMS.gpg"

YEAR = 31536000  # seconds; what caches take as "for ever"
SHORT = 60  # seconds in which every reader sees a new release

_DIGEST = re.compile(r"[0-9a-f]{64}")
_VERSIONED = re.compile(r"metadata/([1-9][0-9]*)\.(root|snapshot|targets)\.json")
_RELEASE = re.compile(r"releases/([a-z0-9][a-z0-9.-]*)_([^/_]+)\.json")
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_WHOLE = re.compile(rf"[a-z0-9][a-z0-9.-]*_[^/_]+(?:_{_UUID}\.root(?:-verity)?\.xz|\.efi)")


def blob_name(digest: str) -> str:
    """Return the name of the file that holds the blob with this SHA-256."""
    return f"{DATA}{digest[:2]}/{digest}"


def blob_of(name: str) -> str | None:
    """Return the SHA-256 of the blob that a file holds, or None if it is no blob's file."""
    digest = name.rpartition("/")[2]
    return digest if _DIGEST.fullmatch(digest) and name == blob_name(digest) else None


def release_path(name: str, version: str) -> str:
    """Return the path of a release among TUF's targets."""
    return f"{RELEASES}{name}_{version}.json"


def release_of(path: str) -> tuple[str, str] | None:
    """Return the name and version of the release that a TUF target describes, or None if it is none."""
    match = _RELEASE.fullmatch(path)
    return (match[1], match[2]) if match else None


def target_name(path: str, sha256: str) -> str:
    """Return the name of a TUF target's file (TUF 1.0.33, section 6.2: consistent snapshots)."""
    folder, _, own = path.rpartition("/")
    return f"{TARGETS}{folder}/{sha256}.{own}"


def metadata_name(role: str, version: int) -> str:
    """Return the name of a role's metadata file of some version; that of the timestamp has none."""
    return TIMESTAMP if role == "timestamp" else f"{METADATA}{version}.{role}.json"


def metadata_of(name: str) -> tuple[str, int] | None:
    """Return the role and version of a versioned metadata file, or None if it is none."""
    match = _VERSIONED.fullmatch(name)
    return (match[2], int(match[1])) if match else None


def is_ours(name: str) -> bool:
    """Tell whether a file is one that publishing writes; all others in the folder or bucket are somebody else's."""
    folder, _, own = name.rpartition("/")
    return bool(
        metadata_of(name)
        or blob_of(name)
        or (f"{folder}/" == f"{TARGETS}{RELEASES}" and _DIGEST.fullmatch(own.partition(".")[0]))
        or (f"{folder}/" == WORK and own.endswith(".json"))
        or _WHOLE.fullmatch(name)
    )


def is_immutable(name: str) -> bool:
    """Tell whether a name stands for the same bytes for ever."""
    if metadata_of(name) or blob_of(name):
        return True
    if name.startswith(TARGETS):
        return bool(_DIGEST.fullmatch(name.rpartition("/")[2].partition(".")[0]))
    return "/" not in name and name.endswith((".xz", ".efi"))  # whole images carry their version


def cache_control(name: str) -> str:
    """Return the HTTP header that says how long a file may be kept."""
    return f"public, max-age={YEAR}, immutable" if is_immutable(name) else f"public, max-age={SHORT}"


def content_type(name: str) -> str:
    """Return the HTTP header that says what a file is."""
    if name.endswith(".json"):
        return "application/json"
    return "text/plain; charset=utf-8" if name == SUMS else "application/octet-stream"
