"""`jeos publish`: put a built release into a channel, from where machines update themselves, and tell a catalogue."""

import argparse
from pathlib import Path

from jeos.build import outputs
from jeos.channel import built, catalogue, publish
from jeos.channel.backend import open_backend
from jeos.channel.catalogue import Listed
from jeos.cli import channel, output, publication, unlock
from jeos.core import files, log, settings

HELP = "put what was built into a channel, from where machines update themselves"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos publish`."""
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        default=Path(),
        help="recipe, the folder that it is in, or an image's NAME_VERSION.json",
    )
    parser.add_argument(
        "--channel", metavar="WHERE", help="a folder or s3://BUCKET/PREFIX (default: channel/ beside the recipe)"
    )
    channel.add_terms(parser)
    parser.add_argument("--notes", default="", metavar="TEXT", help="a word on the release, for those who look at it")
    parser.add_argument("--older", action="store_true", help="publish it though the channel has a newer one")
    parser.add_argument(
        "--patches",
        type=int,
        default=publish.PATCHES,
        metavar="N",
        help=f"make patches from so many releases before it (default: {publish.PATCHES})",
    )
    parser.add_argument("--sysupdate", action="store_true", help="write whole images for systemd-sysupdate, too")
    channel.add_signing(parser)
    unlock.add_arguments(parser)
    publication.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Prove the build, publish it, tell the catalogue if there is one to tell, and print how it is listed."""
    publication.check(args)
    found = outputs.find(args.path)
    if args.to is not None and args.channel is None and not found.image.updates:
        log.info(f"{found.image.name} {found.image.version} does not update itself, and goes into no channel")
        return _tell(args, found, None, root=b"")
    folder = args.path if args.path.is_dir() else args.path.parent
    if args.keys == unlock.FOLDER and not args.keys.exists() and (folder / unlock.FOLDER).exists():
        args.keys = folder / unlock.FOLDER
    keys = channel.open_keys(args)
    with log.step("check") as step:
        proved = built.check(found.image, folder=found.folder)
        step.done(f"{found.image.name} {found.image.version}, {output.size(proved.system.size)}")
    backend = open_backend(args.channel or str(folder / channel.FOLDER), create=True)
    offer = publish.Offer(
        ring=catalogue.STABLE if args.ring is None else args.ring,
        percent=100 if args.percent is None else args.percent,
        critical=bool(args.critical),
        notes=args.notes,
        older=args.older,
        whole_images=args.sysupdate,
        patches=args.patches,
    )
    with files.temporary_folder(settings.work_dir(), prefix="publish-") as work:
        done = publish.publish(proved, backend, keys=keys, offer=offer, work=work)
    if not done.new:
        log.info(f"{found.image.name} {found.image.version} was published already; nothing changed")
    if args.to is not None:
        _tell(args, found, done.listed, root=keys.roots[0])
    return channel.tell(done.listed, args)


def _tell(args: argparse.Namespace, found: outputs.Outputs, listed: Listed | None, *, root: bytes) -> int:
    """Tell the catalogue, and print where the version's page is: data only if there is no channel to print of."""
    with log.step("catalogue") as step:
        told = publication.send(args, found, listed, root=root)
        step.done(f"{told.url}{'' if told.new else ', which was there already'}")
    if listed is None and args.json:
        output.as_json(told)
    return 0
