"""`jeos lock`: decide which packages go into the appliance, and write them down."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from jeos.build import load, locked
from jeos.build.fetch import fetch, missing
from jeos.build.locked import Notice
from jeos.build.sources import repositories
from jeos.cli import output
from jeos.core import log, settings
from jeos.core.errors import InputError
from jeos.model.lock import Lock
from jeos.model.lock_text import Difference
from jeos.model.recipe import Recipe
from jeos.store.local import LocalStore

HELP = "choose the packages of the appliance and write them to appliance.lock"
SHOWN_CVES = 4  # in a table's line; all are in --json
OUT_OF_DATE = 1  # exit status of --check
NOTHING = Difference(added=(), removed=(), changed=())


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos lock`."""
    parser.add_argument("path", nargs="?", type=Path, default=Path(), help="recipe, or the folder that it is in")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions, and show what changes")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; end with status 1 if the lock is missing or not one of this recipe "
        "(with --upgrade: if there are newer packages)",
    )
    parser.add_argument("--fetch", action="store_true", help="also download the packages, for a build without network")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Bring the lock up to date with the recipe, or with the repositories."""
    place = load.find(args.path)
    recipe = load.load(place)
    folder = place.parent
    name = folder / locked.FILE_NAME
    state = _state(recipe, folder=folder, broken_is_wrong=args.check)
    if state.lock and state.current and not args.upgrade:
        log.info(f"{name} is up to date: {_summary(state.lock)}")
        return _finish("current", [], NOTHING, lock=state.lock, args=args, recipe=recipe)
    if args.check and not args.upgrade:
        log.info(f"{name} {'is not one of the recipe as it is now' if state.lock else 'is not there'}; run `jeos lock`")
        return _finish("outdated" if state.lock else "missing", [], NOTHING, lock=state.lock, args=args, recipe=recipe)
    with log.step("resolve") as step:
        new = locked.renew(recipe, folder=folder, cache=settings.cache_dir(), upgrade=args.upgrade)
        step.done(_summary(new))
    if new == state.lock:
        log.info(f"{name} has the newest packages already")
        return _finish("current", [], NOTHING, lock=new, args=args, recipe=recipe)
    difference = locked.changes(state.lock, new) if state.lock else NOTHING
    sources = repositories(recipe, folder=folder)
    notices = locked.notices(difference.changed, lock=new, sources=sources, store=_store())
    if not args.check:
        locked.write(new, folder=folder)
    return _finish("upgradable" if args.check else "written", notices, difference, lock=new, args=args, recipe=recipe)


def _finish(
    word: str,
    notices: Sequence[Notice],
    difference: Difference,
    *,
    lock: Lock | None,
    args: argparse.Namespace,
    recipe: Recipe,
) -> int:
    """Print what became of the lock, fetch its packages if that was asked for, and return the exit status."""
    if args.json:
        output.as_json(_as_json(word, notices, difference, lock=lock))
    else:
        _table(notices, difference)
    if lock and args.fetch and not args.check:
        _fetch(lock, recipe=recipe, folder=load.find(args.path).parent)
    return OUT_OF_DATE if args.check and word != "current" else 0


def _fetch(lock: Lock, *, recipe: Recipe, folder: Path) -> None:
    wanted = missing(lock, _store())
    if not wanted:
        log.info("every package is in the store already")
        return
    with log.step("fetch") as step:
        sources = repositories(recipe, folder=folder)
        fetch(lock, sources, _store(), progress=lambda done, total: step.update(f"{done >> 20} of {total >> 20} MiB"))
        step.done(f"{len(wanted)} packages, {output.size(sum(package.size for package in wanted))}")


def _state(recipe: Recipe, *, folder: Path, broken_is_wrong: bool) -> locked.State:
    """Return the lock in a folder; one that cannot be read counts as none where it is going to be written anew."""
    try:
        return locked.state(recipe, folder=folder)
    except InputError as error:
        if broken_is_wrong:
            raise
        log.warn(f"{error.message}: nothing of it is kept")
        return locked.State(lock=None, current=False)


def _as_json(word: str, notices: Sequence[Notice], difference: Difference, *, lock: Lock | None) -> dict[str, object]:
    changed = [
        {
            "name": notice.change.new.name,
            "old": notice.change.old.version,
            "new": notice.change.new.version,
            "repository": notice.change.new.repository,
            "security": notice.security,
            "cves": notice.cves,
        }
        for notice in notices
    ]
    return {
        "state": word,
        "packages": len(lock.packages) if lock else 0,
        "bytes": _size(lock) if lock else 0,
        "added": difference.added,
        "removed": difference.removed,
        "changed": changed,
    }


def _table(notices: Sequence[Notice], difference: Difference) -> None:
    rows = [(package.name, "-", package.version, "") for package in difference.added]
    rows += [(package.name, package.version, "-", "") for package in difference.removed]
    rows += [_row(notice) for notice in notices]
    if rows:
        output.table(sorted(rows), header=("package", "locked", "now", "security"))


def _row(notice: Notice) -> tuple[str, str, str, str]:
    more = len(notice.cves) - SHOWN_CVES
    words = [*(["security update"] if notice.security else []), *notice.cves[::-1][:SHOWN_CVES]]
    words += [f"and {more} more"] if more > 0 else []
    return notice.change.new.name, notice.change.old.version, notice.change.new.version, ", ".join(words)


def _summary(lock: Lock) -> str:
    return f"{len(lock.packages)} packages, {output.size(_size(lock))}"


def _size(lock: Lock) -> int:
    return sum(package.size for package in lock.packages)


def _store() -> LocalStore:
    return LocalStore(settings.cache_dir() / "store")
