"""What those who publish say about where the site is to look: channels to follow, domains that prove who they are."""

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
from jeos.server.catalogue import channels, publishers, rights
from jeos.server.catalogue.forms import ChannelForm, DomainForm, NewChannelForm
from jeos.server.catalogue.models import Publisher
from jeos.server.catalogue.views.access import find_appliance, find_owned, find_publisher
from jeos.server.content import limits


def _check(publisher: Publisher, member: Member) -> None:
    """Raise PermissionDenied for who does not publish there."""
    if not rights.may_publish(publisher, member, now=timezone.now()):
        raise PermissionDenied(_("Only those who publish there may do that."))


@for_members
def new(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """List an appliance by its channel."""
    publisher = find_publisher(name, member)
    _check(publisher, member)
    form = NewChannelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        limits.use("publish", member=member)
        said = form.cleaned_data
        try:
            made = channels.begin(publisher, said["name"], channel=said["channel"], root=said["root"], by=member)
        except ValueError:
            form.add_error("name", _("It is listed already: change the channel on its page."))
        else:
            return redirect(made)
    return render(request, "catalogue/channel.html", {"publisher": publisher, "appliance": None, "form": form})


@for_members
def change(request: HttpRequest, member: Member, publisher: str, name: str) -> HttpResponse:
    """Let an appliance follow another channel, or another root."""
    found = find_appliance(publisher, name, member)
    _check(found.publisher, member)
    form = ChannelForm(request.POST or None, initial={"channel": found.channel, "root": found.root})
    if request.method == "POST" and form.is_valid():
        limits.use("publish", member=member)
        channels.set_channel(found, channel=form.cleaned_data["channel"], root=form.cleaned_data["root"])
        return redirect(found)
    context = {"publisher": found.publisher, "appliance": found, "form": form}
    return render(request, "catalogue/channel.html", context)


@require_POST
@for_members
def domain(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Say by which domain a publisher is to be verified; the same again lets the site look at once."""
    publisher = find_owned(name, member)
    limits.use("publisher", member=member)
    form = DomainForm(request.POST)
    if form.is_valid():
        publishers.set_domain(publisher, form.cleaned_data["domain"])
        messages.success(request, _("The site will look at the file in a moment."))
    else:
        messages.warning(request, _("This is no name of a domain, as example.org."))
    return redirect("catalogue:manage", publisher.name)
