"""What a build says of itself, as written to `NAME_VERSION.report.json`: what takes the space, and what was made anew.

Sizes are in bytes of the system tree (before EROFS), unless their name says otherwise.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from jeos.core.errors import InputError


@dataclass(frozen=True, slots=True)
class PackageSize:
    """What one package takes in the image; "" is what belongs to no package."""

    name: str
    version: str
    size: int
    files: int


@dataclass(frozen=True, slots=True)
class RuleGain:
    """What one rule of `slim` took out."""

    name: str
    why: str
    size: int
    files: int


@dataclass(frozen=True, slots=True)
class StageUse:
    """Whether a stage of the build was reused, and why not if it was not."""

    name: str
    reused: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """One build: `key` is the digest of everything that went into it, `inputs` the digests that make up the key."""

    name: str
    version: str
    key: str
    inputs: Mapping[str, str]
    packages: tuple[PackageSize, ...]
    rules: tuple[RuleGain, ...]
    stages: tuple[StageUse, ...]
    tree_size: int
    files: int
    system_size: int
    kernel_size: int
    initrd_size: int


def dump(report: Report) -> str:
    """Return a report as JSON."""
    return json.dumps(asdict(report), indent=1) + "\n"


def parse(text: str, *, source: str) -> Report:
    """Return the report that `text` holds. Raises InputError if it is not one."""
    try:
        values = json.loads(text)
        return Report(
            **{
                **values,
                "packages": tuple(PackageSize(**item) for item in values["packages"]),
                "rules": tuple(RuleGain(**item) for item in values["rules"]),
                "stages": tuple(StageUse(**item) for item in values["stages"]),
            }
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{source} is not the report of a build", hint="run `jeos build` again") from error
