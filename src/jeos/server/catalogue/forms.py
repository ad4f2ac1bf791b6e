"""Forms of the catalogue."""

from __future__ import annotations

import json
import re

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jeos.core.errors import InputError
from jeos.model import publication
from jeos.server.accounts.models import Member
from jeos.server.catalogue import publishers
from jeos.server.catalogue.models import ADDRESS_LENGTH, LINE_LENGTH, NAME_LENGTH, VERSION_LENGTH, Power, Verdict
from jeos.server.content.forms import TextField, TitleField

HOST = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


class AddressField(forms.CharField):
    """An address of the web, or nothing."""

    def __init__(self) -> None:
        super().__init__(max_length=ADDRESS_LENGTH, required=False, strip=True)

    def clean(self, value: object) -> str:
        """Return the address. Raises ValidationError."""
        text = str(super().clean(value))
        try:
            publication.address(text, "address")
        except InputError:
            raise ValidationError(_("This is no address of the web, as https://example.org/.")) from None
        return text


class PublisherForm(forms.Form):
    """What a publisher's page says."""

    title = TitleField(max_length=LINE_LENGTH)
    about = forms.CharField(max_length=2_000, required=False, widget=forms.Textarea)
    home_page = AddressField()


class NewPublisherForm(PublisherForm):
    """A new publisher."""

    name = forms.CharField(max_length=NAME_LENGTH, strip=True)

    def clean_name(self) -> str:
        """Return the name in addresses. Raises ValidationError."""
        name: str = self.cleaned_data["name"].lower()
        if not publishers.NAME.fullmatch(name):
            raise ValidationError(_("Small letters, digits and hyphens, a letter first."))
        return name


class SeatForm(forms.Form):
    """Who publishes for a publisher, with which power; 0 takes the seat away."""

    handle = forms.CharField(max_length=60, strip=True)
    power = forms.TypedChoiceField(choices=[(0, ""), *Power.choices], coerce=int)

    def clean_handle(self) -> Member:
        """Return the member. Raises ValidationError."""
        found = Member.objects.filter(handle=self.cleaned_data["handle"].lstrip("@").lower(), is_active=True).first()
        if found is None:
            raise ValidationError(_("There is no such member."))
        return found


class DomainForm(forms.Form):
    """The domain by which a publisher is to be verified; empty for none."""

    domain = forms.CharField(max_length=253, required=False, strip=True)

    def clean_domain(self) -> str:
        """Return the name of the host. Raises ValidationError."""
        name: str = self.cleaned_data["domain"].lower().rstrip(".")
        if name and not HOST.fullmatch(name):
            raise ValidationError(_("This is no name of a domain, as example.org."))
        return name


class ChannelForm(forms.Form):
    """A channel to follow, and the root to check it with."""

    channel = AddressField()
    root = forms.CharField(max_length=256 << 10, widget=forms.Textarea, required=False, strip=True)

    def clean(self) -> dict[str, object]:
        """Look whether the root is one. A channel that nothing can be checked with is none to follow."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("channel") and not _is_root(str(cleaned.get("root", ""))):
            raise ValidationError(_("This is no root of keys: paste the first root.json that `jeos keys new` made."))
        return cleaned


class NewChannelForm(ChannelForm):
    """A channel of an appliance that is not listed yet."""

    name = forms.CharField(max_length=NAME_LENGTH, strip=True)

    def clean_name(self) -> str:
        """Return the appliance's name. Raises ValidationError."""
        name: str = self.cleaned_data["name"]
        if not publishers.NAME.fullmatch(name):
            raise ValidationError(_("Small letters, digits and hyphens, a letter first."))
        return name


def _is_root(text: str) -> bool:
    """Tell whether a text looks like a TUF root; its signatures are checked by the worker."""
    try:
        return bool(json.loads(text)["signed"]["_type"] == "root")
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


class ReviewForm(forms.Form):
    """A review."""

    runs = forms.CharField(max_length=VERSION_LENGTH)
    verdict = forms.TypedChoiceField(choices=Verdict.choices, coerce=int)
    source = TextField()
