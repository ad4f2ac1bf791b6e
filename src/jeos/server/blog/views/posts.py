"""A post, and the small moves on it: reactions, hiding, its history."""

from __future__ import annotations

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, for_moderators, visitor
from jeos.server.blog import posting, queries, reacting, rights
from jeos.server.blog.models import Post, State, post_url
from jeos.server.blog.views.access import find_post
from jeos.server.content import audit, comments, kinds, limits, reactions, texts


def place_of(post: Post) -> str:
    """Return where a post is now."""
    return post_url(post.author.handle, post.pk, post.slug)


@require_GET
def permanent(request: HttpRequest, number: int) -> HttpResponse:
    """Lead from a post's lasting address to where it is now."""
    return redirect(place_of(find_post(number, visitor(request))))


@require_GET
def post(request: HttpRequest, handle: str, number: int, slug: str) -> HttpResponse:
    """Show a post."""
    member = visitor(request)
    found = find_post(number, member)
    if (handle, slug) != (found.author.handle, found.slug):
        return redirect(place_of(found), permanent=True)
    now = timezone.now()
    talk = None
    if found.shown:
        talk = comments.talk(kinds.BLOG_POST, found.pk, member, after=request.GET.get("comments"), now=now)
    context = {
        "post": found,
        "author": found.author,
        "blog": queries.blog_of(found.author),
        "line": queries.line_of(found),
        "beside": queries.beside(found),
        "own": queries.own_of(found, member),
        "signs": reactions.SIGNS.values(),
        "member": member,
        "may_edit": rights.may_edit(found, member, now=now),
        "may_react": member is not None and rights.may_react(found, member, now=now),
        "talk": talk,
        "talk_url": place_of(found),
    }
    return render(request, "blog/post.html", context)


@require_POST
@for_members
def react(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Add a reaction to a post, or take it back."""
    found = find_post(number, member)
    sign = request.POST.get("sign", "")
    if not sign.isdecimal() or int(sign) not in reactions.SIGNS:
        raise BadRequest("there is no such reaction")
    if not rights.may_react(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot react to this post."))
    limits.use("reaction", member=member)
    reacting.react(found, member, int(sign))
    if request.headers.get("HX-Request"):
        context = {
            "post": found,
            "own": queries.own_of(found, member),
            "signs": reactions.SIGNS.values(),
            "may_react": True,
        }
        return render(request, "blog/reactions.html", context)
    return redirect(f"{place_of(found)}#reactions")


@require_POST
@for_moderators
def hide(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Hide a published post or show it again, without a case in the queue."""
    found = find_post(number, member)
    if found.state != State.PUBLISHED:
        raise PermissionDenied(_("Nobody but its author sees this post."))
    posting.set_hidden(found.pk, not found.hidden)
    audit.record(member, "blog.show" if found.hidden else "blog.hide", kind=kinds.BLOG_POST, number=found.pk)
    return redirect(place_of(found))


@require_GET
def history(request: HttpRequest, number: int) -> HttpResponse:
    """Show the versions of a post and what changed with each."""
    found = find_post(number, visitor(request))
    context = {"post": found, "history": texts.history(kinds.BLOG_POST, found.pk), "place": place_of(found)}
    return render(request, "blog/history.html", context)
