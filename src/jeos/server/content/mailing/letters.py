"""Mail about what happened: as plain text and as simple HTML, to be ended with one click, and to be answered.

A letter about one thing can be answered where the site takes answers by mail. Its Message-ID is ours to recognise, so
that a report about a mail that did not arrive is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils import translation
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jeos.server.accounts import site
from jeos.server.accounts.models import Member, Pace
from jeos.server.content import answers
from jeos.server.content.mailing import addresses, cutting
from jeos.server.content.models import Notification, Reason

FAILURES = 5  # mails that came back, after which none is sent
SHOWN = 50  # things that a digest tells
PERSONAL = (
    *(Reason.MENTION, Reason.QUOTE, Reason.REPLY, Reason.SOLVED, Reason.MODERATION),
    *(Reason.ANSWER, Reason.REVIEW, Reason.RENEW, Reason.INVITED, Reason.DECIDED),
)
GENERAL = (Reason.NEW, Reason.SCHEDULE)  # of what a member follows


def pace_of(row: Notification, member: Member) -> Pace:
    """Return when a member wants mail about something that happened."""
    if not member.is_active or not member.email or member.mail_failures >= FAILURES:
        return Pace.NEVER
    if row.reason in PERSONAL:
        return Pace(member.mail_personal)
    return Pace(member.mail_news) if row.reason in GENERAL else Pace.NEVER


def send(member: Member, rows: Sequence[Notification], *, what: str, now: datetime, pace: Pace = Pace.AT_ONCE) -> None:
    """Put mail about some notifications into the queue; `what` makes its Message-ID, and the same makes the same."""
    with translation.override(member.language or settings.LANGUAGE_CODE):
        reply = _reply_to(member, rows, now=now) if pace == Pace.AT_ONCE else ""
        items = [(_line(row), f"{settings.ENVIRONMENT.url}{row.url}") for row in rows[:SHOWN]]
        stop = addresses.stop_address(member.pk, _kind(rows))
        letter = EmailMultiAlternatives(
            subject=_subject(rows, pace),
            body=_plain(items, more=len(rows) - len(items), stop=stop, answered=bool(reply)),
            to=[str(member.email)],
            reply_to=[reply] if reply else None,
            headers={
                "Message-ID": addresses.message_id(what),
                "Auto-Submitted": "auto-generated",
                "List-Unsubscribe": f"<{stop}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                **_threading(rows),
            },
        )
        letter.attach_alternative(
            _html(items, more=len(rows) - len(items), stop=stop, answered=bool(reply)), "text/html"
        )
    letter.send()


def _reply_to(member: Member, rows: Sequence[Notification], *, now: datetime) -> str:
    """Return the address for an answer, if the letter is about one thing that takes answers."""
    about = {(row.kind, row.number) for row in rows}
    if len(about) != 1 or not answers.takes(rows[0].kind):
        return ""
    ((kind, number),) = about
    return addresses.reply_address(addresses.Target(member=member.pk, kind=kind, number=number), now=now)


def _threading(rows: Sequence[Notification]) -> dict[str, str]:
    """Return what lets mail programs show letters about one thing together (RFC 5322, section 3.6.4)."""
    about = {(row.kind, row.number) for row in rows}
    if len(about) != 1:
        return {}
    ((kind, number),) = about
    return {"References": f"<about.{kind}.{number}@{settings.ENVIRONMENT.host}>"}


def _kind(rows: Sequence[Notification]) -> str:
    """Return which kind of mail a letter is: what one click ends."""
    personal = {row.reason in PERSONAL for row in rows}
    return "all" if len(personal) > 1 else "personal" if True in personal else "news"


def _line(row: Notification) -> str:
    who = row.actor.handle if row.actor else site.name()
    return _("{who} {did}: {title}").format(who=who, did=Reason(row.reason).label, title=row.title)


def _subject(rows: Sequence[Notification], pace: Pace) -> str:
    if pace == Pace.AT_ONCE and len(rows) == 1:
        subject = rows[0].title
    else:
        subject = ngettext("{n} thing happened on {site}", "{n} things happened on {site}", len(rows)).format(
            n=len(rows), site=site.name()
        )
    return " ".join(subject.split())


def _mark() -> str:
    """Return the line above which an answer is written."""
    return f"{cutting.MARK} {_('Write your answer above this line')} {cutting.MARK[::-1]}"


def _plain(items: Sequence[tuple[str, str]], *, more: int, stop: str, answered: bool) -> str:
    parts = [_mark()] if answered else []
    parts += [f"{' '.join(line.split())}\n{address}" for line, address in items]
    if more > 0:
        parts.append(f"{_more(more)}\n{settings.ENVIRONMENT.url}/notifications/")
    parts.append(
        f"-- \n{_('Which mail you get, you choose here:')}\n{settings.ENVIRONMENT.url}/settings/\n"
        f"{_('No more mail of this kind:')}\n{stop}"
    )
    return "\n\n".join(parts) + "\n"


def _more(count: int) -> str:
    return ngettext("and {n} more", "and {n} more", count).format(n=count)


def _html(items: Sequence[tuple[str, str]], *, more: int, stop: str, answered: bool) -> str:
    """Return the letter as HTML without pictures, styles or anything that is fetched."""
    listed = format_html_join("", '<li><a href="{1}">{0}</a></li>', items)
    rest = format_html('<p><a href="{}/notifications/">{}</a></p>', settings.ENVIRONMENT.url, _more(more))
    return format_html(
        '<!doctype html><html lang="{}"><body>{}<ul>{}</ul>{}<hr><p><a href="{}/settings/">{}</a> · '
        '<a href="{}">{}</a></p></body></html>',
        translation.get_language() or "en",
        format_html("<p>{}</p>", _mark()) if answered else "",
        listed,
        rest if more > 0 else "",
        settings.ENVIRONMENT.url,
        _("Which mail you get"),
        stop,
        _("No more mail of this kind"),
    )
