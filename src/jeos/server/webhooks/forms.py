"""The form of a webhook."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from jeos.server import outside
from jeos.server.content.happenings import TYPES
from jeos.server.webhooks.models import ADDRESS_LENGTH


class HookForm(forms.Form):
    """Where to send what."""

    address = forms.CharField(max_length=ADDRESS_LENGTH)
    types = forms.MultipleChoiceField(choices=list(TYPES.items()))

    def clean_address(self) -> str:
        """Return the address. Raises ValidationError for one that the site would not go to."""
        address = str(self.cleaned_data["address"]).strip()
        try:
            outside.check(address, rules=settings.OUTSIDE)
        except outside.Refused as error:
            raise ValidationError(error.message) from error
        return address
