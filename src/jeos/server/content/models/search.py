"""What search finds: one row for each piece of content, in the order in which it came."""

from django.db import models


class Document(models.Model):
    """One piece of content as plain text. The index over it is the database's own (`search/`).

    Numbers grow with time, so that the newest hits are those with the highest numbers and are found without sorting.
    """

    kind = models.SmallIntegerField()
    number = models.BigIntegerField()
    head = models.BooleanField()  # has a title of its own (a thread, a page), as against a reply
    area = models.BigIntegerField(default=0)  # who may read it: a category's number; 0 is everybody
    author = models.BigIntegerField(null=True)
    date = models.DateTimeField()
    title = models.CharField(max_length=200, blank=True)
    body = models.TextField(blank=True)
    tags = models.CharField(max_length=300, blank=True)
    language = models.SmallIntegerField(null=True)  # see `search/languages.py`; none is English

    class Meta:
        """Replaced and removed by what they stand for."""

        constraints = (models.UniqueConstraint(fields=["kind", "number"], name="content_document_key"),)

    def __str__(self) -> str:
        return f"{self.kind}/{self.number}"
