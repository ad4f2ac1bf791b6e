"""Forms of the ideas."""

from __future__ import annotations

from django import forms

from jeos.server.content.forms import TagsField, TextField, TitleField
from jeos.server.ideas.models import TITLE_LENGTH, Idea, Status

TITLE_WORDS = 2  # a title of one word says nothing


class IdeaForm(forms.Form):
    """A new idea; `seen` says that its author has looked at similar ones."""

    title = TitleField(words=TITLE_WORDS, min_length=6, max_length=TITLE_LENGTH)
    source = TextField()
    tags = TagsField()
    seen = forms.BooleanField(required=False)


class EditForm(forms.Form):
    """A change of an idea."""

    title = TitleField(words=TITLE_WORDS, min_length=6, max_length=TITLE_LENGTH)
    source = TextField()
    tags = TagsField()
    reason = forms.CharField(max_length=200, required=False)


class AnswerForm(forms.Form):
    """What the team says."""

    status = forms.TypedChoiceField(choices=Status.choices, coerce=int)
    source = TextField()


class MergeForm(forms.Form):
    """The idea to merge into."""

    target = forms.IntegerField(min_value=1, max_value=1 << 62)

    def clean_target(self) -> Idea | None:
        """Return the idea."""
        return Idea.objects.filter(pk=self.cleaned_data["target"], hidden=False).first()
