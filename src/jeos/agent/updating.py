"""The command `jeos-agent update`: look for a newer release, put it in place, restart into it.

    jeos-agent update                 look now; restart if it is time for that
    jeos-agent update --check         only tell what would be done
    jeos-agent update --now           without waiting for percentages, pauses and windows
    jeos-agent update --from PATH     from a folder, or a disk (/dev/…), instead of the channel
    jeos-agent update --scheduled     what the timer does: nothing until it is time to look

A disk that is attached with the label `jeos-update` goes before the channel: it is found at the next look.
"""

import json
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from functools import partial
from typing import BinaryIO

from jeos.agent import appliance, local, trial
from jeos.agent.appliance import Appliance
from jeos.core.errors import JeosError, UsageError
from jeos.model.release import Release
from jeos.update import apply, fetch, mounts, programs, run, settings, slots
from jeos.update.errors import BusyError, UpdateError
from jeos.update.fetch import Channel
from jeos.update.run import Guest, Outcome, Wish
from jeos.update.settings import Settings
from jeos.update.state_file import FOLDER

ROOT = "/usr/lib/jeos/root.json"
IDENTITY = "/etc/machine-id"
OFFLINE = "/dev/disk/by-label/jeos-update"
KINDS = ("vfat", "ext4", "iso9660", "erofs", "squashfs")  # file systems that a disk may come with
WISHES = {"--check": Wish.CHECK, "--now": Wish.NOW, "--scheduled": Wish.SCHEDULED}
REBOOT = [trial.SYSTEMCTL, "--no-block", "reboot"]
HEARD_SECONDS = 1.0  # until the restart, so that the agent can pass on what was printed
SHOW_SECONDS = 2.0  # for the consoles to show what came of it
NO_UPDATES = "this appliance does not update itself: its recipe has no [update]"


def update(options: Sequence[str]) -> int:
    """Make one pass as the options say, and print what came of it."""
    try:
        wish, source, as_json = parse(options)
        wanted = settings.read()
        if wanted is None:
            raise UsageError(NO_UPDATES)
        outcome = make_pass(appliance.read(), wanted, wish, source=source)
    except JeosError as error:
        sys.stderr.write(f"{error}\n")
        return 0 if isinstance(error, BusyError) and "--scheduled" in options else error.exit_code
    if outcome.changed:
        _say(f"at most {most_memory()} MiB of memory were in use")
    with suppress(OSError):  # the daemon may be starting again
        local.ask({"do": "show"}, seconds=SHOW_SECONDS)
    if as_json:
        sys.stdout.write(json.dumps(asdict(outcome), indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in told(outcome)))
    sys.stdout.flush()
    if outcome.restarting:
        restart(at_once=wish is Wish.SCHEDULED)
    # What the timer found is in the state and on the consoles; a unit that has failed would make the machine unwell.
    return 1 if outcome.error and wish is not Wish.SCHEDULED else 0


def parse(options: Sequence[str]) -> tuple[Wish, str, bool]:
    """Return the wish, the source and whether to answer in JSON. Raises UsageError."""
    wish, source = Wish.ASKED, ""
    left = list(options)
    as_json = "--json" in left
    while left:
        option = left.pop(0)
        if option in WISHES:
            wish = WISHES[option]
        elif option == "--from" and left:
            source = left.pop(0)
        elif option != "--json":
            raise UsageError(
                f"{option} is not understood", hint="jeos-agent update [--check|--now] [--from PATH] [--json]"
            )
    return wish, source, as_json


def make_pass(own: Appliance, wanted: Settings, wish: Wish, *, source: str = "") -> Outcome:
    """Make one pass; an attached disk goes before the channel, which is asked where the disk has nothing to take.

    Else a disk that was forgotten in the machine would keep it from all that comes later.
    """
    guest = this_guest(own)
    if source:
        with offline(source) as folder:
            return run.run(guest, wanted, wish, source=folder)
    if os.path.exists(OFFLINE) and (wish is not Wish.SCHEDULED or run.is_due(guest, wanted)):
        if wish is Wish.SCHEDULED:
            wish = Wish.ASKED  # the channel is due as well, though the disk has just been looked at
        found = _from_disk(guest, wanted, wish)
        if found is not None and found.version:
            return found
    return run.run(guest, wanted, wish)


