"""Topics that members wish for: listed, suggested, voted on."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import limits, paging, trust
from jeos.server.events import topics
from jeos.server.events.forms import TopicForm
from jeos.server.events.models import Topic
from jeos.server.events.views.access import find_event, frame

PAGE = 50  # topics on a page


def wishes(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the topics that most want first, and take another."""
    member = visitor(request)
    event, who = find_event(slug, member)
    may_write = trust.may_write(member, now=timezone.now())
    form = TopicForm(request.POST or None)
    if request.method == "POST":
        author = trust.check_may_write(member, now=timezone.now())
        if form.is_valid():
            limits.use("topic", member=author)
            made = topics.suggest(event, author=author, title=form.cleaned_data["title"])
            return redirect(f"{request.path}#t{made.pk}")
    rows = Topic.objects.filter(event=event, hidden=False).select_related("author")
    page = paging.newest(rows, keys={"votes": int, "id": int}, after=request.GET.get("after"), size=PAGE)
    context = {
        **frame(event, who, "topics"),
        "topics": page.rows,
        "after": page.after,
        "own": topics.own(member, [one.pk for one in page.rows]),
        "may_write": may_write,
        "form": form,
    }
    return render(request, "events/topics.html", context)


@require_POST
@for_members
def vote(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Vote for a topic, or take the vote back."""
    event, _who = find_event(slug, member)
    topic = get_object_or_404(Topic.objects.select_related("author"), pk=number, event=event, hidden=False)
    trust.check_may_write(member, now=timezone.now())
    limits.use("vote", member=member)
    topics.vote(topic, member, wanted=request.POST.get("want") == "1")
    if request.headers.get("HX-Request"):
        context = {"event": event, "topic": topic, "own": topics.own(member, [topic.pk]), "may_write": True}
        return render(request, "events/voted.html", context | {"member": member})
    return redirect(f"/events/{event.slug}/topics/#t{topic.pk}")
