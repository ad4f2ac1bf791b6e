"""The lock: every Debian package that goes into an appliance, by version and SHA-256, and no host name.

`appliance.lock` is JSON with one package a line, sorted, so that two locks can be compared with `diff`.
A package's `path` is relative to the root of the repository it names; which address that repository has
is decided anew on each machine (recipe, `JEOS_MIRROR`, apt sources).
"""

from dataclasses import dataclass
from enum import StrEnum

FORMAT = 1  # the number that a lock of this form starts with


class Role(StrEnum):
    """What a package is in the appliance for."""

    BASE = "base"  # essential packages, systemd and what jeos itself needs: the first layer
    APP = "app"  # what the recipe asks for, with its dependencies: the second layer
    KERNEL = "kernel"  # unpacked for its image and modules, never configured
    BOOT = "boot"  # the boot loader and the stub of the unified kernel image
    INITRD = "initrd"  # what runs before the root is mounted, where the system itself does not have it


@dataclass(frozen=True, slots=True, order=True)
class LockedPackage:
    """One package: which, and where in its repository.

    `size` is in bytes, `sha256` in hexadecimal. `source` is the source package with its version ("openssl 3.5.1-1").
    """

    name: str
    version: str
    architecture: str
    role: Role
    repository: str
    path: str
    size: int
    sha256: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that was resolved for one recipe.

    `inputs` is the digest of what the recipe says about packages: another digest means that the lock is out of date.
    `date` is the newest `Date` of the repositories' InRelease files, in seconds since 1970; it is the time that
    everything in the image carries (SOURCE_DATE_EPOCH).
    """

    suite: str
    architecture: str
    inputs: str
    date: int
    packages: tuple[LockedPackage, ...]

    def having(self, *roles: Role) -> tuple[LockedPackage, ...]:
        """Return the packages with one of these roles, sorted."""
        return tuple(sorted(package for package in self.packages if package.role in roles))
