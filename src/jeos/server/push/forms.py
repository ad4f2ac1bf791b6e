"""What a browser sends when its member lets it show notifications (W3C Push API, "PushSubscription.toJSON()")."""

from __future__ import annotations

import base64
import binascii

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from jeos.server import outside
from jeos.server.push import encryption
from jeos.server.push.models import ENDPOINT_LENGTH


def _bytes(text: str, length: int) -> bytes:
    """Return what base64url says. Raises ValidationError for another length."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise ValidationError("this is no key") from error
    if len(data) != length:
        raise ValidationError("this is no key")
    return data


class SubscriptionForm(forms.Form):
    """A browser's push service and keys."""

    endpoint = forms.CharField(max_length=ENDPOINT_LENGTH)
    p256dh = forms.CharField(max_length=120)
    auth = forms.CharField(max_length=60)
    name = forms.CharField(max_length=60, required=False)
    news = forms.BooleanField(required=False)

    def clean_endpoint(self) -> str:
        """Return the address. Raises ValidationError for one that the site would not go to."""
        address = str(self.cleaned_data["endpoint"])
        try:
            outside.check(address, rules=settings.OUTSIDE)
        except outside.Refused as error:
            raise ValidationError(error.message) from error
        return address

    def clean_p256dh(self) -> bytes:
        """Return the browser's public key. Raises ValidationError for what is none."""
        point = _bytes(self.cleaned_data["p256dh"], 65)
        try:
            encryption.read_public(point)
        except ValueError as error:
            raise ValidationError("this is no key") from error
        return point

    def clean_auth(self) -> bytes:
        """Return the browser's secret. Raises ValidationError for what is none."""
        return _bytes(self.cleaned_data["auth"], encryption.SECRET_BYTES)
