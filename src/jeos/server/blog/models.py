"""Blogs, their series and posts.

A member has a blog without doing anything for it; the row of a blog comes with its first post or its first title. A
post's address holds its number, so that neither another title nor another handle breaks it.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.models import Text

TITLE_LENGTH = 150
EXCERPT_LENGTH = 320
WORDS_PER_MINUTE = 220  # that people read of technical prose
SHOWN = models.Q(state=2, hidden=False)


class State(models.IntegerChoices):
    """How far a post is."""

    DRAFT = 0, _("draft")
    SCHEDULED = 1, _("scheduled")
    PUBLISHED = 2, _("published")


class Blog(models.Model):
    """What a member calls the blog, and what the list of blogs shows of it."""

    member = models.OneToOneField(Member, primary_key=True, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=80, blank=True)
    about = models.CharField(max_length=300, blank=True)
    posts = models.PositiveIntegerField(default=0)  # those that everybody sees
    last_at = models.DateTimeField(null=True, blank=True)  # when the newest of them was published

    class Meta:
        """The list of blogs: those in which something was written last first."""

        indexes = (models.Index(fields=["-last_at", "-member"], condition=models.Q(posts__gt=0), name="blog_latest"),)

    def __str__(self) -> str:
        return self.title or f"blog of {self.member_id}"


class Series(models.Model):
    """Posts of one member that belong together, in the order in which they were published."""

    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=100)
    slug = models.CharField(max_length=100)
    made = models.DateTimeField(default=timezone.now)

    class Meta:
        """One of a name for each member."""

        constraints = (models.UniqueConstraint(fields=["author", "slug"], name="blog_series_key"),)

    def __str__(self) -> str:
        return self.title


class Post(Text):
    """A post: a draft, waiting for its time, or published."""

    KIND = kinds.BLOG_POST

    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=TITLE_LENGTH, blank=True)
    slug = models.CharField(max_length=TITLE_LENGTH)
    excerpt = models.CharField(max_length=EXCERPT_LENGTH, blank=True)  # the beginning as plain text, for lists
    words = models.PositiveIntegerField(default=0)
    tags = models.CharField(max_length=300, blank=True)  # names with spaces between; the rows are in content
    series = models.ForeignKey(Series, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    state = models.SmallIntegerField(choices=State.choices, default=State.DRAFT)
    made = models.DateTimeField(default=timezone.now)
    touched = models.DateTimeField(default=timezone.now)  # when its author changed anything last
    due = models.DateTimeField(null=True, blank=True)  # when a scheduled one is to be published
    published = models.DateTimeField(null=True, blank=True)  # for the first time: it keeps its day if it is withdrawn
    edited = models.DateTimeField(null=True, blank=True)  # after it was published
    version = models.PositiveIntegerField(default=1)
    hidden = models.BooleanField(default=False)
    comments = models.PositiveIntegerField(default=0)
    reactions = models.JSONField(default=dict)  # sign → how many
    told = models.BooleanField(default=False)  # whom it concerns has been told

    class Meta:
        """Each list is one of these indexes, read from its end."""

        indexes = (
            models.Index(fields=["-published", "-id"], condition=SHOWN, name="blog_post_planet"),
            models.Index(fields=["author", "-published", "-id"], condition=SHOWN, name="blog_post_of_blog"),
            models.Index(fields=["series", "published", "id"], condition=SHOWN, name="blog_post_of_series"),
            models.Index(fields=["author", "-touched", "-id"], name="blog_post_own"),
            models.Index(fields=["due"], condition=models.Q(state=1), name="blog_post_due"),
        )

    def __str__(self) -> str:
        return self.title or f"post {self.pk}"

    def get_absolute_url(self) -> str:
        """Return an address of the post that stays right whatever it and its author are called."""
        return f"/blog/p/{self.pk}/"

    @property
    def shown(self) -> bool:
        """Tell whether everybody may read it."""
        return self.state == State.PUBLISHED and not self.hidden

    @property
    def minutes(self) -> int:
        """Return how long it takes to read."""
        return max(1, round(self.words / WORDS_PER_MINUTE))

    @property
    def tag_names(self) -> list[str]:
        """Return the names of its tags."""
        return self.tags.split()


def slug_of(title: str) -> str:
    """Return the part of an address that says what something is about."""
    return slugify(title)[:80].strip("-") or "post"


def blog_url(handle: str) -> str:
    """Return the address of a member's blog."""
    return f"/blog/@{handle}/"


def post_url(handle: str, number: int, slug: str) -> str:
    """Return the address of a post. Cheap: lists need it often."""
    return f"/blog/@{handle}/{number}/{slug}/"


def series_url(handle: str, slug: str) -> str:
    """Return the address of a series."""
    return f"/blog/@{handle}/series/{slug}/"
