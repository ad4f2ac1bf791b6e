"""Forms of the administrators' pages."""

from __future__ import annotations

import re
from collections.abc import Callable

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts import blocking
from jeos.server.accounts.models import LIST_LENGTH, Entry, Role, Trust

SILENCES = ((0, _("may write")), (1, _("one day")), (7, _("a week")), (30, _("30 days")), (365, _("a year")))
DOMAIN = re.compile(r"\A(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}\Z")


class StandingForm(forms.Form):
    """A member's role and trust."""

    role = forms.TypedChoiceField(choices=Role.choices, coerce=lambda value: Role(int(value)))
    trust = forms.TypedChoiceField(choices=Trust.choices, coerce=lambda value: Trust(int(value)))


class SilenceForm(forms.Form):
    """For how long a member may not write."""

    days = forms.TypedChoiceField(choices=SILENCES, coerce=int)


class SuspendForm(forms.Form):
    """Whether a member is shut out, and why."""

    on = forms.TypedChoiceField(choices=[(1, ""), (0, "")], coerce=lambda value: value == "1")
    note = forms.CharField(max_length=200, required=False)


class SiteForm(forms.Form):
    """What is decided for the whole site."""

    name = forms.CharField(max_length=60, required=False)
    entry = forms.TypedChoiceField(choices=Entry.choices, coerce=lambda value: Entry(int(value)))
    review = forms.BooleanField(required=False)


class ListField(forms.CharField):
    """A list of what the site keeps out, with one entry on each line; cleaned to the entries as they are kept."""

    def __init__(self) -> None:
        super().__init__(max_length=LIST_LENGTH, required=False, widget=forms.Textarea)


class BlockForm(forms.Form):
    """What the site keeps out."""

    blocked = ListField()
    networks = ListField()
    words = ListField()

    def clean_blocked(self) -> list[str]:
        """Return domains. Raises ValidationError for what is none."""
        words = re.split(r"[\s,;]+", self.cleaned_data["blocked"].lower())
        domains = sorted({word.rpartition("@")[2] for word in words if word})
        for domain in domains:
            if not DOMAIN.match(domain):
                raise ValidationError(_("This is no mail domain: %(domain)s"), params={"domain": domain[:80]})
        return domains

    def clean_networks(self) -> list[str]:
        """Return networks. Raises ValidationError for what is none, and for one that is too wide."""
        entries = [entry for entry in re.split(r"[\s,;]+", self.cleaned_data["networks"]) if entry]
        said = _("This is no network, or one that is too wide: %(network)s")
        return _each(entries, blocking.network, said, "network")

    def clean_words(self) -> list[str]:
        """Return words and phrases, folded. Raises ValidationError for a line without a word or with too many."""
        entries = [line.strip() for line in self.cleaned_data["words"].splitlines() if line.strip()]
        return _each(entries, blocking.phrase, _("This is no word, or too many: %(words)s"), "words")


def _each(entries: list[str], keep: Callable[[str], str], said: str | Promise, name: str) -> list[str]:
    """Return entries as they are kept, once each. Raises ValidationError with what is said of a wrong one."""
    kept = set()
    for entry in entries:
        try:
            kept.add(keep(entry))
        except ValueError as error:
            raise ValidationError(str(said), params={name: entry[:80]}) from error
    return sorted(kept)


class InvitationForm(forms.Form):
    """An invitation: for whom, for how many accounts, for how long."""

    note = forms.CharField(max_length=100, required=False)
    accounts = forms.IntegerField(min_value=1, max_value=1_000)
    days = forms.IntegerField(min_value=1, max_value=365)
