"""Forms of the wiki."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content import markdown, merge, tags
from jeos.server.content.forms import TagsField, TextField, TitleField
from jeos.server.wiki import rights
from jeos.server.wiki.models import TITLE_LENGTH, Level


class PageTitleField(TitleField):
    """The title of a page, which must give it an address."""

    def __init__(self) -> None:
        super().__init__(max_length=TITLE_LENGTH)

    def clean(self, value: object) -> str:
        """Return the title. Raises ValidationError for one without a letter or digit."""
        title = super().clean(value)
        if not markdown.page_name(title) or any(sign in title for sign in "[]|"):
            raise ValidationError(_("A title has letters or digits, and none of [ ] |."))
        return title


class TitleForm(forms.Form):
    """The title of a page that somebody wants to write."""

    title = PageTitleField()


class MoveForm(TitleForm):
    """The title that a page is to have, and why."""

    reason = forms.CharField(max_length=100, required=False)


class EditForm(forms.Form):
    """A change of a page: from which version and tags it began, and what they are to be."""

    source = TextField()
    tags = TagsField()
    tags_then = forms.CharField(max_length=300, required=False)
    reason = forms.CharField(max_length=200, required=False)
    base = forms.IntegerField(min_value=0, max_value=1 << 30)

    def clean_source(self) -> str:
        """Return the text. Raises ValidationError while it has marks of a conflict."""
        source = str(self.cleaned_data["source"])
        if merge.is_marked(source):
            raise ValidationError(_("Choose between the marked versions, and remove the lines with the marks."))
        return source

    def clean_tags_then(self) -> list[str]:
        """Return the tags that the page had when the editor began."""
        return tags.split(self.cleaned_data["tags_then"])


class NewForm(EditForm):
    """A new page."""

    title = PageTitleField()


class LevelField(forms.TypedChoiceField):
    """Who may do something; a moderator does not close things to moderators."""

    def __init__(self, member: Member) -> None:
        choices = [(value, label) for value, label in Level.choices if rights.reaches(member, value)]
        super().__init__(choices=choices, coerce=lambda value: Level(int(value)))


class ProtectForm(forms.Form):
    """Who may edit a page, and why that is."""

    reason = forms.CharField(max_length=100, required=False)

    def __init__(self, *args: object, member: Member, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.fields["level"] = LevelField(member)


class RulesForm(forms.Form):
    """How open the wiki is."""

    def __init__(self, *args: object, member: Member, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        for name in ("edit", "create", "move"):
            self.fields[name] = LevelField(member)
