"""Forms of a member's settings."""

from __future__ import annotations

import zoneinfo
from typing import ClassVar

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member

DAYS = (("30", _("30 days")), ("90", _("90 days")), ("365", _("a year")), ("", _("without end")))


class ProfileForm(forms.ModelForm[Member]):
    """What others see of a member, and in which language and time the member reads."""

    language = forms.ChoiceField(choices=[("", _("as the browser says")), *settings.LANGUAGES], required=False)
    time_zone = forms.ChoiceField(choices=[(name, name) for name in sorted(zoneinfo.available_timezones())])

    class Meta:
        """The fields."""

        model = Member
        fields: ClassVar[list[str]] = ["name", "about", "language", "time_zone", "mail_personal", "mail_news"]

    def save(self, commit: bool = True) -> Member:
        """Save, and try mail once more if it came back."""
        self.instance.mail_failures = 0
        return super().save(commit)


class TokenForm(forms.Form):
    """A new token."""

    name = forms.CharField(max_length=60)
    writes = forms.BooleanField(required=False)
    days = forms.ChoiceField(choices=DAYS, required=False)


class LeaveForm(forms.Form):
    """The handle once more, so that nobody leaves by a slip of the hand."""

    handle = forms.CharField(max_length=30)

    def __init__(self, *args: object, member: Member, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._member = member

    def clean_handle(self) -> str:
        """Check the handle. Raises ValidationError if it is another's."""
        if self.cleaned_data["handle"] != self._member.handle:
            raise forms.ValidationError(_("That is not your handle."))
        return self._member.handle
