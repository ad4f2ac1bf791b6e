"""Build an appliance: from a recipe and its lock to a bootable disk.

    outputs = build(Path("examples/web"))

Each step is a call; what a step needs of earlier runs it finds in the cache by the digest of what it is made from.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jeos.build import apply, boot, data, image, inputs, kernel_layer, namespace, overlay
from jeos.build import outputs as built
from jeos.build.dpkg_database import stanza
from jeos.build.guest import python_modules
from jeos.build.outputs import Outputs
from jeos.build.prepare import Build, get_packages, prepare, unchanged
from jeos.build.sandbox import Sandbox
from jeos.build.sbom import ExtraComponent
from jeos.build.stages import Layers, make_layers
from jeos.build.system import System, finish, os_release
from jeos.build.workspace import workspace
from jeos.core import files, log, settings
from jeos.core.errors import StoreError
from jeos.disk import erofs, erofs_format, verity
from jeos.model import report as report_text
from jeos.model import tree_text
from jeos.model.image import Image, Port
from jeos.model.lock import Role
from jeos.model.recipe import Recipe
from jeos.model.report import Report
from jeos.model.tree import Kind

LOCK = "logs/.lock"  # in the output folder: beside what is made there, so that no result has it as a neighbour
UMASK = 0o022  # what the modes of new folders in an image must not take from who builds it


def build(place: Path, *, output: Path | None = None, force: bool = False) -> Outputs:
    """Build the recipe at `place` and return what was made; `force` builds even if nothing changed.

    The result is in `build/` beside the recipe, or in `output`. Raises what the steps raise; nothing is half-written.
    """
    one = prepare(place, output=output)
    with alone_in(one.output):
        reusable = None if force else unchanged(one)
        if reusable:
            return reusable
        get_packages(one)
        namespace.enter()
        os.umask(UMASK)
        with one.store.lease(), one.caches.lease(), workspace(work_folder()) as work:
            return make(one, work)


@contextlib.contextmanager
def alone_in(output: Path) -> Iterator[None]:
    """Keep other builds out of a folder during the block; wait for one that is there already."""
    lock = output / LOCK
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(lock, wait=False))
        except StoreError:
            log.info(f"another build works in {output}: waiting for its end")
            stack.enter_context(files.locked(lock))
        stack.callback(lock.unlink, missing_ok=True)  # while we hold it, so that nobody else has it
        yield


def work_folder() -> Path:
    """Return where this build works: in memory, if overlayfs can stand on it (for ordinary users since Linux 6.6)."""
    wanted = settings.work_dir()
    wanted.mkdir(parents=True, exist_ok=True)
    return wanted if overlay.supports(wanted) else settings.cache_dir() / "work"


def make(one: Build, work: Path) -> Outputs:
    """Make everything, in the build's namespace, with `work` for what is not kept."""
    parts = make_layers(one, work)
    scratch = work / "root"
    with overlay.mounted(parts.trees, scratch=scratch) as root:
        sandbox = Sandbox(root, time=one.lock.date, log=fresh_log(one.output / "logs/apply.log"))
        with log.step("data"):
            data.make(root, sandbox=sandbox, name=one.recipe.name, version=one.recipe.version, out=work / "data")
        with log.step("apply") as step:
            apply.apply(one.recipe, folder=one.folder, work=work, sandbox=sandbox)
            step.done(f"{len(one.recipe.files)} files or folders, {len(one.recipe.commands)} commands of the recipe")
        system = make_system(one, parts, root)
        root_hash = write_system(one, system, work)
        release = os_release(system)
        library = packing_library(system, work)
    booting = make_boot(one, parts, root_hash=root_hash, os_release=release, library=library, work=work)
    with log.step("image") as step:
        result = write_outputs(one, system, booting, root_hash=root_hash, work=work)
        step.done(str(result.disk))
    one.caches.flush()
    return result


def fresh_log(path: Path) -> Path:
    """Return the path of a log, which is there and empty; it outlives a build that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def make_system(one: Build, parts: Layers, root: Path) -> System:
    """Turn the root into the tree of the image's system."""
    with log.step("slim") as step:
        stanzas = {parts.kernel.name: stanza(parts.kernel, state="installed")}
        system = finish(
            root,
            recipe=one.recipe,
            lock=one.lock,
            python_modules=python_modules(
                tls=asks_itself_over_https(one.recipe),
                updates=one.recipe.update is not None,
            ),
            extras=local_components(one),
            more_stanzas=stanzas,
            skipped={**parts.base.skipped, **parts.application.skipped},
        )
        left_out = kernel_layer.left_out(parts.kernel.data, layer=parts.modules)
        system = replace(system, rules=(*system.rules, left_out))
        gain = sum(rule.size for rule in system.rules)
        step.done(f"{system.tree.size >> 20} MiB left, {gain >> 20} MiB taken out")
    return system


def asks_itself_over_https(recipe: Recipe) -> bool:
    """Tell whether a health check of the appliance is over https."""
    return any(check.http.startswith("https:") for check in recipe.health)


