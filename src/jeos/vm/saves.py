"""What was saved of the machines of this host: saving, listing, bringing back, deleting.

saved = saves.save("web", "before-upgrade", stop=False)
saves.load("web", "before-upgrade", force=True)
saves.remove("web", "before-upgrade")

A machine that runs is saved by its supervisor (see `saving`). One that is saved under a name again keeps the old state
until the new one is complete.
"""

import os
from pathlib import Path

from jeos.core import files
from jeos.core.errors import InputError, MachineError, UsageError
from jeos.core.run import run
from jeos.model.machine import ALIVE, Machine, State, check_name, machine_text
from jeos.model.saved import DEFAULT, Saved, Start, parse_saved
from jeos.vm import disks, orders, session
from jeos.vm.begin import begin
from jeos.vm.places import Places, claim, places_of
from jeos.vm.saved_files import ABOUT, CREDENTIALS, DEVICES, PREFIX, TAG, drop, information, states

SECONDS = 3600.0  # that writing a memory may take


def parse_target(text: str) -> tuple[str, str]:
    """Read NAME or NAME@SNAPSHOT; raises UsageError for what cannot be one."""
    name, at, snapshot = text.partition("@")
    return check_name(name), check_name(snapshot) if at else DEFAULT


def listed(name: str) -> list[Saved]:
    """Return what was saved of a machine, the newest first; of two with the same name the newer one counts."""
    folder = places_of(check_name(name)).saved
    found = [_read(path) for path in folder.iterdir() if TAG.fullmatch(path.name)] if folder.is_dir() else []
    newest: dict[str, Saved] = {}
    for saved in sorted((one for one in found if one is not None), key=lambda one: one.taken):
        newest[saved.name] = saved
    return sorted(newest.values(), key=lambda one: -one.taken)


def find(name: str, snapshot: str) -> Saved:
    """Return what was saved of a machine under a name. Raises MachineError if nothing was."""
    found = listed(name)
    for saved in found:
        if saved.name == snapshot:
            return saved
    session.state(name)  # or there is no such machine
    names = ", ".join(f"{name}@{saved.name}" for saved in found)
    hint = f"there is: {names}" if names else f"jeos save {name} saves it"
    raise MachineError(f"nothing is saved as {name}@{snapshot}", hint=hint)


def save(name: str, snapshot: str, *, stop: bool) -> Saved:
    """Save a machine that runs, under a name of its own; with `stop` it ends then. Raises MachineError."""
    places = places_of(check_name(name))
    session.require_alive(name)
    orders.order(places.control, {"order": "save", "name": snapshot, "stop": stop}, patience=SECONDS)
    if stop:
        session.stop(name)  # only waits for the supervisor
    saved = find(name, snapshot)
    for old in _superseded(places, saved):
        _forget(places, old)
    return saved


def remove(name: str, snapshot: str) -> None:
    """Delete what was saved under a name. Raises MachineError if there is nothing."""
    saved = find(name, snapshot)
    places = places_of(name)
    for one in (*_superseded(places, saved), saved.tag):
        _forget(places, one)


def load(name: str, snapshot: str, *, force: bool) -> State:
    """Let a machine go on where it was saved, and return its state then.

    What it did since is lost, which `force` says is wanted. Raises UsageError without it, MachineError if the machine
    cannot be brought back; what was saved stays in any case.
    """
    places = places_of(check_name(name))
    saved = find(name, snapshot)
    now = session.state(name)
    if not force and (now.status in ALIVE or not saved.stopped or now.started > saved.taken):
        hint = f"--force says that this is wanted: jeos load --force {name}@{snapshot}"
        raise UsageError(f"what {name} did since it was saved would be lost", hint=hint)
    disks.check_base(saved.machine)
    folder = places.saved / saved.tag
    if now.status in ALIVE:
        session.end(name)
    descriptor = claim(places)
    try:
        session.leave_engine(places, saved.machine)
        for disk in _disks(saved.machine, places):
            _go_back(disk, saved.tag)
        _restore_settings(saved, folder, places)
        start = Start(
            devices=str(folder / DEVICES),
            agent=saved.agent,
            balloon=saved.balloon,
            network=saved.network,
            accelerator=saved.accelerator,
            qemu=saved.qemu,
            first_address=saved.first_address,
            vsock=saved.vsock,
            packed=saved.packed,
        )
        return begin(places, descriptor, start=start)
    finally:
        os.close(descriptor)


def _read(folder: Path) -> Saved | None:
    try:
        return parse_saved((folder / ABOUT).read_text(), source=str(folder / ABOUT))
    except (OSError, InputError):  # it is just being deleted, or another jeos wrote it
        return None


def _superseded(places: Places, saved: Saved) -> list[str]:
    """Return the tags of older states of the same name."""
    found = [_read(path) for path in places.saved.iterdir() if TAG.fullmatch(path.name)]
    return [one.tag for one in found if one is not None and one.name == saved.name and one.tag != saved.tag]


def _forget(places: Places, tag: str) -> None:
    """Delete what was saved under a tag, through the supervisor if the machine runs."""
    if session.state(places.name).status in ALIVE:
        session.require_alive(places.name)
        orders.order(places.control, {"order": "forget", "tag": tag}, patience=SECONDS)
        return
    descriptor = claim(places)
    try:
        saved = _read(places.saved / tag)
        drop(places.saved / tag)
        for disk in _disks(saved.machine, places) if saved else ():
            if PREFIX + tag in states(disk):
                run(["qemu-img", "snapshot", "-q", "-d", PREFIX + tag, disk])
    finally:
        os.close(descriptor)


def _disks(machine: Machine, places: Places) -> list[Path]:
    return [places.disk, *(places.other_disk(number) for number in range(len(machine.other_disks)))]


def _go_back(disk: Path, tag: str) -> None:
    """Give a disk back its state; what recorded changes for backups does not hold for it, and is dropped.

    Whoever is killed here has lost nothing: the state stays in the disk, and going back again ends the same.
    """
    if PREFIX + tag not in states(disk):
        raise MachineError(f"{disk} no longer holds the state that was saved", hint="it was made anew since: jeos rm")
    data = information(disk).get("format-specific", {}).get("data", {})  # type: ignore[attr-defined]
    for bitmap in data.get("bitmaps", ()):
        run(["qemu-img", "bitmap", "--remove", "-f", "qcow2", disk, str(bitmap["name"])])
    run(["qemu-img", "snapshot", "-q", "-a", PREFIX + tag, disk])


def _restore_settings(saved: Saved, folder: Path, places: Places) -> None:
    """Give the machine back what it was made of, its properties included."""
    if saved.machine.properties:
        places.credentials.mkdir(mode=0o700, exist_ok=True)
        for one in (folder / CREDENTIALS).iterdir():
            files.write(places.credentials / one.name, one.read_bytes(), mode=0o600)
    files.write(places.machine, machine_text(saved.machine), mode=0o600)
