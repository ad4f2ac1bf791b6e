"""What is done to whole pages: moved, protected, hidden. What moderators do stands in the log."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.content import audit, kinds, markdown, search, tags, texts
from jeos.server.wiki import links
from jeos.server.wiki.models import Change, Level, Page, Redirect, What
from jeos.server.wiki.writing import entry


@transaction.atomic
def move(page: Page, title: str, *, actor: Member, reason: str = "") -> None:
    """Give a page another title; the name that it had leads to it. Raises ValueError if the new name is taken."""
    page.refresh_from_db(from_queryset=Page.objects.select_for_update())
    old_name, old_title = page.name, page.title
    name = markdown.page_name(title)
    if not name or Page.objects.filter(name=name).exclude(pk=page.pk).exists():
        raise ValueError(_("There is a page with that title already."))
    if Redirect.objects.filter(name=name).exclude(page=page).exists():
        raise ValueError(_("Another page was there before, and its old address leads to it."))
    page.name, page.title = name, title
    page.save(update_fields=["name", "title"])
    if name != old_name:
        Redirect.objects.filter(name=name).delete()
        Redirect.objects.create(name=old_name, page=page)
        links.arrive(page, name)
    said = f"{old_title} → {title}" + (f": {reason}" if reason else "")
    _note(page, What.MOVED, actor, said)
    if not page.hidden:
        search.index().put([entry(page, texts.render(page.source)[0])])
    if actor.moderates:
        audit.record(actor, "wiki.move", kind=kinds.WIKI_PAGE, number=page.pk, details={"from": old_title, "to": title})


@transaction.atomic
def remove_redirect(redirect: Redirect, *, actor: Member) -> None:
    """Let an old name of a page be free again."""
    page, name = redirect.page, redirect.name
    redirect.delete()
    links.depart(page, name)
    audit.record(actor, "wiki.redirect", kind=kinds.WIKI_PAGE, number=page.pk, details={"removed": name})


@transaction.atomic
def protect(page: Page, level: Level, *, actor: Member, reason: str = "") -> None:
    """Decide who may change a page."""
    page.protection = level
    page.save(update_fields=["protection"])
    said = f"{level.label}" + (f": {reason}" if reason else "")
    _note(page, What.PROTECTED, actor, said)
    audit.record(actor, "wiki.protect", kind=kinds.WIKI_PAGE, number=page.pk, details={"level": level.name})


@transaction.atomic
def set_hidden(number: int, hidden: bool) -> None:
    """Hide a page, or show it again, with all that leads to it."""
    page = Page.objects.select_for_update().get(pk=number)
    if page.hidden == hidden:
        return
    page.hidden = hidden
    page.save(update_fields=["hidden"])
    if hidden:
        tags.clear(kinds.WIKI_PAGE, page.pk)
        search.index().remove([(kinds.WIKI_PAGE, page.pk)])
        links.store(page, ())
        return
    rendered, _mentioned = texts.render(page.source)
    tags.set_tags(kinds.WIKI_PAGE, page.pk, page.tags.split(), date=page.made)
    search.index().put([entry(page, rendered)])
    links.store(page, rendered.pages)


@transaction.atomic
def hide(page: Page, hidden: bool, *, actor: Member) -> None:
    """Hide a page, or show it again, as a moderator decides."""
    set_hidden(page.pk, hidden)
    audit.record(actor, "wiki.hide" if hidden else "wiki.show", kind=kinds.WIKI_PAGE, number=page.pk)


@transaction.atomic
def hide_version(page: Page, version: int, hidden: bool, *, actor: Member) -> None:
    """Hide the text of an earlier version from all but moderators. Raises ValueError for the one that is shown."""
    if version == page.version:
        raise ValueError(_("This is what the page shows. Go back to another version first."))
    Change.objects.filter(page=page, version=version).update(hidden=hidden)
    details: dict[str, audit.Json] = {"version": version, "hidden": hidden}
    audit.record(actor, "wiki.version", kind=kinds.WIKI_PAGE, number=page.pk, details=details)


def _note(page: Page, what: What, actor: Member, reason: str) -> None:
    Change.objects.create(
        page=page, what=what, version=page.version, editor=actor, reason=reason[:200], made=timezone.now(), told=True
    )
