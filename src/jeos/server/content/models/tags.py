"""One space of tags over all content."""

from __future__ import annotations

from django.db import models
from django.urls import reverse

TAG_LENGTH = 40


class Tag(models.Model):
    """A word that content is found by. A synonym leads to the tag that is meant; a tag may be part of a wider one."""

    name = models.CharField(max_length=TAG_LENGTH, unique=True)  # small letters, digits, hyphens: its own address
    description = models.CharField(max_length=300, blank=True)
    synonym_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="synonyms")
    wider = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="narrower")
    uses = models.PositiveIntegerField(default=0)

    class Meta:
        """The list of tags shows the most used first."""

        indexes = (
            models.Index(
                fields=["-uses", "name"], condition=models.Q(synonym_of=None, uses__gt=0), name="content_tag_most_used"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the tag's page."""
        return reverse("content:tag", args=[self.name])


class Tagged(models.Model):
    """A tag on a piece of content. The content's date is copied here, so that a tag's newest are read off an index."""

    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="rows")
    kind = models.SmallIntegerField()
    number = models.BigIntegerField()
    date = models.DateTimeField()

    class Meta:
        """Newest first for each tag, over all kinds and for one."""

        constraints = (models.UniqueConstraint(fields=["kind", "number", "tag"], name="content_tagged_key"),)
        indexes = (
            models.Index(fields=["tag", "-date", "-id"], name="content_tagged_newest"),
            models.Index(fields=["tag", "kind", "-date", "-id"], name="content_tagged_of_kind"),
        )

    def __str__(self) -> str:
        return f"{self.tag_id} on {self.kind}/{self.number}"
