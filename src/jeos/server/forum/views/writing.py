"""Writing: new threads, replies, edits, and the history of a post."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import kinds, limits, markdown, texts
from jeos.server.forum import categories, polls, posting, rights
from jeos.server.forum.forms import EditForm, ReplyForm, ThreadForm
from jeos.server.forum.models import Post, Thread, thread_url
from jeos.server.forum.views.access import find_post, find_thread
from jeos.server.forum.views.threads import reply_place, slow_mode

NEW_THREAD = "forum.new"  # where drafts of new threads are kept


@for_members
def new_thread(request: HttpRequest, member: Member) -> HttpResponse:
    """Write a new thread."""
    now = timezone.now()
    startable = [one for one in categories.readable(member) if rights.may_start(one, member, now=now)]
    if not startable:
        raise PermissionDenied(_("You cannot start threads at present."))
    draft = texts.draft(member, NEW_THREAD)
    initial = {
        "category": request.GET.get("category", ""),
        "title": draft.title if draft else "",
        "source": draft.source if draft else "",
        "tags": request.GET.get("tags", ""),
    }
    form = ThreadForm(request.POST or None, initial=initial, member=member, now=now)
    context = {"form": form, "categories": startable, "place": NEW_THREAD, "draft": draft}
    if request.method == "POST" and "preview" not in request.POST and form.is_valid():
        limits.use("thread", member=member)
        return redirect(_start(form, member))
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    return render(request, "forum/new.html", context)


def _start(form: ThreadForm, member: Member) -> Thread:
    wanted = form.cleaned_data
    thread = posting.start(
        wanted["category"], author=member, title=wanted["title"], source=wanted["source"], tag_names=wanted["tags"]
    )
    if wanted["poll_question"]:
        polls.make(
            thread,
            question=wanted["poll_question"],
            options=wanted["poll_options"],
            choices=wanted["poll_choices"] or 1,
            closes=None,
        )
    texts.save_draft(member, NEW_THREAD, source="")
    return thread


@for_members
def reply(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Write a reply, with a quotation to begin with if one is asked for."""
    now = timezone.now()
    thread, category = find_thread(number, member)
    if not rights.may_reply(thread, category, member, now=now):
        raise PermissionDenied(_("This thread takes no replies from you at present."))
    draft = texts.draft(member, reply_place(thread.pk))
    quoted, reply_to = _quoted(request, thread, member)
    initial = {"source": (draft.source if draft else "") + quoted, "reply_to": reply_to}
    form = ReplyForm(request.POST or None, initial=initial)
    context = {"thread": thread, "category": category, "form": form, "place": reply_place(thread.pk), "draft": draft}
    slow, wait = slow_mode(thread, category, member, now=now)
    if request.method == "POST" and "preview" not in request.POST and form.is_valid() and not wait:
        limits.use("post", member=member)
        to = form.cleaned_data["reply_to"]
        made = posting.reply(thread, category, author=member, source=form.cleaned_data["source"], reply_to=to)
        texts.save_draft(member, reply_place(thread.pk), source="")
        return redirect(thread_url(thread.pk, thread.slug, number=made.number))
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    return render(request, "forum/reply.html", context | {"slow": slow, "wait": wait})


def _quoted(request: HttpRequest, thread: Thread, member: Member) -> tuple[str, int | None]:
    """Return the quotation that is asked for, and the number of the post that is answered."""
    wanted = request.GET.get("quote") or request.GET.get("to") or ""
    if not wanted.isdecimal() or len(wanted) > 9:
        return "", None
    post = Post.objects.select_related("author").filter(thread=thread, number=int(wanted)).first()
    if post is None or (post.hidden and not member.moderates):
        return "", None
    if "quote" not in request.GET:
        return "", post.number
    url = post.get_absolute_url()
    return markdown.quote(post.source, handle=post.author.handle, number=post.number, url=url), post.number


@for_members
def edit(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Change a post; with the first, the thread's title and tags."""
    now = timezone.now()
    post, thread, category = find_post(number, member)
    may_edit = rights.may_edit(post, thread, member, now=now)
    may_tag = post.number == 1 and rights.may_tag(thread, member, now=now)
    if not may_edit and not may_tag:
        raise PermissionDenied(_("You cannot edit this post."))
    initial = {"source": post.source, "title": thread.title, "tags": thread.tags}
    form = EditForm(request.POST or None, initial=initial)
    if not may_edit:
        form.fields["source"].required = False
    context = {
        "post": post,
        "thread": thread,
        "category": category,
        "form": form,
        "may_edit": may_edit,
        "may_tag": may_tag,
    }
    if request.method == "POST" and "preview" not in request.POST and form.is_valid():
        limits.use("edit", member=member)
        wanted = form.cleaned_data
        if may_edit:
            title = wanted["title"] if post.number == 1 else ""
            posting.edit(post, thread, editor=member, source=wanted["source"], reason=wanted["reason"], title=title)
        if may_tag and wanted["tags"] != thread.tags.split():
            posting.retag(thread, wanted["tags"])
        return redirect(thread_url(thread.pk, thread.slug, number=post.number))
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    return render(request, "forum/edit.html", context)


@require_GET
def history(request: HttpRequest, number: int) -> HttpResponse:
    """Show the versions of a post and what changed with each."""
    post, thread, category = find_post(number, visitor(request))
    context = {
        "post": post,
        "thread": thread,
        "category": category,
        "history": texts.history(kinds.POST, post.pk),
    }
    return render(request, "forum/history.html", context)
