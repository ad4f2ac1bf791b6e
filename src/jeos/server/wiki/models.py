"""Pages, their other names, the links between them, what changed, and how open the site lets its wiki be.

A page's text is that of its current version; earlier ones are revisions in content. Counters stand on rows, so that no
list counts: how many pages link to a page, and how many want one that nobody has written.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.markdown import PAGE_NAME, page_url
from jeos.server.content.models import Text

TITLE_LENGTH = 120
START = "start"  # the name of the page that the wiki begins with


class Level(models.IntegerChoices):
    """Who may do something: members of this trust, or those with a role."""

    EVERY_MEMBER = 0, _("every member")
    BASIC = 1, _("members with basic trust")
    KNOWN = 2, _("members whom the site knows")
    REGULAR = 3, _("regular members")
    LEADER = 4, _("leaders")
    MODERATORS = 5, _("moderators")
    ADMINISTRATORS = 6, _("administrators")


class Rules(models.Model):
    """How open the wiki is: one row, which administrators change. Everybody may read."""

    edit = models.SmallIntegerField(choices=Level.choices, default=Level.EVERY_MEMBER)
    create = models.SmallIntegerField(choices=Level.choices, default=Level.EVERY_MEMBER)
    move = models.SmallIntegerField(choices=Level.choices, default=Level.KNOWN)

    def __str__(self) -> str:
        return f"edit {self.edit}, create {self.create}, move {self.move}"


class Page(Text):
    """A page."""

    KIND = kinds.WIKI_PAGE

    name = models.CharField(max_length=PAGE_NAME, unique=True)  # in its address
    title = models.CharField(max_length=TITLE_LENGTH)
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    made = models.DateTimeField(default=timezone.now)
    editor = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    edited = models.DateTimeField(default=timezone.now)
    version = models.PositiveIntegerField(default=1)
    protection = models.SmallIntegerField(choices=Level.choices, default=Level.EVERY_MEMBER)
    tags = models.CharField(max_length=300, blank=True)  # names with spaces between; the rows are in content
    hidden = models.BooleanField(default=False)
    incoming = models.PositiveIntegerField(default=0)  # pages that link here

    class Meta:
        """Each list is one of these indexes."""

        indexes = (
            models.Index(fields=["name"], condition=models.Q(hidden=False), name="wiki_page_by_name"),
            models.Index(
                fields=["-edited", "-id"], condition=models.Q(hidden=False, incoming=0), name="wiki_page_orphans"
            ),
            models.Index(fields=["-incoming", "-id"], condition=models.Q(hidden=False), name="wiki_page_most_linked"),
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the page."""
        return page_url(self.name)


class Redirect(models.Model):
    """A name that a page had before; it leads to where the page is now, however often that was moved."""

    name = models.CharField(max_length=PAGE_NAME, unique=True)
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="redirects")
    made = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} to {self.page_id}"


class Link(models.Model):
    """A link from a page to a name, and the page that has this name, if there is one."""

    source = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="links")
    name = models.CharField(max_length=PAGE_NAME)
    title = models.CharField(max_length=TITLE_LENGTH)  # as it was written, for a page that does not exist yet
    page = models.ForeignKey(Page, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        """Read from either end."""

        constraints = (models.UniqueConstraint(fields=["source", "name"], name="wiki_link_key"),)
        indexes = (
            models.Index(fields=["page", "-id"], name="wiki_link_back"),
            models.Index(fields=["name"], condition=models.Q(page=None), name="wiki_link_nowhere"),
        )

    def __str__(self) -> str:
        return f"{self.source_id} to {self.name}"


class Wanted(models.Model):
    """A page that others link to and nobody has written."""

    name = models.CharField(max_length=PAGE_NAME, unique=True)
    title = models.CharField(max_length=TITLE_LENGTH)
    uses = models.PositiveIntegerField(default=0)

    class Meta:
        """Most wanted first."""

        indexes = (models.Index(fields=["-uses", "-id"], name="wiki_wanted_most"),)

    def __str__(self) -> str:
        return f"{self.name}: {self.uses}"

    def get_absolute_url(self) -> str:
        """Return the address that the page would have."""
        return page_url(self.name)


class What(models.IntegerChoices):
    """What somebody did to a page."""

    MADE = 1, _("new page")
    EDITED = 2, _("changed")
    REVERTED = 3, _("reverted")
    MOVED = 4, _("moved")
    PROTECTED = 5, _("protection changed")


class Change(models.Model):
    """One thing that was done to a page. With a new text, `version` is that text's."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="changes")
    what = models.SmallIntegerField(choices=What.choices)
    version = models.PositiveIntegerField()
    editor = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    made = models.DateTimeField(default=timezone.now)
    size = models.IntegerField(default=0)  # characters more, or less
    hidden = models.BooleanField(default=False)  # this version's text is for moderators only
    told = models.BooleanField(default=False)  # whom it concerns has been told

    class Meta:
        """Newest first: of all pages, of one page, of one member."""

        indexes = (
            models.Index(fields=["-made", "-id"], name="wiki_change_newest"),
            models.Index(fields=["page", "-made", "-id"], name="wiki_change_of_page"),
            models.Index(fields=["editor", "-made", "-id"], name="wiki_change_of_member"),
        )

    def __str__(self) -> str:
        return f"{self.page_id} version {self.version}: {self.what}"

    @property
    def has_text(self) -> bool:
        """Tell whether this change made a version of the text."""
        return self.what in (What.MADE, What.EDITED, What.REVERTED)
