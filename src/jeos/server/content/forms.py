"""Forms that all sections use."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jeos.server.content import markdown, tags
from jeos.server.content.models import FlagReason, Outcome


class TextField(forms.CharField):
    """A text of a member: not empty, not longer than what is rendered, without characters that no text has."""

    def __init__(self, **options: object) -> None:
        super().__init__(widget=forms.Textarea, max_length=markdown.LENGTH, strip=True, **options)  # type: ignore[arg-type]

    def clean(self, value: object) -> str:
        """Return the text with ends of lines as on Unix."""
        text: str = super().clean(value)
        return text.replace("\r\n", "\n").replace("\r", "\n")


class CommentForm(forms.Form):
    """A comment."""

    source = TextField()


class CommentEditForm(CommentForm):
    """A change of a comment."""

    reason = forms.CharField(max_length=200, required=False)


class TitleField(forms.CharField):
    """A title: some words on one line, `words` at least."""

    def __init__(self, *, words: int = 1, **options: object) -> None:
        super().__init__(strip=True, **options)  # type: ignore[arg-type]
        self._words = words

    def clean(self, value: object) -> str:
        """Return the title with single spaces. Raises ValidationError for one that says nothing."""
        title = " ".join(str(super().clean(value)).split())
        if title and len(title.split()) < self._words:
            raise ValidationError(_("Say in a few words what it is about."))
        return title


class TagsField(forms.CharField):
    """Names of tags with spaces or commas between; cleaned to a list."""

    def __init__(self) -> None:
        super().__init__(max_length=300, required=False)

    def clean(self, value: object) -> list[str]:
        """Return the names as they are kept."""
        return tags.split(str(super().clean(value)))


class FlagForm(forms.Form):
    """Why something should be looked at."""

    reason = forms.TypedChoiceField(
        choices=[choice for choice in FlagReason.choices if choice[0] != FlagReason.SYSTEM], coerce=int
    )
    note = forms.CharField(max_length=500, required=False)

    def clean(self) -> dict[str, object]:
        """Ask for words where the reason alone says nothing."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("reason") == FlagReason.OTHER and not cleaned.get("note"):
            raise ValidationError(_("Please say in a few words what is wrong."))
        return cleaned


DECISIONS = (
    (Outcome.DISMISSED, _("Nothing wrong")),
    (Outcome.HIDDEN, _("Hide")),
    (Outcome.WARNED, _("Hide and warn")),
    (Outcome.SILENCED, _("Hide and silence")),
)


class DecisionForm(forms.Form):
    """What a moderator decides."""

    outcome = forms.TypedChoiceField(choices=DECISIONS, coerce=int)
    note = forms.CharField(max_length=500, required=False)


class TagForm(forms.Form):
    """What moderators change about a tag."""

    name = forms.CharField(max_length=40)
    description = forms.CharField(max_length=300, required=False)
    wider = forms.CharField(max_length=40, required=False)
    merge_into = forms.CharField(max_length=40, required=False)
