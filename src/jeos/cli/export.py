"""`jeos export`: a built image, or any disk, in the form that a hypervisor or cloud takes."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from jeos.build import eula, outputs
from jeos.cli import output
from jeos.core import log
from jeos.core.errors import InputError, UsageError
from jeos.disk import formats, ova
from jeos.disk.blocks import File
from jeos.disk.formats.ordered import Effort
from jeos.disk.ovf_certificate import Signatory
from jeos.export import source as sources
from jeos.export import target as targets
from jeos.export.export import export
from jeos.export.source import Source
from jeos.export.target import Hardware, Options
from jeos.model.tree import Tree

HELP = "write an image, or any disk, for a hypervisor or cloud"
LARGEST_KEY = 1 << 20  # bytes


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos export`."""
    parser.add_argument(
        "path", nargs="?", type=Path, default=Path(), help="recipe folder, image description, disk in any form, or OVA"
    )
    parser.add_argument("--to", required=True, metavar="TARGET", help=f"one of {', '.join(targets.names())}")
    parser.epilog = "Targets. " + "; ".join(f"{name}: {targets.load(name).HELP}" for name in targets.names())
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the new file (default: beside the disk)")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--fast", action="store_true", help="compress less, in a fraction of the time")
    effort.add_argument("--small", action="store_true", help="compress more, in more time")
    parser.add_argument(
        "--manifest",
        choices=("sha1", "sha256"),
        default="sha256",
        help="digests in an OVA: sha1 for what was made before 2015 (default: sha256)",
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="sign an OVA with this RSA key (PEM)")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="the certificate of --key (PEM)")
    parser.add_argument(
        "--hardware",
        choices=[one.value for one in Hardware],
        help="devices in an OVA: VMware's own, or plain ones (SATA, E1000) for VirtualBox, old and foreign systems "
        "(default: vmware for images of jeos, plain for other disks)",
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Export, and say what was written."""
    chosen = targets.load(args.to)
    options = _options(args)
    with ExitStack() as stack:
        source, origin = _source(args.path, stack=stack)
        folder = origin.parent if origin.is_file() or origin.is_dir() else Path()  # not where devices are
        path = args.output or folder / (source.stem + chosen.SUFFIX)
        done = export(source, path, target=args.to, options=options, force=args.force, origin=origin)
    for warning in done.warnings:
        log.warn(warning)
    if args.json:
        output.as_json(done)
    else:
        log.info(f"{output.size(done.size)} for a disk of {output.size(done.disk_size)}")
        output.line(str(done.path))
    return 0


def _options(args: argparse.Namespace) -> Options:
    if (args.key is None) != (args.certificate is None):
        raise UsageError("--key and --certificate go together", hint="give both, or neither")
    signatory = None
    if args.key is not None:
        signatory = Signatory(_read(args.key), _read(args.certificate), name=f"{args.key} and {args.certificate}")
    return Options(
        effort=Effort.FAST if args.fast else Effort.SMALL if args.small else Effort.USUAL,
        manifest=args.manifest,
        signatory=signatory,
        hardware=Hardware(args.hardware) if args.hardware else None,
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_KEY)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="look at its name and rights") from None


def _source(path: Path, *, stack: ExitStack) -> tuple[Source, Path]:
    """Return what to export, and the file that its disk is in."""
    if path.suffix in (".json", ".toml") or (path.is_dir() and not ova.is_package(path)):
        built = outputs.find(path)
        disk = stack.enter_context(File(built.disk))
        text = eula.read(built.folder / built.image.eula) if built.image.eula else ""
        return sources.of_image(built.image, disk, eula=text, modules=set(_modules(built.tree()))), built.disk
    if not path.exists():
        raise UsageError(f"{path} is not there", hint="name a recipe's folder, a disk or an OVA")
    if ova.is_package(path):
        return _of_package(stack.enter_context(ova.open_package(path)), stack=stack), path
    return sources.of_disk(stack.enter_context(formats.open_disk(path)), name=path.stem), path


def _of_package(package: ova.Package, *, stack: ExitStack) -> Source:
    """Return the only machine of an OVF package, with its only disk."""
    where = package.files.source
    systems, disks = package.envelope.systems, [one for one in package.envelope.disks if one.file]
    if len(systems) != 1 or len(disks) != 1:
        raise InputError(
            f"{where} has {len(systems)} machines with {len(disks)} disks",
            hint="one machine with one disk can be exported; unpack it and export its disks one by one",
        )
    ova.prove(package)
    kept = package.open_disk(disks[0])
    assert kept is not None
    file = package.envelope.file(disks[0].file)
    assert file is not None
    disk = stack.enter_context(formats.open_disk(kept, siblings=package, name=file.href))
    return sources.of_system(systems[0], disk, name=Path(where).stem)


def _modules(tree: Tree) -> Iterator[str]:
    """Yield the names of a system's kernel modules, as `modprobe` takes them."""
    for entry in tree:
        name, dot, suffix = entry.path.rpartition("/")[2].partition(".ko")
        if dot and suffix in ("", ".xz", ".zst", ".gz") and "/modules/" in entry.path:
            yield name.replace("-", "_")
