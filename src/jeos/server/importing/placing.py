"""Files that wait become attachments and pictures of members: prepared in no transaction.

A file is kept with the first post that refers to it, a picture of a member with the member.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from jeos.core import files
from jeos.server import pictures
from jeos.server.content import attachments
from jeos.server.content.attachments import Prepared
from jeos.server.content.file_kinds import BadFile
from jeos.server.content.models import Attachment
from jeos.server.importing import reporting
from jeos.server.importing.gathering import face_name, shelf
from jeos.server.importing.models import RAW, READY, Import, Kind, Old, Staged

AT_ONCE = 20  # files that one task prepares: pictures take up to seconds each
NOTES = 100  # of what was refused that are kept
_LINK = re.compile(r"(?<!\\)!?\[([^\[\]\\\n]{0,300})\]\(old-file:(\d{1,16})\)")


class Unpreparable(Exception):  # noqa: N818 - named for what happened
    """A file that could not be prepared for a reason that lies in this machine."""

    def __init__(self, row: Staged) -> None:
        super().__init__(f"file {row.number}")
        self.row = row.pk


def note(run: int, lines: list[str]) -> None:
    """Write down what was not taken."""
    with transaction.atomic():
        found = Import.objects.select_for_update().get(pk=run)
        found.notes = [*found.notes, *lines][:NOTES]
        found.save(update_fields=["notes"])


def prepare(number: int) -> bool:
    """Prepare the next files of an import; return whether there are more. Raises Unpreparable.

    A worker that dies here begins the file anew; it is in no transaction, since others would wait for it.
    """
    waiting = Staged.objects.filter(run=number, run__failed=None, kind__in=(Kind.FILE, Kind.FACE), topic=RAW)
    rows = waiting.select_related("run")
    for row in rows.order_by("place", "number")[:AT_ONCE]:
        try:
            (_prepare_face if row.kind == Kind.FACE else _prepare)(row)
        except BadFile as bad:
            leave_out(row, bad.why)
        except FileNotFoundError:
            leave_out(row, "is gone")
        except Exception as error:
            raise Unpreparable(row) from error
    return rows.exists()


def _prepare(row: Staged) -> None:
    place = shelf(row.run.source) / str(row.number)
    made = attachments.prepare(str(row.data["name"]), place.read_bytes())
    if made.small:
        files.write(place.with_suffix(".small"), made.small, mode=0o600, durable=False)
        files.write(place, made.data, mode=0o600, durable=False)  # again a picture that can be prepared
    about = {"name": made.name, "media": made.media, "width": made.width, "height": made.height}
    Staged.objects.filter(pk=row.pk).update(topic=READY, data={**row.data, "made_of": about})


def _prepare_face(row: Staged) -> None:
    """Make the picture of a member; those who have the same one share it."""
    name = str(row.data["name"])
    place = shelf(row.run.source) / face_name(str(row.data["key"]))
    made = place.with_suffix(".made")
    if not made.exists():
        try:
            face = pictures.make(place.read_bytes(), shape="face")
        except pictures.BadPicture as bad:
            raise BadFile("pixels" if bad.why == "pixels" else "picture", name) from None
        files.write(made, face.whole, mode=0o600, durable=False)
    Staged.objects.filter(pk=row.pk).update(topic=READY)


def face_of(source: str, data: dict[str, Any]) -> bytes | None:
    """Return the picture of a member that was prepared, if it is there."""
    try:
        return (shelf(source) / face_name(str(data["key"]))).with_suffix(".made").read_bytes()
    except FileNotFoundError:  # of a site that was restored, without the shelf, while an import went on
        return None


@transaction.atomic
def leave_out(row: Staged, why: str) -> None:
    """Take a file off, and write down why."""
    if Staged.objects.filter(pk=row.pk).delete()[0]:
        note(row.run_id, [f"{row.data['name']}: {WHY.get(why, why)}"])
        reporting.add(row.run_id, "left", {reporting.name_of(row.kind): 1})
        Import.objects.filter(pk=row.run_id).update(passed_over=F("passed_over") + 1, done=F("done") + 1)


WHY = {
    "empty": "is empty",
    "large": "is too large",
    "kind": "is of a kind that is not taken here",
    "content": "is not what its ending says",
    "picture": "is no picture that can be read",
    "pixels": "has too many pixels",
}


def placed(source: str, data: dict[str, Any], *, author: Callable[[int], int]) -> str:
    """Return the text of a post with its files as attachments; a file that was not taken is its name.

    Only files that the post is said to have are put in: a text that names others gets none of them.
    """
    numbers = {int(number) for number in data.get("files", ())}
    known = {number: found for number in numbers if (found := _attachment(source, number, author)) is not None}

    def link(found: re.Match[str]) -> str:
        number = int(found[2])
        if number not in numbers:
            return found[0]
        attachment = known.get(number)
        if attachment is None:
            return found[1]
        return f"{'!' if attachment.picture else ''}[{found[1] or 'file'}](attachment:{attachment.key})"

    return _LINK.sub(link, str(data["source"]))


def _attachment(source: str, number: int, author: Callable[[int], int]) -> Attachment | None:
    """Return what a file has become; the first who asks makes it."""
    old = Old.objects.filter(source=source, kind=Kind.FILE, number=number).first()
    if old is not None:
        return Attachment.objects.filter(pk=old.new).first()
    row = Staged.objects.filter(run__source=source, kind=Kind.FILE, number=number, topic=READY).first()
    if row is None:
        return None
    place = shelf(source) / str(number)
    about, small = row.data["made_of"], place.with_suffix(".small")
    try:
        file = Prepared(**about, data=place.read_bytes(), small=small.read_bytes() if about["width"] else b"")
    except FileNotFoundError:  # of a site that was restored, without the shelf, while an import went on
        return None
    made = attachments.store(author(int(row.data["author"])), file, made=datetime.fromisoformat(row.data["made"]))
    Old.objects.create(source=source, kind=Kind.FILE, number=number, new=made.pk, name=str(row.data["key"])[:100])
    return made
