"""What goes into a build, as digests: the same inputs give the same image, so a build that has them is not repeated.

Four parts, so that a rebuild can say which of them changed: the recipe with the files it names, the packages of the
lock, local packages, and jeos itself.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from jeos.build import apply, digests, guest_modules
from jeos.model import lock_text
from jeos.model.lock import Lock
from jeos.model.recipe import Recipe
from jeos.model.report import Report

# What of jeos decides how an image comes out; the rest (verbs, machines) may change without a new build.
CODE = ("agent", "build", "core", "disk", "model", "trust", "update")


def collect(recipe: Recipe, lock: Lock, *, folder: Path) -> dict[str, str]:
    """Return the digests of everything that an image of this recipe is made from."""
    signing = [recipe.secure_boot.key, recipe.secure_boot.certificate] if recipe.secure_boot else []
    return {
        "recipe": apply.fingerprint(recipe, folder=folder),
        "packages": hashlib.sha256(lock_text.dump(lock).encode()).hexdigest(),
        "local packages": digests.of_files(folder / name for name in recipe.debs),
        "keys": digests.of_files(folder / name for name in signing),
        "jeos": digests.of_code(*CODE),
        **({"updater": digests.of_files(guest_modules.modules(updates=True).values())} if recipe.update else {}),
    }


def key(inputs: Mapping[str, str]) -> str:
    """Return the digest that stands for all inputs."""
    return hashlib.sha256("\n".join(f"{name}={value}" for name, value in sorted(inputs.items())).encode()).hexdigest()


def changed(inputs: Mapping[str, str], *, before: Report | None) -> str:
    """Return in words why a build is needed: "the recipe changed", or "nothing was built yet"."""
    if before is None:
        return "nothing was built yet"
    names = [name for name, value in inputs.items() if before.inputs.get(name) != value]
    return f"{' and '.join(names)} changed" if names else "the files of the last build are not all there"
