"""Lists of posts: the planet, those of followed blogs, a blog, a series, one's own; and the list of blogs."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.blog import posting, queries
from jeos.server.blog.forms import BlogForm
from jeos.server.blog.models import blog_url
from jeos.server.blog.views.access import find_author, find_series
from jeos.server.content import following, tags, trust


def _listing(request: HttpRequest, member: Member | None, context: Mapping[str, object]) -> HttpResponse:
    """Return a page with a list of posts or blogs of all members, and what stands beside it."""
    beside: dict[str, object] = {
        "member": member,
        "may_write": trust.may_write(member, now=timezone.now()),
        "lively": queries.blogs(after=None, size=queries.BESIDE).rows,
        "popular": tags.popular(),
    }
    return render(request, "blog/planet.html", {**beside, **context})


@require_GET
def planet(request: HttpRequest) -> HttpResponse:
    """Show all members' posts, newest first."""
    page = queries.page(queries.shown(), after=request.GET.get("after"))
    return _listing(request, visitor(request), {"show": "planet", "posts": page.rows, "after": page.after})


@require_GET
@for_members
def followed(request: HttpRequest, member: Member) -> HttpResponse:
    """Show the posts of the blogs that the member follows."""
    page = queries.page(queries.followed(member), after=request.GET.get("after"))
    return _listing(request, member, {"show": "followed", "posts": page.rows, "after": page.after})


@require_GET
def blogs(request: HttpRequest) -> HttpResponse:
    """Show the blogs that have posts."""
    page = queries.blogs(after=request.GET.get("after"))
    return _listing(request, visitor(request), {"show": "blogs", "blogs": page.rows, "after": page.after})


@require_GET
def blog(request: HttpRequest, handle: str) -> HttpResponse:
    """Show a member's blog."""
    author, member = find_author(handle), visitor(request)
    page = queries.page(queries.shown().filter(author=author), after=request.GET.get("after"))
    context = {
        "author": author,
        "blog": queries.blog_of(author),
        "series": queries.series_of(author),
        "posts": page.rows,
        "after": page.after,
        "member": member,
        "level": following.level(member, following.BLOG, author.pk) if member else 0,
        "may_write": trust.may_write(member, now=timezone.now()),
    }
    return render(request, "blog/blog.html", context)


@require_GET
def series(request: HttpRequest, handle: str, slug: str) -> HttpResponse:
    """Show the posts of a series, in their order."""
    found = find_series(handle, slug)
    context = {"series": found, "author": found.author, "posts": queries.parts(found)}
    return render(request, "blog/series.html", context)


@require_GET
@for_members
def own(request: HttpRequest, member: Member) -> HttpResponse:
    """Show the member's own posts: scheduled, drafts, published."""
    scheduled, drafts = queries.unpublished(member)
    page = queries.own(member, after=request.GET.get("after"))
    context = {
        "member": member,
        "blog": queries.blog_of(member),
        "scheduled": scheduled,
        "drafts": drafts,
        "posts": page.rows,
        "after": page.after,
        "may_write": trust.may_write(member, now=timezone.now()),
    }
    return render(request, "blog/own.html", context)


@for_members
def describe(request: HttpRequest, member: Member) -> HttpResponse:
    """Let the member say what the blog is called and about."""
    trust.check_may_write(member, now=timezone.now())
    found = queries.blog_of(member)
    form = BlogForm(request.POST or None, initial={"title": found.title, "about": found.about})
    if request.method == "POST" and form.is_valid():
        posting.describe(member, title=form.cleaned_data["title"], about=form.cleaned_data["about"])
        messages.success(request, _("Saved."))
        return redirect(blog_url(member.handle))
    return render(request, "blog/describe.html", {"form": form, "member": member})
