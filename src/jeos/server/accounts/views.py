"""Pages about members, and their settings. Signing in and up is allauth's."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts import activity, export, invitations, leaving
from jeos.server.accounts.forms import LeaveForm, ProfileForm, TokenForm
from jeos.server.accounts.models import Member, Token
from jeos.server.accounts.visitor import for_members, visitor

TOKENS = 20  # of one member; more are a sign that old ones are not removed


@require_GET
def member(request: HttpRequest, handle: str) -> HttpResponse:
    """Show a member: what the member says of himself, and did here."""
    found = get_object_or_404(Member, handle=handle)
    if not found.is_active:
        raise Http404
    context = {"found": found, "pieces": activity.of(found, visitor(request)), "member": visitor(request)}
    return render(request, "accounts/member.html", context)


@require_GET
def invited(request: HttpRequest, code: str) -> HttpResponse:
    """Take an invitation up: the form for a new account is open then."""
    if invitations.find(code, now=timezone.now()) is None:
        raise PermissionDenied(_("This invitation does not hold any more."))
    request.session[invitations.KEY] = code
    return redirect("account_signup")


@for_members
def profile(request: HttpRequest, member: Member) -> HttpResponse:
    """Change what others see, language, time zone and mail."""
    form = ProfileForm(request.POST or None, instance=member)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("accounts:profile")
    return render(request, "accounts/profile.html", {"form": form, "at": "profile"})


@for_members
def tokens(request: HttpRequest, member: Member) -> HttpResponse:
    """List the member's tokens and make new ones; the text of a new one is shown once."""
    form = TokenForm(request.POST or None)
    shown = ""
    if request.method == "POST" and form.is_valid():
        if member.tokens.count() >= TOKENS:
            form.add_error(None, _("You have {n} tokens already; remove some first.").format(n=TOKENS))
        else:
            days = form.cleaned_data["days"]
            expires = timezone.now() + timedelta(days=int(days)) if days else None
            _made, shown = Token.make(
                member, name=form.cleaned_data["name"], writes=form.cleaned_data["writes"], expires=expires
            )
            form = TokenForm()
    context = {"form": form, "tokens": list(member.tokens.order_by("-made")), "shown": shown, "at": "tokens"}
    return render(request, "accounts/tokens.html", context)


@require_POST
@for_members
def remove_token(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Remove a token: what uses it has no access from now on."""
    get_object_or_404(Token, pk=number, member=member).delete()
    return redirect("accounts:tokens")


@for_members
def data(request: HttpRequest, member: Member) -> HttpResponse:
    """Show how to take one's data along, and how to leave."""
    form = LeaveForm(request.POST or None, member=member)
    if request.method == "POST" and form.is_valid():
        if member.administers and not _others_administer(member):
            form.add_error(None, _("You are the only administrator; make another first."))
        else:
            leaving.leave(member)
            logout(request)
            return redirect("home")
    return render(request, "accounts/data.html", {"form": form, "at": "data"})


def _others_administer(member: Member) -> bool:
    others = Member.objects.filter(role=member.role, is_active=True).exclude(pk=member.pk)
    return others.exists()


@require_POST
@for_members
def download(request: HttpRequest, member: Member) -> HttpResponse:
    """Send everything that is known of the member, as one JSON file."""
    response = StreamingHttpResponse(export.text(member), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{member.handle}.json"'
    response["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value] # both are answers to Django
