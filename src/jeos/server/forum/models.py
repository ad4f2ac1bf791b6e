"""Categories, threads and posts; how far members have read; polls.

Posts of a thread are numbered from 1. Pages are ranges of numbers, so that the page in the middle of a long thread
costs as much as the first. Counters stand on rows, so that no list counts.
"""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify

from jeos.server.accounts.models import Member, Trust
from jeos.server.content import kinds
from jeos.server.content.models import Text

TITLE_LENGTH = 150
PAGE = 50  # posts on a page


class Category(models.Model):
    """A part of the forum."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=60)
    description = models.CharField(max_length=300, blank=True)
    position = models.PositiveIntegerField(default=0)
    hue = models.SmallIntegerField(default=0)  # one of the style sheet's twelve colours
    staff = models.BooleanField(default=False)  # for moderators only
    start_trust = models.SmallIntegerField(choices=Trust.choices, default=Trust.NEW)  # who may start threads
    reply_trust = models.SmallIntegerField(choices=Trust.choices, default=Trust.NEW)
    slow_seconds = models.PositiveIntegerField(default=0)  # the least time between two posts of a member in a thread
    solvable = models.BooleanField(default=False)  # threads are questions, and have answers
    threads = models.PositiveIntegerField(default=0)
    posts = models.PositiveIntegerField(default=0)

    class Meta:
        """In the order that administrators gave them."""

        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the category."""
        return f"/forum/c/{self.slug}/"  # as the forum is mounted; lists write it too

    @property
    def area(self) -> int:
        """Return what search and lists know its readers by; 0 is everybody."""
        return self.pk if self.staff else 0


class Thread(models.Model):
    """A thread: its title, and what lists show of it.

    Each reply writes into every index of what it changes, so that there is none on keys that nothing is found by, nor
    on those with which a longer one begins.
    """

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=TITLE_LENGTH)
    slug = models.CharField(max_length=TITLE_LENGTH)
    tags = models.CharField(max_length=300, blank=True)  # names with spaces between, for lists; the rows are in content
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    made = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)
    # Nothing asks for threads by it, and each reply would write into its index. Who leaves keeps the row: only where a
    # member's row is deleted by hand are all threads looked at, twice: by Django for what protects it, by the database.
    last_by = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    last_number = models.PositiveIntegerField(default=0)
    posts = models.PositiveIntegerField(default=0)  # those that everybody sees
    thanks = models.PositiveIntegerField(default=0)
    solved_number = models.PositiveIntegerField(null=True, blank=True)
    pinned = models.BooleanField(default=False)
    closed = models.BooleanField(default=False)
    hidden = models.BooleanField(default=False)
    slow_seconds = models.PositiveIntegerField(default=0)
    moved_to = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        """Each list that the forum shows is one of these indexes, read from its end."""

        indexes = (
            models.Index(fields=["-last_at", "-id"], condition=models.Q(hidden=False), name="forum_thread_latest"),
            models.Index(
                fields=["category", "-last_at", "-id"], condition=models.Q(hidden=False), name="forum_thread_category"
            ),
            models.Index(
                fields=["-last_at", "-id"], condition=models.Q(hidden=False, posts=1), name="forum_thread_unanswered"
            ),
            models.Index(
                fields=["category"], condition=models.Q(hidden=False, pinned=True), name="forum_thread_pinned"
            ),
            models.Index(fields=["author", "-id"], name="forum_thread_author"),
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the thread."""
        return thread_url(self.pk, self.slug)


class Post(Text):
    """A post. The first of a thread is the thread's own text."""

    KIND = kinds.POST

    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.PositiveIntegerField()
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    made = models.DateTimeField(default=timezone.now)
    edited = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    reply_to = models.PositiveIntegerField(null=True, blank=True)  # a number in the same thread
    hidden = models.BooleanField(default=False)
    reactions = models.JSONField(default=dict)  # sign → how many
    told = models.BooleanField(default=False)  # whom it concerns has been told

    class Meta:
        """Read by thread and number, and newest first by author."""

        constraints = (models.UniqueConstraint(fields=["thread", "number"], name="forum_post_key"),)
        indexes = (models.Index(fields=["author", "-id"], name="forum_post_author"),)

    def __str__(self) -> str:
        return f"{self.thread_id}#{self.number}"

    def get_absolute_url(self) -> str:
        """Return an address of the post that stays right when threads are split or merged."""
        return reverse("forum:post", args=[self.pk])


class ReadThread(models.Model):
    """How far a member has read a thread."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+", db_index=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()

    class Meta:
        """Looked up for the threads of one page."""

        constraints = (models.UniqueConstraint(fields=["member", "thread"], name="forum_read_key"),)

    def __str__(self) -> str:
        return f"{self.member_id} read {self.thread_id} to {self.number}"


class ReadCategory(models.Model):
    """Until when a member has read everything in a category."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    category = models.ForeignKey(Category, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()

    class Meta:
        """One for each category."""

        constraints = (models.UniqueConstraint(fields=["member", "category"], name="forum_read_category_key"),)

    def __str__(self) -> str:
        return f"{self.member_id} read {self.category_id} until {self.until}"


class Poll(models.Model):
    """A question in a thread, above its posts."""

    thread = models.OneToOneField(Thread, on_delete=models.CASCADE, related_name="poll")
    question = models.CharField(max_length=200)
    choices = models.PositiveSmallIntegerField(default=1)  # how many options one member may choose
    closes = models.DateTimeField(null=True, blank=True)
    voters = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.question


class Option(models.Model):
    """One answer of a poll."""

    poll = models.ForeignKey(Poll, on_delete=models.CASCADE, related_name="options")
    text = models.CharField(max_length=120)
    votes = models.PositiveIntegerField(default=0)

    class Meta:
        """In the order in which they were written."""

        ordering = ("id",)

    def __str__(self) -> str:
        return self.text


class Vote(models.Model):
    """A member's choice of an option."""

    option = models.ForeignKey(Option, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")

    class Meta:
        """Once for each option."""

        constraints = (models.UniqueConstraint(fields=["option", "member"], name="forum_vote_key"),)

    def __str__(self) -> str:
        return f"{self.member_id} for {self.option_id}"


def slug_of(title: str) -> str:
    """Return the part of an address that says what a thread is about; with a hyphen, since words alone are taken."""
    slug = slugify(title)[:80].strip("-")
    return slug if "-" in slug else f"thread-{slug}".rstrip("-")


def page_of(number: int) -> int:
    """Return the page that a post's number is on."""
    return max(0, number - 1) // PAGE + 1


def thread_url(thread: int, slug: str, *, number: int = 0) -> str:
    """Return the address of a thread, or of the post with this number on its page. Cheap: lists need it often."""
    page = page_of(number)
    base = f"/forum/t/{thread}/{slug}/"
    return f"{base}{f'{page}/' if page > 1 else ''}{f'#p{number}' if number else ''}"
