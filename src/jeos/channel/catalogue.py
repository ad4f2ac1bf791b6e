"""What a channel lists: its releases, each with whom it is for.

for listed in catalogue(reader, repository.targets()):
    listed.release.version, listed.terms.ring, listed.terms.percent
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from jeos.channel import layout
from jeos.core.errors import InputError, TrustError
from jeos.model import release as releases
from jeos.model.release import Release
from jeos.model.version import sort_key
from jeos.store.places.place import Reader
from jeos.trust.client import Target

STABLE = "stable"  # the ring whose releases everybody takes
_RING = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")  # as recipes and machines can name one


@dataclass(frozen=True, slots=True)
class Terms:
    """Whom a release is for: machines of `ring`, `percent` of these; `date` is when it was built (s since 1970).

    A `critical` one does not wait for maintenance windows; a `withdrawn` one is taken by nobody.
    Raises InputError if a value is not what it should be.
    """

    version: str
    date: int
    ring: str = STABLE
    percent: int = 100
    critical: bool = False
    withdrawn: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.ring, str) or not _RING.fullmatch(self.ring):
            raise InputError(
                f"{self.ring!r} is no ring",
                hint="small letters, digits and inner hyphens, a letter first, such as beta",
            )
        # Signed metadata has no fractions (canonical JSON).
        if not isinstance(self.percent, int) or isinstance(self.percent, bool) or not 0 <= self.percent <= 100:
            raise InputError(f"{self.percent} is no percentage", hint="give a whole number from 0 to 100")
        if not isinstance(self.critical, bool) or not isinstance(self.withdrawn, bool):
            raise InputError(f"{self.version}: `critical` and `withdrawn` are true or false")
        if not isinstance(self.version, str) or not isinstance(self.date, int) or isinstance(self.date, bool):
            raise InputError(f"{self.version!r}, {self.date!r} are no version and date")

    @property
    def for_all(self) -> bool:
        """Tell whether every machine may take the release."""
        return self.ring == STABLE and self.percent == 100 and not self.withdrawn


@dataclass(frozen=True, slots=True)
class Listed:
    """A release that a channel lists."""

    path: str
    sha256: str
    release: Release
    terms: Terms

    @property
    def version(self) -> str:
        """Return the release's version."""
        return self.release.version


def custom_of(terms: Terms) -> dict[str, object]:
    """Return terms as they stand in the signed metadata."""
    return asdict(terms)


def terms_of(custom: Mapping[str, object]) -> Terms:
    """Return the terms that signed metadata tells of, without what is unknown. Raises InputError if they are wrong."""
    known = {key: custom[key] for key in Terms.__dataclass_fields__ if key in custom}  # the class checks each
    try:
        return Terms(**known)  # type: ignore[arg-type]
    except TypeError as error:
        raise InputError(f"the terms of a release are not complete: {sorted(known)}") from error


def read(reader: Reader, target: Target) -> Listed:
    """Return the release that a target describes. Raises TrustError if it is not what was signed, InputError if odd."""
    named = layout.release_of(target.path)
    if named is None:
        raise InputError(f"{target.path} is no release's path")
    data = reader.get(layout.target_name(target.path, target.sha256), limit=releases.MOST_BYTES + 1)
    if len(data) != target.length or hashlib.sha256(data).hexdigest() != target.sha256:
        raise TrustError(f"{target.path} is not the file that was signed", hint="somebody replaced it: publish again")
    release, terms = releases.load(data), terms_of(target.custom)
    if (release.name, release.version) != named or terms.version != release.version:
        raise InputError(f"{target.path} describes {release.name} {release.version}, for {terms.version}")
    return Listed(path=target.path, sha256=target.sha256, release=release, terms=terms)


def catalogue(reader: Reader, targets: Mapping[str, Target]) -> list[Listed]:
    """Return all releases, the newest first. Raises what `read` raises."""
    found = [read(reader, target) for path, target in targets.items() if path.startswith(layout.RELEASES)]
    return sorted(found, key=lambda one: sort_key(one.version), reverse=True)


def find(listed: list[Listed], version: str) -> Listed:
    """Return the release of a version. Raises InputError, with those that there are, if it is not listed."""
    for one in listed:
        if one.version == version:
            return one
    there = ", ".join(one.version for one in listed[:8]) or "nothing"
    raise InputError(f"the channel has no release {version}", hint=f"it lists {there}")


def changed(
    terms: Terms,
    *,
    ring: str | None = None,
    percent: int | None = None,
    critical: bool | None = None,
    withdrawn: bool | None = None,
) -> Terms:
    """Return terms with what is given changed."""
    wanted = {"ring": ring, "percent": percent, "critical": critical, "withdrawn": withdrawn}
    return terms_of({**custom_of(terms), **{key: value for key, value in wanted.items() if value is not None}})
