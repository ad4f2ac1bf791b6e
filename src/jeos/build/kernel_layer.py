"""The kernel's modules as a layer: chosen, unpacked, and listed by the appliance's own depmod; made once and kept."""

import hashlib
import shutil
from pathlib import Path

from jeos.build import digests, kernel, overlay
from jeos.build.sandbox import Sandbox
from jeos.core import files, rooted
from jeos.model.recipe import Recipe

MODULES = "usr/lib/modules"
NODES = "usr/lib/tmpfiles.d/jeos-modules.conf"


def key(recipe: Recipe, *, sha256: str, base: str) -> str:
    """Return the name of the layer in the cache; `base` is the key of the base system, whose depmod makes the lists."""
    parts = [sha256, str(recipe.slim.enabled), *sorted(recipe.kernel.modules), base]
    parts.append(digests.of_code("build.kernel", "build.kernel_layer"))
    return f"kernel-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"


def make(folder: Path, *, recipe: Recipe, package: Path, base: list[Path], work: Path, time: int) -> None:
    """Fill `folder` with the modules of an unpacked kernel package depmod's lists, and the list of device nodes.

    `base` are the layers of the base system, the uppermost first, whose depmod is used; `work` is for scratch.
    """
    chosen = kernel.select(package, extra=recipe.kernel.modules, everything=not recipe.slim.enabled)
    with files.temporary_folder(work, prefix="kernel-") as scratch:
        with overlay.mounted(base, scratch=scratch) as root:
            kernel.install(chosen, package=package, root=root)
            Sandbox(root, time=time).run(["depmod", "-a", chosen.release])
        target = folder / MODULES
        target.parent.mkdir(parents=True)
        shutil.move(scratch / "upper" / MODULES, target)
    devname = rooted.place(folder, f"{MODULES}/{chosen.release}/modules.devname").read_text()
    nodes = folder / NODES
    nodes.parent.mkdir()
    nodes.write_text(kernel.static_nodes(devname))
