"""Packages into the store: all that a lock names and the store lacks.

Nothing gets into the store that has not the size and the SHA-256 of the lock.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from jeos.build.sources import Source
from jeos.core.errors import InputError
from jeos.model.lock import Lock, LockedPackage
from jeos.store.local import LocalStore

if TYPE_CHECKING:  # HTTP and TLS cost 50 ms to import, which a build that has everything should not pay
    from jeos.build.download import Wanted
    from jeos.build.transfers import Patience, Progress


def missing(lock: Lock, store: LocalStore) -> list[LockedPackage]:
    """Return the packages that the store lacks, each content once, the largest first."""
    found = {package.sha256: package for package in lock.packages if not store.has(package.sha256)}
    return sorted(found.values(), key=lambda package: (-package.size, package.name))


def fetch(
    lock: Lock,
    sources: Sequence[Source],
    store: LocalStore,
    *,
    progress: "Progress | None" = None,
    patience: "Patience | None" = None,
    timeout: float = 30.0,
) -> None:
    """Bring every package of a lock into the store; `timeout` is the seconds without a byte that a server may take.

    Raises NetworkError (which packages a mirror does not have any more, or that it cannot be reached), TrustError
    (a file is not the one that is locked) and InputError (the lock names a repository that the recipe does not).
    """
    packages = missing(lock, store)
    if not packages:
        return
    from jeos.build.transfers import Patience, Transfers

    addresses = {source.name: source.url for source in sources}
    wanted = [_wanted(package, addresses=addresses) for package in packages]
    Transfers(wanted, store=store, progress=progress, patience=patience or Patience(), timeout=timeout).run()


def _wanted(package: LockedPackage, *, addresses: Mapping[str, str]) -> "Wanted":
    from jeos.build.download import Wanted

    if package.repository not in addresses:
        raise InputError(
            f"the lock takes {package.name} from the repository {package.repository!r}, which the recipe does not have",
            hint="`jeos lock` brings the lock up to date with the recipe",
        )
    url = f"{addresses[package.repository]}/{quote(package.path, safe='/~+:=,@')}"
    return Wanted(name=f"{package.name} {package.version}", url=url, size=package.size, sha256=package.sha256)
