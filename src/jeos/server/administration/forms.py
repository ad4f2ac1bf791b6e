"""Forms of the administrators' pages."""

from __future__ import annotations

import re

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Entry, Role, Trust

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
    blocked = forms.CharField(max_length=20_000, required=False, widget=forms.Textarea)

    def clean_blocked(self) -> str:
        """Return domains, one on each line, in order. Raises ValidationError for what is none."""
        words = re.split(r"[\s,;]+", self.cleaned_data["blocked"].lower())
        domains = sorted({word.rpartition("@")[2] for word in words if word})
        for domain in domains:
            if not DOMAIN.match(domain):
                raise ValidationError(_("This is no mail domain: %(domain)s"), params={"domain": domain[:80]})
        return "\n".join(domains)


class InvitationForm(forms.Form):
    """An invitation: for whom, for how many accounts, for how long."""

    note = forms.CharField(max_length=100, required=False)
    accounts = forms.IntegerField(min_value=1, max_value=1_000)
    days = forms.IntegerField(min_value=1, max_value=365)