def write_system(one: Build, system: System, work: Path) -> str:
    """Write the slot's EROFS and its hashes, and return the root hash."""
    name, version = one.recipe.name, one.recipe.version
    with log.step("system") as step:
        with (work / "system").open("w+b") as out:
            size = erofs.write(
                system.tree,
                out,
                read=system.contents.where,
                uuid=image.derived_uuid(name, version, "system-fs"),
                time=one.lock.date,
                label=name[: erofs_format.LABEL_BYTES],
            )
        with (work / "hashes").open("w+b") as out:
            root_hash = verity.write_tree(
                work / "system",
                size=size,
                out=out,
                salt=hashlib.sha256(f"jeos {name} {version}".encode()).digest(),
                uuid=image.derived_uuid(name, version, "hashes"),
            )
        step.done(f"{size >> 20} MiB, root hash {root_hash[:16]}…")
    return root_hash


def packing_library(system: System, work: Path) -> Path | None:
    """Return a copy of the appliance's own libzstd, which packs its initial file system again at each update."""
    for entry in system.tree:
        if entry.kind is Kind.FILE and entry.name.startswith("libzstd.so.") and entry.path.startswith("usr/lib/"):
            (work / entry.name).write_bytes(system.contents.read(entry))
            return work / entry.name
    return None


def make_boot(
    one: Build, parts: Layers, *, root_hash: str, os_release: bytes, library: Path | None, work: Path
) -> boot.Boot:
    """Make the unified kernel image, with the initrd from the cache if it is there."""
    with log.step("boot") as step:
        initrd_file, reused = boot.cached_initrd(
            packages=parts.initrd,
            kernel_package=parts.modules,
            kernel_digest=one.lock.having(Role.KERNEL)[0].sha256,
            modules=one.recipe.kernel.modules,
            library=library,
            date=boot.INITRD_DATE,
            cache=one.caches,
        )
        one.note("initrd", reused=reused, reason="same kernel and tools" if reused else one.why)
        made = boot.make(
            one.recipe,
            folder=one.folder,
            work=work,
            boot_packages=parts.boot,
            kernel_package=parts.kernel.data,
            initrd_file=initrd_file,
            root_hash=root_hash,
            os_release=os_release,
            date=one.lock.date,
        )
        step.done(f"initrd {made.initrd_size >> 10} KiB, kernel image {made.kernel.stat().st_size >> 10} KiB")
    return made


def write_outputs(one: Build, system: System, booting: boot.Boot, *, root_hash: str, work: Path) -> Outputs:
    """Write the disk and all that goes with it; the description comes last, and without it nothing was built."""
    recipe, names = one.recipe, built.names(one.recipe.name, one.recipe.version)
    description = one.output / f"{recipe.name}_{recipe.version}.json"
    for stale in (description, one.output / names["report"]):
        stale.unlink(missing_ok=True)
    parts = image.Parts(
        system=work / "system",
        hashes=work / "hashes",
        kernel=booting.kernel,
        loader=booting.loader,
        data=work / "data",
    )
    with files.replace(one.output / names["disk"]) as disk:
        written = image.write_image(
            disk,
            parts,
            name=recipe.name,
            version=recipe.version,
            root_hash=root_hash,
            sizes=recipe.disk,
            date=one.lock.date,
        )
    files.write(one.output / names["kernel"], booting.kernel.read_bytes())
    files.write(one.output / names["sbom"], system.sbom)
    files.write(one.output / names["tree"], tree_text.dump(system.tree))
    files.write(one.output / names["report"], report_text.dump(make_report(one, system, booting, work=work)))
    licence = one.output / built.eula_name(recipe.name, recipe.version)
    if recipe.eula:
        files.write(licence, (one.folder / recipe.eula).read_bytes())
    else:
        licence.unlink(missing_ok=True)  # of a build before
    made = Image(
        name=recipe.name,
        version=recipe.version,
        vendor=recipe.vendor,
        architecture=one.lock.architecture,
        **names,
        root_hash=root_hash,
        disk_size=written.size,
        system_size=(work / "system").stat().st_size,
        verity_size=(work / "hashes").stat().st_size,
        kernel_size=booting.kernel.stat().st_size,
        partitions=written.partitions,
        ports=tuple(Port(port.guest, port.protocol, port.name) for port in recipe.ports),
        memory=recipe.machine.memory,
        cpus=recipe.machine.cpus,
        properties=recipe.properties,
        updates=recipe.update is not None,
        eula=licence.name if recipe.eula else "",
    )
    files.write(description, built.dump_image(made))
    return Outputs(folder=one.output, image=made)


def make_report(one: Build, system: System, booting: boot.Boot, *, work: Path) -> Report:
    """Return what the build says of itself."""
    return Report(
        name=one.recipe.name,
        version=one.recipe.version,
        key=inputs.key(one.inputs),
        inputs=one.inputs,
        packages=system.packages,
        rules=system.rules,
        stages=tuple(one.stages),
        tree_size=system.tree.size,
        files=len(system.tree),
        system_size=(work / "system").stat().st_size,
        kernel_size=booting.kernel.stat().st_size,
        initrd_size=booting.initrd_size,
    )


def local_components(one: Build) -> list[ExtraComponent]:
    """Return the recipe's own wheels, for the bill of materials."""
    found = []
    for name in one.recipe.wheels:
        path = one.folder / name
        project, version = path.name.split("-")[:2]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.append(
            ExtraComponent(name=project.replace("_", "-").lower(), version=version, sha256=digest, kind="pypi")
        )
    return found
