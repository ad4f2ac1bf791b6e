"""`jeos backup verify`: read everything again, say what is wrong and which points it touches, mend it."""

import argparse
import json
import re

from jeos.backup import known_vaults
from jeos.backup.needs import needs
from jeos.cli import output, unlock
from jeos.cli.backup import proving, vaults
from jeos.cli.backup.boot import open_for_later
from jeos.core import log
from jeos.core.errors import JeosError, MachineError, StoreError, UsageError
from jeos.store.places.address import open_place
from jeos.store.places.place import Place
from jeos.store.vault import Vault, now
from jeos.store.vault_check import Report, check
from jeos.store.vault_repair import Repaired, repair

HELP = (
    "read all backups again, and say what is damaged and which points it touches; mend it, from a copy if there is one"
)

SHOWN = 20  # lines of each kind; --json says all


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    vaults.add_arguments(parser)
    parser.add_argument(
        "--part", type=_part, default=(1, 1), metavar="N/OF", help="read one part of the packs: 3/7 on Wednesdays"
    )
    parser.add_argument("--quick", action="store_true", help="only look whether everything is there, and read points")
    parser.add_argument("--repair", action="store_true", help="mend what can be mended out of what is sound")
    parser.add_argument("--repair-from", metavar="ADDRESS", help="the same, and fetch what is lost from this vault")
    proving.add_arguments(parser)


def _part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text} is no part; write 3/7")
    return int(match[1]), int(match[2])


def run(args: argparse.Namespace) -> int:
    """Verify, repair if asked to, and print what is wrong."""
    vault = vaults.open_vault(args) if args.boot is None else open_for_later(args)
    wants_repair = args.repair or args.repair_from
    if wants_repair and not isinstance(vault.place, Place):
        raise UsageError(f"{vault.where} can only be read", hint="repair the folder or bucket that is served there")
    with log.step("verify") as step:
        report = check(vault, needs=needs, part=args.part, read=not args.quick, progress=step.update)
        step.done(f"{report.packs} packs, {output.size(report.size)}, {len(report.points)} points")
    _note(vault, report, whole=args.part == (1, 1) and not args.quick)
    repaired = _repair(vault, report, args) if wants_repair and not report.sound else None
    proved = [] if args.boot is None else proving.prove(vault, args)
    if args.json:
        output.as_json({**_as_json(vault, report, repaired), "started": proved})
    else:
        _print(report, repaired)
        proving.tell(proved)
    if not (repaired.left if repaired else report).sound:
        return StoreError.exit_code
    return 0 if all(one.well for one in proved) else MachineError.exit_code


def _repair(vault: Vault, report: Report, args: argparse.Namespace) -> Repaired:
    source = None
    if args.repair_from:
        place = open_place(args.repair_from)
        source = known_vaults.check(Vault.open(place, secret=vaults.secret(unlock.passphrases(args), name=place.place)))
    with log.step("repair") as step:
        repaired = repair(vault, report, needs=needs, source=source, progress=step.update)
        step.done(f"{repaired.moved} chunks moved, {repaired.fetched} fetched")
    return repaired


def _note(vault: Vault, report: Report, *, whole: bool) -> None:
    """Keep beside each point what was found, for `jeos backup list`; a part that is sound proves nothing."""
    if not isinstance(vault.place, Place):
        return
    for name in report.points:
        if whole or name in report.touched:
            note = {"time": now(), "sound": name not in report.touched}
            try:
                vault.note_checked(name, json.dumps(note).encode())
            except (
                JeosError,
                OSError,
            ) as error:  # a vault on a disk that may only be read can be verified all the same
                log.debug(f"the result is not kept: {error}")
                return


def _print(report: Report, repaired: Repaired | None) -> None:
    for finding in report.findings[:SHOWN]:
        output.line(f"{finding.name}: {finding.reason.partition(': ')[2] or finding.reason}")
    left = repaired.left if repaired else report
    rows = [(name, _what(left, name)) for name in left.touched]
    if rows:
        output.table(rows, header=("point", "is touched"))
    if report.sound:
        output.line(f"{report.packs} packs, {report.chunks} chunks, {len(report.points)} points: all as written")
    elif repaired is not None and left.sound:
        output.line("everything was mended")
    elif not rows:
        output.line("no point is touched; `jeos backup verify --repair` mends it")


def _what(report: Report, name: str) -> str:
    if name in report.lost:
        return f"{len(report.lost[name])} chunks are lost"
    return report.broken[name]


def _as_json(vault: Vault, report: Report, repaired: Repaired | None) -> dict[str, object]:
    left = repaired.left if repaired else report
    return {
        "store": vault.where,
        "sound": left.sound,
        "packs": report.packs,
        "chunks": report.chunks,
        "bytes": report.size,
        "points": report.points,
        "findings": report.findings,
        "touched": {
            name: {chunk.hex(): why for chunk, why in left.lost.get(name, {}).items()} for name in left.touched
        },
        "broken": left.broken,
        "repaired": {"moved": repaired.moved, "fetched": repaired.fetched} if repaired else None,
    }
