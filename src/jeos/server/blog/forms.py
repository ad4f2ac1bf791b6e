"""Forms of blogs."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jeos.server.blog.models import TITLE_LENGTH
from jeos.server.blog.posting import Writing
from jeos.server.content import tags
from jeos.server.content.forms import TextField

FARTHEST = timedelta(days=366)  # how far ahead a post may be scheduled: who sets more has mistyped the year
DRAFT, PUBLISH, SCHEDULE = "draft", "publish", "schedule"  # what the buttons ask for


def one_line(value: str) -> str:
    """Return a text as one line with single spaces."""
    return " ".join(value.split())


class PostForm(forms.Form):
    """A post. What it needs depends on the button: a draft may lack anything but not everything."""

    title = forms.CharField(max_length=TITLE_LENGTH, required=False)
    source = TextField(required=False)
    tags = forms.CharField(max_length=300, required=False)
    series = forms.CharField(max_length=100, required=False)
    due = forms.DateTimeField(required=False)
    reason = forms.CharField(max_length=200, required=False)

    def __init__(self, *args: object, action: str = DRAFT, now: datetime | None = None, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._action, self._now = action, now or timezone.now()

    def clean_title(self) -> str:
        """Return the title on one line."""
        return one_line(self.cleaned_data["title"])

    def clean_series(self) -> str:
        """Return the title of the series on one line."""
        return one_line(self.cleaned_data["series"])

    def clean_tags(self) -> list[str]:
        """Return the names of the tags as they are kept."""
        return tags.split(self.cleaned_data["tags"])

    def clean_due(self) -> datetime | None:
        """Return the time to publish at. Raises ValidationError if it is over or very far away."""
        due: datetime | None = self.cleaned_data["due"]
        if self._action != SCHEDULE:
            return due
        if due is None or not self._now < due < self._now + FARTHEST:
            raise ValidationError(_("Choose a time to come, within a year."))
        return due

    def clean(self) -> dict[str, object]:
        """Ask for a title and a text of what others are to read, and for either in a draft."""
        cleaned = super().clean() or self.cleaned_data
        has_title, has_text = bool(cleaned.get("title")), bool(cleaned.get("source"))
        if self._action == DRAFT:
            if not has_title and not has_text and not self.errors:
                raise ValidationError(_("There is nothing to keep yet."))
            return cleaned
        if not has_title and "title" not in self.errors:
            self.add_error("title", _("A post needs a title."))
        if not has_text and "source" not in self.errors:
            self.add_error("source", _("A post needs a text."))
        return cleaned

    def writing(self) -> Writing:
        """Return what is to be written."""
        wanted = self.cleaned_data
        return Writing(
            title=wanted["title"], source=wanted["source"], tags=tuple(wanted["tags"]), series=wanted["series"]
        )


class BlogForm(forms.Form):
    """What a blog is called and about."""

    title = forms.CharField(max_length=80, required=False)
    about = forms.CharField(max_length=300, required=False)

    def clean_title(self) -> str:
        """Return the title on one line."""
        return one_line(self.cleaned_data["title"])

    def clean_about(self) -> str:
        """Return on one line what it is about."""
        return one_line(self.cleaned_data["about"])
