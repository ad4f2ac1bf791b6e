"""The form that starts an import."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jeos.server.importing import starting

SOURCES = (("discourse", "Discourse"), ("phpbb", "phpBB"))
NONE = "none"  # what is written where nothing was closed


class StartForm(forms.Form):
    """Which dump of which program, and what belongs to it."""

    source = forms.ChoiceField(choices=SOURCES)
    file = forms.ChoiceField(required=False)
    dump = forms.FileField(required=False)
    folder = forms.ChoiceField(required=False)  # of its files
    faces = forms.ChoiceField(required=False)
    tables = forms.RegexField(r"\A\w*\Z", max_length=40, required=False)
    closed = forms.CharField(max_length=1_000, required=False)

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.offered = starting.offered()
        folders = [("", _("none")), *((name, name) for name in starting.folders())]
        for name, choices in (
            ("file", [("", _("none")), *((one.name, one.name) for one in self.offered)]),
            ("folder", folders),
            ("faces", folders),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def clean_closed(self) -> list[int] | None:
        """Return the numbers of forums that were closed, or None where nothing was said. Raises ValidationError."""
        said = self.cleaned_data["closed"].strip().lower()
        if not said:
            return None
        numbers = [] if said == NONE else re.split(r"[\s,]+", said)
        if not all(re.fullmatch(r"[0-9]{1,9}", number) for number in numbers):
            raise ValidationError(_("Numbers with commas between, or: none."))
        return [int(number) for number in numbers]

    def clean(self) -> dict[str, Any]:
        """See that there is one dump, and that it is said what was closed."""
        cleaned = super().clean() or self.cleaned_data
        if bool(cleaned.get("file")) == bool(cleaned.get("dump")):
            raise ValidationError(_("Choose one dump: in the folder, or on your machine."))
        if cleaned.get("source") == "phpbb" and cleaned.get("closed") is None and "closed" not in self.errors:
            self.add_error("closed", _("Say which forums of phpBB were closed: its dump does not say it plainly."))
        return cleaned

    def wanted(self) -> dict[str, Any]:
        """Return what was chosen, as an import keeps it; the name of an uploaded dump is still to be put in."""
        chosen = self.cleaned_data
        discourse = chosen["source"] == "discourse"
        return {
            "file": chosen["file"],
            "files": chosen["folder"],
            "faces": "" if discourse else chosen["faces"],
            "prefix": chosen["tables"] if discourse else chosen["tables"] or "phpbb_",
            "closed": None if discourse else chosen["closed"],
        }
