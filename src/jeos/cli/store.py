"""`jeos store`: collect, check and count what the store and the build's caches keep."""

import argparse
from pathlib import Path

from jeos.build import apt, namespace
from jeos.cli import output
from jeos.cli.times import UNITS, duration
from jeos.core import log, settings
from jeos.core.errors import StoreError
from jeos.disk import direct
from jeos.store.caches import KINDS, CacheFolder
from jeos.store.check import check
from jeos.store.local import LocalStore
from jeos.store.prune import GRACE, prune
from jeos.store.room import Leftovers, sweep_downloads, sweep_folders, taken
from jeos.store.stats import stats

HELP = "collect, check and count what the store and the build's caches keep"

STARTING = 60.0  # seconds in which a machine that is being started may not have read its kernel yet
DAYS = f"{GRACE / UNITS['d']:g}d"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `jeos store`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    collect = actions.add_parser("gc", help="delete what nothing names and nobody used for a while")
    collect.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    collect.add_argument(
        "--older-than",
        type=duration,
        default=GRACE,
        metavar="TIME",
        help=f"spare what was used within this time: 90s, 30m, 12h, 14d, 2w; 0 spares what is in use (default: {DAYS})",
    )
    collect.set_defaults(act=_collect)

    look = actions.add_parser("check", help="read every object again and compare it with its digest")
    look.add_argument("--repair", action="store_true", help="move what is damaged or foreign to the folder `damaged`")
    look.set_defaults(act=_check)

    count = actions.add_parser("stats", help="count objects, roots and cache entries, and the room they take")
    count.set_defaults(act=_stats)

    for action in (collect, look, count):
        action.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    return int(args.act(args))


def _store() -> LocalStore:
    return LocalStore(settings.cache_dir() / "store")


def _caches() -> CacheFolder:
    # Layers hold files of subordinate ids, which only the namespace's root can delete.
    return CacheFolder(settings.cache_dir(), remove=namespace.remove_tree)


def _collect(args: argparse.Namespace) -> int:
    dry_run: bool = args.dry_run
    caches = _caches()
    with log.step("caches") as step:
        old = caches.sweep(older_than=args.older_than, dry_run=True)
        sizes = {found.path: taken(found.path) for found in old}
        gone = old if dry_run else caches.sweep(older_than=args.older_than)
        freed = sum(sizes.get(found.path, 0) for found in gone)
        downloads = sweep_downloads(settings.cache_dir() / "downloads", older_than=args.older_than, dry_run=dry_run)
        lists, kernels = _sweep_lists(args), _sweep_kernels(args)
        step.done(f"{len(gone)} entries")
    with log.step("store") as step:
        pruned = prune(_store(), older_than=args.older_than, dry_run=dry_run)
        step.done(f"{pruned.deleted} objects")
    total = freed + downloads.freed + lists.freed + kernels.freed + pruned.freed
    if args.json:
        entries = [{"kind": found.kind, "key": found.key, "bytes": sizes.get(found.path, 0)} for found in gone]
        output.as_json(
            {
                "dry_run": dry_run,
                "freed": total,
                "objects": pruned,
                "caches": entries,
                "downloads": downloads,
                "lists": lists,
                "kernels": kernels,
            }
        )
        return 0
    rows = [
        (f"cache {kind}", *_of_kind(kind, {found.path: sizes.get(found.path, 0) for found in gone})) for kind in KINDS
    ]
    for what, left in (("downloads", downloads), ("package lists", lists), ("kernels", kernels)):
        rows.append((what, left.files, output.size(left.freed)))
    rows.append(("objects", pruned.deleted, output.size(pruned.freed)))
    output.table(rows, header=("what", "deleted" if not dry_run else "would go", "room"), right=(1, 2))
    output.line(f"{output.size(total)} {'would be ' if dry_run else ''}freed; {pruned.kept} objects stay")
    return 0


def _sweep_lists(args: argparse.Namespace) -> Leftovers:
    folders = (settings.cache_dir() / apt.FOLDER).glob("*")
    return sweep_folders(folders, mark=apt.LOCK, lock=apt.lock_of, older_than=args.older_than, dry_run=args.dry_run)


def _sweep_kernels(args: argparse.Namespace) -> Leftovers:
    return sweep_folders(
        (settings.cache_dir() / direct.FOLDER).glob("*"),
        mark=direct.CMDLINE,
        lock=direct.lock_of,
        older_than=max(args.older_than, STARTING),
        dry_run=args.dry_run,
    )


def _of_kind(kind: str, sizes: dict[Path, int]) -> tuple[int, str]:
    here = [size for path, size in sizes.items() if path.parent.name == kind]
    return len(here), output.size(sum(here))


def _check(args: argparse.Namespace) -> int:
    with log.step("check") as step:
        found = check(_store(), repair=args.repair, progress=lambda count: step.update(f"{count} objects"))
        step.done(f"{found.objects} objects")
    if args.json:
        output.as_json(found)
    else:
        rows = [(word, name) for word in ("damaged", "foreign", "missing") for name in getattr(found, word)]
        if rows:
            output.table(rows, header=("wrong", "what"))
        output.line(
            f"{found.objects} objects: {len(found.damaged)} damaged, {len(found.foreign)} foreign files, "
            f"{len(found.missing)} missing"
        )
        if found.moved and (found.damaged or found.foreign):
            output.line(
                "what was damaged or foreign is in the folder `damaged` now; build or fetch again what needs it"
            )
    return 0 if found.sound or (found.moved and not found.missing) else StoreError.exit_code


def _stats(args: argparse.Namespace) -> int:
    held = stats(_store())
    entries = list(_caches().entries())
    kinds = {
        kind: {
            "entries": sum(found.kind == kind for found in entries),
            "bytes": sum(taken(found.path) for found in entries if found.kind == kind),
        }
        for kind in KINDS
    }
    others = {
        what: [path for path in (settings.cache_dir() / name).glob("*") if path.is_dir()]
        for what, name in (("package lists", apt.FOLDER), ("kernels", direct.FOLDER))
    }
    if args.json:
        output.as_json({"folder": settings.cache_dir(), "store": held, "caches": kinds})
        return 0
    rows: list[tuple[str, object, str]] = [("objects", held.objects, output.size(held.disk_bytes))]
    rows += [(f"roots: {kind}", count, "") for kind, count in held.roots.items()]
    rows += [(f"cache {kind}", found["entries"], output.size(found["bytes"])) for kind, found in kinds.items()]
    rows += [(what, len(found), output.size(sum(taken(path) for path in found))) for what, found in others.items()]
    output.table(rows, header=("what", "count", "room"), right=(1, 2))
    output.line(f"{held.packed} objects are packed; unpacked, all would be {output.size(held.content_bytes)}")
    output.line(f"folder: {settings.cache_dir()}")
    return 0