def _from_disk(guest: Guest, wanted: Settings, wish: Wish) -> Outcome | None:
    """Make a pass over the attached disk; None if that is of no use."""
    try:
        with offline(OFFLINE) as folder:
            outcome = run.run(guest, wanted, wish, source=folder)
    except BusyError:
        raise
    except (UpdateError, UsageError) as error:
        _say(f"the attached disk is of no use: {error.message}")
        return None
    if outcome.error:
        _say(f"the attached disk is of no use: {outcome.error}")
    return outcome


def this_guest(own: Appliance) -> Guest:
    """Return the machine that this is. Raises UpdateError if it lacks what every machine has."""
    try:
        with open(ROOT, "rb") as file:
            root = file.read()
        with open(IDENTITY, encoding="ascii") as text:
            identity = text.read().strip()
    except OSError as error:
        raise UpdateError(f"{error.filename} cannot be read: {error.strerror}") from None

    def install(release: Release, *, patch: str | None, channel: Channel, settings: Settings, target: str) -> object:
        from jeos.update import rebuild  # the largest part, for those passes alone that find something

        def rebuilt(*, active: str, kernel: str, system: BinaryIO, hashes: BinaryIO, kernel_out: BinaryIO) -> None:
            useless = rebuild.rebuild(
                release,
                active=verified_device(),
                kernel=kernel,
                patch=patch,
                fetch=partial(fetch.read_blob, channel),
                system=system.name,
                hashes=hashes.name,
                kernel_out=kernel_out.name,
                work=f"{FOLDER}/work",
            )
            if useless:
                _say(f"the patch was of no use, so that packs were fetched: {useless}")

        place = apply.here(own.version)
        keep = settings.snapshot
        troubled = trial.failed_units()
        return apply.apply(release, rebuild=rebuilt, place=place, keep=keep, troubled=troubled, target=target)

    return Guest(
        name=own.name,
        version=own.version,
        root_hash=slots.running_root_hash(),
        identity=identity,
        root=root,
        built=os.stat(appliance.PLACE).st_mtime,
        install=install,
        withdraw=lambda: apply.withdraw(apply.here(own.version)),
        restart=lambda: None,  # `update` does it, when it has said so
        say=_say,
    )


def most_memory() -> int:
    """Return the most memory that this process has had at once, in MiB, with the files that were mapped into it."""
    with open("/proc/self/status", encoding="ascii") as file:
        sizes = [line.split()[1] for line in file if line.startswith("VmHWM:")]
    return int(sizes[0]) >> 10 if sizes else 0


def verified_device() -> str:
    """Return the device that / is on, whose every block the kernel checks when it is read."""
    device = os.stat("/").st_dev
    return f"/dev/{os.path.basename(os.path.realpath(f'/sys/dev/block/{os.major(device)}:{os.minor(device)}'))}"


def restart(*, at_once: bool) -> None:
    """Restart the machine, with all services stopped in order; not `at_once` lets whoever asked hear it first."""
    if at_once:
        programs.run(REBOOT, seconds=trial.PROGRAM_SECONDS)
    elif os.fork() == 0:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        time.sleep(HEARD_SECONDS)
        os.execv(REBOOT[0], REBOOT)


@contextmanager
def offline(source: str) -> Iterator[str]:
    """Yield the folder of a channel that was brought: a folder, or a disk, which is mounted meanwhile."""
    try:
        device = stat.S_ISBLK(os.stat(source).st_mode)
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}", hint="name a folder or a disk") from None
    if not device:
        yield source
        return
    with ExitStack() as mounted:
        yield _mount(os.path.realpath(source), mounted)


def _mount(device: str, mounted: ExitStack) -> str:
    for kind in KINDS:
        with suppress(UpdateError):
            return mounted.enter_context(mounts.mounted(device, kind=kind, read_only=True))
    raise UpdateError(f"{device} has no file system of {', '.join(KINDS)}", hint="copy the channel onto one of these")


def told(outcome: Outcome) -> list[str]:
    """Return what a pass came to, as lines."""
    hint = [f"hint: {outcome.hint}"] if outcome.hint else []
    others = [line for line in outcome.passed if line != outcome.words]
    return [outcome.words, *hint, *(f"  {line}" for line in others)]


def _say(words: str) -> None:
    sys.stderr.write(f"jeos: {words}\n")
