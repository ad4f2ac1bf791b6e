"""Forms of the forum."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import HUES, Member, Trust
from jeos.server.content.forms import TagsField, TextField, TitleField
from jeos.server.forum import categories, polls, rights
from jeos.server.forum.models import TITLE_LENGTH, Category, Thread


def title_field(*, required: bool = True) -> TitleField:
    """Return the field of a thread's title; a title of one word says nothing."""
    return TitleField(words=2, min_length=6, max_length=TITLE_LENGTH, required=required)


class ThreadForm(forms.Form):
    """A new thread."""

    category = forms.SlugField(max_length=60)
    title = title_field()
    source = TextField()
    tags = TagsField()
    poll_question = forms.CharField(max_length=200, required=False)
    poll_options = forms.CharField(max_length=2_000, required=False)
    poll_choices = forms.IntegerField(min_value=1, max_value=polls.OPTIONS, required=False)

    def __init__(self, *args: object, member: Member, now: datetime, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._member, self._now = member, now

    def clean_category(self) -> Category:
        """Return the category. Raises ValidationError if the member may not start threads there."""
        category = categories.by_slug(self.cleaned_data["category"])
        if category is None or not rights.may_start(category, self._member, now=self._now):
            raise ValidationError(_("You cannot start a thread there."))
        return category

    def clean_poll_options(self) -> list[str]:
        """Return the options, one from each line."""
        options = [line.strip() for line in self.cleaned_data["poll_options"].splitlines() if line.strip()]
        return list(dict.fromkeys(options))

    def clean(self) -> dict[str, object]:
        """A poll has a question and two options, or there is none."""
        cleaned = super().clean() or self.cleaned_data
        options = cleaned.get("poll_options", [])
        if bool(cleaned.get("poll_question")) != (len(options) >= 2):
            self.add_error("poll_options", _("A poll has a question and at least two options."))
        return cleaned


class ReplyForm(forms.Form):
    """A reply."""

    source = TextField()
    reply_to = forms.IntegerField(min_value=1, required=False)


class EditForm(forms.Form):
    """A change of a post, and of the thread if it is the first."""

    source = TextField()
    reason = forms.CharField(max_length=200, required=False)
    title = title_field(required=False)
    tags = TagsField()


class ManageForm(forms.Form):
    """What moderators do to a thread; which of it, the button says."""

    category = forms.SlugField(max_length=60, required=False)
    seconds = forms.IntegerField(min_value=0, max_value=86_400, required=False)
    title = title_field(required=False)
    numbers = forms.CharField(max_length=500, required=False)
    target = forms.IntegerField(min_value=1, required=False)

    def clean_category(self) -> Category | None:
        """Return the category to move to."""
        return categories.by_slug(self.cleaned_data["category"])

    def clean_numbers(self) -> list[int]:
        """Return the numbers of posts, from a text like 4, 6-9."""
        return numbers_of(self.cleaned_data["numbers"])

    def clean_target(self) -> Thread | None:
        """Return the thread to merge into."""
        return Thread.objects.filter(pk=self.cleaned_data["target"], moved_to=None).first()


def numbers_of(text: str) -> list[int]:
    """Return the numbers in a text like "4, 6-9". Raises ValidationError for anything else, or for too many."""
    found: list[int] = []
    for part in text.replace(" ", "").split(","):
        first, _dash, last = part.partition("-")
        if not part:
            continue
        if not first.isdecimal() or (last and not last.isdecimal()) or len(part) > 20:
            raise ValidationError(_("Numbers of posts look like 4, 6-9."))
        low, high = int(first), int(last or first)
        if high - low > 500 or len(found) > 500:
            raise ValidationError(_("At most 500 posts at once."))
        found += range(low, high + 1)
    return found


class CategoryForm(forms.Form):
    """A category: what it is called, who may write there, how fast."""

    name = forms.CharField(max_length=60)
    slug = forms.SlugField(max_length=60, required=False)
    description = forms.CharField(max_length=300, required=False)
    hue = forms.IntegerField(min_value=0, max_value=HUES - 1, initial=0)
    staff = forms.BooleanField(required=False)
    start_trust = forms.TypedChoiceField(choices=Trust.choices, coerce=int, initial=Trust.NEW)
    reply_trust = forms.TypedChoiceField(choices=Trust.choices, coerce=int, initial=Trust.NEW)
    slow_seconds = forms.IntegerField(min_value=0, max_value=86_400, initial=0)
    solvable = forms.BooleanField(required=False)

    def __init__(self, *args: object, category: Category | None = None, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._category = category

    def clean(self) -> dict[str, object]:
        """Make the word for the address from the name if there is none; no two categories have the same."""
        cleaned = super().clean() or self.cleaned_data
        slug = cleaned.get("slug") or slugify(str(cleaned.get("name", "")))[:60]
        others = Category.objects.filter(slug=slug)
        if self._category is not None:
            others = others.exclude(pk=self._category.pk)
        if "name" in cleaned and (not slug or others.exists()):
            self.add_error("slug", _("Another category has this address, or it has none: choose a word."))
        cleaned["slug"] = slug
        return cleaned
