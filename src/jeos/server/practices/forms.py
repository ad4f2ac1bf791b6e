"""Forms of the practices."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from jeos.server.content.forms import TagsField, TextField, TitleField
from jeos.server.practices.models import PARTS, TITLE_LENGTH, Practice, Verdict
from jeos.server.practices.rating import STARS
from jeos.server.practices.writing import Wanted, as_written

PART_LENGTH = 9_000  # characters: the four together are one text of a member
TIMES = ((6, _("half a year")), (12, _("a year")), (24, _("two years")))


class PracticeForm(forms.Form):
    """A practice."""

    title = TitleField(words=2, min_length=6, max_length=TITLE_LENGTH)
    organisation = forms.CharField(max_length=80, required=False)
    holds_for = forms.CharField(max_length=120, required=False)
    problem = TextField()
    context = TextField()
    practice = TextField()
    evidence = TextField()
    months = forms.TypedChoiceField(choices=TIMES, coerce=int)
    tags = TagsField()
    reason = forms.CharField(max_length=200, required=False)

    def clean(self) -> dict[str, object]:
        """Keep each part to its share of what is rendered."""
        cleaned = super().clean() or self.cleaned_data
        for part in PARTS:
            if len(str(cleaned.get(part, ""))) > PART_LENGTH:
                self.add_error(part, _("Each part may have 9,000 characters."))
        return cleaned

    @staticmethod
    def initial_of(practice: Practice) -> dict[str, object]:
        """Return what the form shows of a practice."""
        wanted = as_written(practice)
        return {
            "title": wanted.title,
            "organisation": wanted.organisation,
            "holds_for": wanted.holds_for,
            "months": wanted.months,
            "tags": practice.tags,
            **wanted.parts,
        }

    def wanted(self) -> Wanted:
        """Return what the author wrote."""
        cleaned = self.cleaned_data
        return Wanted(
            title=cleaned["title"],
            parts={part: cleaned[part] for part in PARTS},
            organisation=cleaned["organisation"],
            holds_for=cleaned["holds_for"],
            months=cleaned["months"],
            tags=cleaned["tags"],
        )


class ReviewForm(forms.Form):
    """A peer's word."""

    verdict = forms.TypedChoiceField(choices=Verdict.choices, coerce=int)
    source = TextField()


class RatingForm(forms.Form):
    """Stars, and why."""

    stars = forms.IntegerField(min_value=1, max_value=STARS)
    reason = forms.CharField(min_length=10, max_length=500)
