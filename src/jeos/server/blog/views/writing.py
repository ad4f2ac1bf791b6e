"""Writing: new posts, changes, publishing now or later, taking back, deleting."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members
from jeos.server.blog import posting, queries, rights
from jeos.server.blog.forms import DRAFT, PUBLISH, SCHEDULE, PostForm
from jeos.server.blog.models import Post, State
from jeos.server.blog.views.access import find_post
from jeos.server.blog.views.posts import place_of
from jeos.server.content import limits, texts, trust
from jeos.server.content.models import Draft

NEW = "blog.new"  # where what is typed into the page of a new post is kept
FIELD_TIME = "%Y-%m-%dT%H:%M"  # of an input of the type datetime-local (HTML, section 2.3.5)


@for_members
def write(request: HttpRequest, member: Member) -> HttpResponse:
    """Write a new post."""
    trust.check_may_write(member, now=timezone.now())
    begun = texts.draft(member, NEW)
    initial = {
        "title": begun.title if begun else "",
        "source": begun.source if begun else "",
        "tags": request.GET.get("tags", ""),
        "series": request.GET.get("series", ""),
    }
    return _form(request, member, None, initial=initial, place=NEW, begun=begun)


@for_members
def edit(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Change a post; an unpublished one can be published, now or later."""
    post = find_post(number, member)
    if not rights.may_edit(post, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this post."))
    place = f"blog.edit.{post.pk}"
    begun = texts.draft(member, place)
    initial = {
        "title": begun.title if begun else post.title,
        "source": begun.source if begun else post.source,
        "tags": post.tags,
        "series": post.series.title if post.series else "",
        "due": timezone.localtime(post.due).strftime(FIELD_TIME) if post.due else "",
    }
    return _form(request, member, post, initial=initial, place=place, begun=begun)


def _form(
    request: HttpRequest,
    member: Member,
    post: Post | None,
    *,
    initial: dict[str, str],
    place: str,
    begun: Draft | None,
) -> HttpResponse:
    """Show the form of a post, or do what it asks for."""
    published = post is not None and post.state == State.PUBLISHED
    action = PUBLISH if published else request.POST.get("action", DRAFT)
    form = PostForm(request.POST or None, initial=initial, action=action)
    context = {
        "post": post,
        "published": published,
        "form": form,
        "place": place,
        "draft": begun,
        "own_series": queries.series_of(post.author if post else member),
        "zone": timezone.get_current_timezone_name(),
    }
    if request.method == "POST" and "preview" not in request.POST and form.is_valid():
        kept = _keep(form, member, post)
        texts.save_draft(member, place, source="")
        return _act(request, action, kept, form, member)
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    return render(request, "blog/write.html", context)


def _keep(form: PostForm, member: Member, post: Post | None) -> Post:
    """Keep what the form says, in the post or in a new one."""
    if post is None:
        limits.use("draft", member=member)
        return posting.begin(member, form.writing())
    limits.use("edit" if post.state == State.PUBLISHED else "draft", member=member)
    posting.change(post, form.writing(), editor=member, reason=form.cleaned_data["reason"])
    return post


def _act(request: HttpRequest, action: str, post: Post, form: PostForm, member: Member) -> HttpResponse:
    """Do with a kept post what the button asks for."""
    if post.state == State.PUBLISHED:
        return redirect(place_of(post))
    if action == PUBLISH:
        limits.use("blogpost", member=member)
        posting.publish(post)
        return redirect(place_of(post))
    if action == SCHEDULE:
        limits.use("blogpost", member=member)
        posting.schedule(post, form.cleaned_data["due"])
        messages.success(request, _("It will be published at its time."))
        return redirect("blog:own")
    if post.state == State.SCHEDULED:
        posting.withdraw(post)
    messages.success(request, _("Your draft is kept. Nobody else can read it."))
    return redirect("blog:edit", post.pk)


@require_POST
@for_members
def withdraw(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Let the member's own post be a draft again."""
    post = find_post(number, member)
    if not rights.may_withdraw(post, member):
        raise PermissionDenied(_("You cannot take this post back."))
    posting.withdraw(post)
    messages.success(request, _("It is a draft again. Nobody else can read it."))
    return redirect("blog:own")


@require_POST
@for_members
def delete(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Delete the member's own post that was never published."""
    post = find_post(number, member)
    if not rights.may_delete(post, member):
        raise PermissionDenied(_("What others have read is not deleted; take it back instead."))
    posting.delete(post)
    texts.save_draft(member, f"blog.edit.{number}", source="")
    messages.success(request, _("The draft is deleted."))
    return redirect("blog:own")
