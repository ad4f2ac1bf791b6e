"""Files that come with a form: kept, and put into the text of the field that they were chosen beside.

Every form with the shared editor takes files in this way, whether it is sent or previewed and without a script: what
was chosen under `files-source` is kept before the view sees the form, and the end of `source` says where it is. If a
file is not taken, the form is shown again with what is wrong and nothing is posted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import visitor
from jeos.server.content import attachments, trust
from jeos.server.content.file_kinds import BadFile
from jeos.server.content.limits import TooOften
from jeos.server.content.models import Attachment

Upload = UploadedFile[bytes]
PREFIX = "files-"  # of the names of fields with files; what follows is the field of the text
FORM = 1 << 20  # bytes of a form besides its files
TOGETHER = 5  # files of the largest size that may come at once


class Uploads:
    """Refuses forms that are too large before they are read, and keeps the files of the others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        if request.method == "POST" and request.META.get("CONTENT_TYPE", "").startswith("multipart/"):
            member = settings.SESSION_COOKIE_NAME in request.COOKIES
            most = FORM + (settings.FILE_BYTES * TOGETHER if member else 0)
            if int(request.META.get("CONTENT_LENGTH") or 0) > most:
                context = {"mib": settings.FILE_BYTES >> 20}
                return render(request, "errors/413.html", context, status=413)
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        """Keep the files of a form, and let its texts refer to them."""
        if request.method != "POST" or request.path == "/files/":
            return
        fields = [name for name in request.FILES if name.startswith(PREFIX)]
        member = visitor(request) if fields else None
        if member is None or not trust.may_write(member, now=timezone.now()):
            return
        form = cast(QueryDict, request.POST).copy()
        for name in fields:
            field = name.removeprefix(PREFIX)
            made, wrong = keep_all(member, cast(list[Upload], request.FILES.getlist(name)))
            form[field] = "\n\n".join([*filter(None, [form.get(field, "").rstrip()]), *(one.markdown for one in made)])
            for words in wrong:
                messages.warning(request, words)
                form["preview"] = "1"  # shown again, so that nothing is posted without its file
        request.POST = form  # type: ignore[assignment] # of the stub, which knows only the one that came


def keep_all(member: Member, files: list[Upload]) -> tuple[list[Attachment], list[str]]:
    """Keep files, and return what became of them: those that were taken, and what is wrong with the others."""
    made: list[Attachment] = []
    wrong: list[str] = []
    for file in files:
        try:
            data = b"" if (file.size or 0) > settings.FILE_BYTES else file.read()
            if not data and file.size:
                raise BadFile("large", file.name or "")
            made.append(attachments.keep(member, name=file.name or "", data=data))
        except BadFile as bad:
            wrong.append(words(bad))
        except TooOften:
            wrong.append(_("You have uploaded as much as you may in a day; try again tomorrow."))
            break
    return made, wrong


def words(bad: BadFile) -> str:
    """Return what is wrong with a file, as a page says it."""
    said = {
        "empty": _("{name} is empty."),
        "large": _("{name} is larger than {mib} MiB."),
        "kind": _("{name} is of a kind that is not taken here. Taken are pictures and: {kinds}."),
        "content": _("{name} is not what its ending says."),
        "picture": _("{name} is no picture that can be read: JPEG, PNG, WebP or GIF."),
        "pixels": _("{name} has more pixels than are taken: 40 million."),
    }[bad.why]
    return said.format(name=bad.name[:80], mib=settings.FILE_BYTES >> 20, kinds=" ".join(settings.FILE_KINDS))
