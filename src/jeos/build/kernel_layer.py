"""The kernel's modules as a layer: chosen, unpacked, and listed by the appliance's own depmod; made once and kept."""

import hashlib
import shutil
from pathlib import Path

from jeos.build import digests, kernel, overlay
from jeos.build.sandbox import Sandbox
from jeos.core import files, rooted
from jeos.model.recipe import Recipe
from jeos.model.report import RuleGain

MODULES = "usr/lib/modules"
LEFT_OUT = "(kernel modules)"  # in brackets, for it is no rule that could be skipped
WHY = "for hardware and uses that guests do not have, as packed by Debian; [kernel] modules brings back what you name"
NODES = "usr/lib/tmpfiles.d/jeos-modules.conf"


def key(recipe: Recipe, *, sha256: str, base: str) -> str:
    """Return the name of the layer in the cache; `base` is the key of the base system, whose depmod makes the lists."""
    parts = [sha256, str(recipe.slim.enabled), *sorted(recipe.kernel.modules), base]
    parts.append(digests.of_code("build.kernel", "build.kernel_layer"))
    return f"kernel-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"


def make(folder: Path, *, recipe: Recipe, package: Path, base: list[Path], work: Path, time: int) -> None:
    """Fill `folder` with the modules of an unpacked kernel package, depmod's lists, and the list of device nodes.

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


def left_out(package: Path, *, layer: Path) -> RuleGain:
    """Return what of a kernel package's modules is not in the layer; the bytes are those in the package, packed."""
    kept = {kernel.module_name(path) for path in rooted.place(layer, MODULES).rglob("*.ko")}
    modules = (kernel.modules_folder(package) / "kernel").rglob("*.ko*")
    sizes = [path.stat().st_size for path in modules if kernel.module_name(path) not in kept]
    return RuleGain(name=LEFT_OUT, why=WHY, size=sum(sizes), files=len(sizes))
