"""Addresses of uploaded files: sending them, uploading, one's own, what is known of one, and removing it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, cast

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import attachments, limits, paging, ranges, trust, uploads
from jeos.server.content.file_kinds import BadFile
from jeos.server.content.models import Attachment
from jeos.server.content.uploads import Upload
from jeos.server.pictures import BadPicture, make

LIST = 30
BLOCK = 1 << 16  # bytes that are sent at once
ALONE = "default-src 'none'; sandbox"  # a file that is looked at by itself can do nothing
HOLDS = 300  # seconds for which a browser need not ask again whether its member may still have a file
YEAR = 31_536_000


def _readable(request: HttpRequest, key: str) -> Attachment:
    """Return a file that who asks may have. Raises Http404: whether there is one is nobody else's business."""
    found = get_object_or_404(Attachment.objects.select_related("owner"), key=key)
    if not attachments.may_have(found, visitor(request)):
        raise Http404
    return found


@require_safe
def send(request: HttpRequest, key: str, name: str) -> HttpResponseBase:
    """Send a file: a picture to be shown, anything else to be saved."""
    found = _readable(request, key)
    if name != found.name:
        raise Http404
    return _send(request, found, found.digest)


@require_safe
def small(request: HttpRequest, key: str) -> HttpResponseBase:
    """Send the small one of a picture."""
    found = _readable(request, key)
    if not found.small:
        raise Http404
    return _send(request, found, found.small)


def _send(request: HttpRequest, found: Attachment, digest: str) -> HttpResponseBase:
    headers = {
        "Content-Type": found.media,
        "Content-Disposition": content_disposition_header(not found.picture, found.name) or "attachment",
        "Cache-Control": f"private, max-age={HOLDS}",
        "Vary": "Cookie",
    }
    return _answer(request, digest, headers)


@require_safe
def face(request: HttpRequest, digest: str) -> HttpResponseBase:
    """Send the picture of a member; it has an address of its own, and so holds for ever."""
    if not Member.objects.filter(picture=digest, is_active=True).exists():
        raise Http404
    return _answer(request, digest, {"Content-Type": "image/webp", "Cache-Control": f"public, max-age={YEAR}"})


def _answer(request: HttpRequest, digest: str, headers: dict[str, str]) -> HttpResponseBase:
    """Send a file, or the part of it that is asked for, unless who asks has it already."""
    tag = f'"{digest}"'
    headers |= {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Security-Policy": ALONE,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    known = [one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")]
    if tag in known:
        return HttpResponse(status=304, headers=headers)
    try:
        file = attachments.place().open(digest)
    except FileNotFoundError as error:
        raise Http404 from error
    size = file.seek(0, 2)
    wanted = request.headers.get("Range", "") if request.headers.get("If-Range", tag) == tag else ""
    try:
        part = ranges.part(wanted, size)
    except ranges.NoSuchPart:
        file.close()
        return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    begin, end = part or (0, size)
    headers["Content-Length"] = str(end - begin)
    if part is not None:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    answer = StreamingHttpResponse(_blocks(file, begin, end), status=206 if part else 200, headers=headers)
    return answer


def _blocks(file: BinaryIO, begin: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(begin)
        while begin < end and (block := file.read(min(BLOCK, end - begin))):
            begin += len(block)
            yield block


@for_members
def own(request: HttpRequest, member: Member) -> HttpResponse:
    """List a member's files; what is posted is kept, and said as a part of a page."""
    if request.method == "POST":
        return _upload(request, member)
    rows = Attachment.objects.filter(owner=member)
    page = paging.newest(rows, keys={"id": int}, after=request.GET.get("after"), size=LIST)
    return render(request, "content/files.html", {"files": page.rows, "after": page.after})


def _upload(request: HttpRequest, member: Member) -> HttpResponse:
    trust.check_may_write(member, now=timezone.now())
    files = [file for name in request.FILES for file in cast(list[Upload], request.FILES.getlist(name))]
    made, wrong = uploads.keep_all(member, files)
    return render(request, "content/attached.html", {"files": made, "wrong": wrong})


@require_GET
@for_members
def about(request: HttpRequest, member: Member, key: str) -> HttpResponse:
    """Show what is known of a file, to its owner and to those who may have it."""
    found = _readable(request, key)
    may_remove = member.moderates or member.pk == found.owner_id
    context = {"file": found, "member": member, "cards": attachments.used_in(found, member), "may_remove": may_remove}
    return render(request, "content/file.html", context)


@require_POST
@for_members
def remove(request: HttpRequest, member: Member, key: str) -> HttpResponse:
    """Remove a file: one's own, or as a moderator any."""
    found = _readable(request, key)
    if not (member.moderates or member.pk == found.owner_id):
        raise PermissionDenied(_("This file is not yours."))
    attachments.remove(found, actor=member)
    messages.success(request, _("{name} is removed.").format(name=found.name))
    return redirect("content:files")


@require_POST
@for_members
def set_face(request: HttpRequest, member: Member) -> HttpResponse:
    """Let a member have a picture, or the letter again."""
    if "letter" in request.POST:
        Member.objects.filter(pk=member.pk).update(picture="")
        return redirect("accounts:profile")
    file = request.FILES.get("face")
    if not isinstance(file, UploadedFile):
        messages.warning(request, _("Choose a picture first."))
        return redirect("accounts:profile")
    kept, wrong = _keep_face(member, file)
    if wrong:
        messages.warning(request, wrong)
    else:
        Member.objects.filter(pk=member.pk).update(picture=kept)
        messages.success(request, _("Saved."))
    return redirect("accounts:profile")


def _keep_face(member: Member, file: Upload) -> tuple[str, str]:
    """Return the digest of a member's picture, and what is wrong with it."""
    limits.use("face", member=member)
    bad = BadFile("large", file.name or "")
    if (file.size or 0) <= settings.FILE_BYTES:
        try:
            return attachments.place().put(make(file.read(), shape="face").whole), ""
        except BadPicture as error:
            bad = BadFile("pixels" if error.why == "pixels" else "picture", file.name or "")
    return "", uploads.words(bad)
