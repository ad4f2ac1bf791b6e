"""Publishers, their appliances, and what is known of each version.

What lists show stands on the row of an appliance (its newest version, stars, reviews), so that no list counts. What a
publisher says and what the site found out are different fields: `signature` and `checked` are the site's own.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content.models import Text

NAME_LENGTH = 63
LINE_LENGTH = 200
ADDRESS_LENGTH = 500
VERSION_LENGTH = 64


class Verified(models.IntegerChoices):
    """How the site knows that a publisher is who the page says."""

    NO = 0, _("not verified")
    DOMAIN = 1, _("verified by its domain")
    TEAM = 2, _("verified by the team of this site")


class Publisher(models.Model):
    """An organisation, or a person, that publishes appliances."""

    name = models.CharField(max_length=NAME_LENGTH, unique=True)  # in addresses: small letters, digits, hyphens
    title = models.CharField(max_length=LINE_LENGTH)
    about = models.TextField(max_length=2_000, blank=True)
    home_page = models.CharField(max_length=ADDRESS_LENGTH, blank=True)
    made = models.DateTimeField(default=timezone.now)
    hidden = models.BooleanField(default=False)

    verified = models.SmallIntegerField(choices=Verified.choices, default=Verified.NO)
    verified_at = models.DateTimeField(null=True, blank=True)
    domain = models.CharField(max_length=253, blank=True)
    proof = models.CharField(max_length=64, blank=True)  # what the domain's file must say
    proof_checked = models.DateTimeField(null=True, blank=True)
    proof_problem = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the publisher's page."""
        return f"/catalogue/@{self.name}/"


class Power(models.IntegerChoices):
    """What a member may do for a publisher."""

    MAINTAINER = 1, _("maintainer")
    OWNER = 2, _("owner")


class Seat(models.Model):
    """A member who publishes for a publisher."""

    publisher = models.ForeignKey(Publisher, on_delete=models.CASCADE, related_name="seats")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    power = models.SmallIntegerField(choices=Power.choices, default=Power.MAINTAINER)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each member and publisher."""

        constraints = (models.UniqueConstraint(fields=["publisher", "member"], name="catalogue_seat_key"),)
        indexes = (models.Index(fields=["member", "publisher"], name="catalogue_seat_of"),)

    def __str__(self) -> str:
        return f"{self.member_id} for {self.publisher_id}"


class Signature(models.IntegerChoices):
    """What the site found when it read an appliance's channel."""

    NONE = 0, _("no channel")
    WAITING = 1, _("not checked yet")
    VERIFIED = 2, _("signed")
    FAILED = 3, _("not verified")


def no_facts() -> dict[str, object]:
    """Return the facts of an appliance of which nothing is known."""
    return {"vendor": "", "memory": 0, "cpus": 0, "ports": [], "properties": []}


class Appliance(Text):
    """An appliance as its newest version says; `source` is its description."""

    publisher = models.ForeignKey(Publisher, on_delete=models.PROTECT, related_name="appliances")
    name = models.CharField(max_length=NAME_LENGTH)
    title = models.CharField(max_length=LINE_LENGTH)
    summary = models.CharField(max_length=LINE_LENGTH, blank=True)
    licence = models.CharField(max_length=LINE_LENGTH, blank=True)
    home_page = models.CharField(max_length=ADDRESS_LENGTH, blank=True)
    architecture = models.CharField(max_length=32)
    tags = models.CharField(max_length=300, blank=True)  # names with spaces between, for lists; the rows are in content
    facts = models.JSONField(default=no_facts)  # ports, properties, memory (MiB), cpus: as the page shows them
    by = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")  # who published it first
    made = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(default=timezone.now)  # when the newest version came
    newest = models.CharField(max_length=VERSION_LENGTH, blank=True)
    versions = models.PositiveIntegerField(default=0)
    stars = models.PositiveIntegerField(default=0)
    reviews = models.PositiveIntegerField(default=0)
    recommended = models.PositiveIntegerField(default=0)  # of the reviews
    held = models.BooleanField(default=False)  # hidden for a reason of its own
    taken_down = models.BooleanField(default=False)  # by those who publish it
    hidden = models.BooleanField(default=False)  # `held`, `taken_down`, or its publisher is hidden
    verified = models.BooleanField(default=False)  # its publisher is: for the lists

    channel = models.CharField(max_length=ADDRESS_LENGTH, blank=True)
    root = models.TextField(blank=True)  # the vendor's TUF root as it was first given
    signature = models.SmallIntegerField(choices=Signature.choices, default=Signature.NONE)
    signature_problem = models.CharField(max_length=500, blank=True)
    checked = models.DateTimeField(null=True, blank=True)
    keys = models.JSONField(default=list)  # who signs: role, key and threshold of the newest root that was verified
    fresh_until = models.DateTimeField(null=True, blank=True)
    check_after = models.DateTimeField(null=True, blank=True)  # None: there is no channel to read
    failures = models.PositiveSmallIntegerField(default=0)  # in a row

    class Meta:
        """Each list is one of these indexes, read from its end; filters narrow it."""

        constraints = (models.UniqueConstraint(fields=["publisher", "name"], name="catalogue_appliance_key"),)
        indexes = (
            models.Index(fields=["-updated", "-id"], condition=models.Q(hidden=False), name="catalogue_appliance_new"),
            models.Index(
                fields=["-stars", "-id"], condition=models.Q(hidden=False), name="catalogue_appliance_starred"
            ),
            models.Index(fields=["publisher", "-updated", "-id"], name="catalogue_appliance_of"),
            models.Index(
                fields=["check_after"], condition=~models.Q(check_after=None), name="catalogue_appliance_check"
            ),
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the appliance's page. Its publisher must be loaded."""
        return f"/catalogue/@{self.publisher.name}/{self.name}/"


class Version(models.Model):
    """One version: what the publisher said of it, and what a channel lists of it."""

    appliance = models.ForeignKey(Appliance, on_delete=models.CASCADE, related_name="+")
    version = models.CharField(max_length=VERSION_LENGTH)
    architecture = models.CharField(max_length=32)
    date = models.DateTimeField()  # when it was built
    came = models.DateTimeField(default=timezone.now)  # when the site learnt of it
    by = models.ForeignKey(Member, null=True, on_delete=models.SET_NULL, related_name="+")  # None: from the channel
    changes = models.TextField(blank=True)
    changes_html = models.TextField(blank=True)
    ring = models.CharField(max_length=63, default="stable")
    withdrawn = models.BooleanField(default=False)
    signed = models.BooleanField(default=False)  # the channel's signed metadata lists it, with this content
    described = models.CharField(max_length=64, blank=True)  # the SHA-256 of the channel's description of it
    root_hash = models.CharField(max_length=64, blank=True)
    kernel_sha256 = models.CharField(max_length=64, blank=True)
    disk_size = models.BigIntegerField(default=0)  # bytes, as the following
    system_size = models.BigIntegerField(default=0)
    kernel_size = models.BigIntegerField(default=0)
    download_size = models.BigIntegerField(default=0)
    downloads = models.JSONField(default=list)
    packages = models.PositiveIntegerField(default=0)
    bill_sha256 = models.CharField(max_length=64, blank=True)
    told = models.BooleanField(default=False)  # who follows the appliance has been told
    findings = models.JSONField(default=dict)  # how many known vulnerabilities there are, by urgency
    matched = models.DateTimeField(null=True, blank=True)  # when they were looked for

    class Meta:
        """Newest first for each appliance, and over all for the feed."""

        constraints = (models.UniqueConstraint(fields=["appliance", "version"], name="catalogue_version_key"),)
        indexes = (
            models.Index(fields=["appliance", "-date", "-id"], name="catalogue_version_newest"),
            models.Index(fields=["-came", "-id"], name="catalogue_version_came"),
        )

    def __str__(self) -> str:
        return self.version


class Bill(models.Model):
    """A version's bill of materials as it was sent, compressed; apart, so that lists do not carry it."""

    version = models.OneToOneField(Version, on_delete=models.CASCADE, primary_key=True, related_name="+")
    data = models.BinaryField()  # zlib
    size = models.PositiveIntegerField()  # bytes of the document

    def __str__(self) -> str:
        return f"bill of {self.version_id}"


class Package(models.Model):
    """A package in a version."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=LINE_LENGTH)
    release = models.CharField(max_length=LINE_LENGTH)  # its own version
    kind = models.CharField(max_length=LINE_LENGTH)
    distribution = models.CharField(max_length=LINE_LENGTH, blank=True)
    source = models.CharField(max_length=LINE_LENGTH, blank=True)
    source_release = models.CharField(max_length=LINE_LENGTH, blank=True)

    class Meta:
        """By name within a version; by source, where vulnerabilities are looked for."""

        constraints = (models.UniqueConstraint(fields=["version", "kind", "name"], name="catalogue_package_key"),)
        indexes = (
            models.Index(fields=["version", "name", "id"], name="catalogue_package_by_name"),
            models.Index(fields=["source"], condition=~models.Q(source=""), name="catalogue_package_source"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.release}"


class KnownVulnerability(models.Model):
    """What an advisory says of a source package in one release of a distribution; see `jeos.model.advisory`."""

    origin = models.CharField(max_length=16)  # the format that it came in: an import replaces all of its origin
    identifier = models.CharField(max_length=60)
    distribution = models.CharField(max_length=LINE_LENGTH)
    source = models.CharField(max_length=LINE_LENGTH)
    introduced = models.CharField(max_length=LINE_LENGTH, blank=True)
    fixed = models.CharField(max_length=LINE_LENGTH, blank=True)
    last = models.CharField(max_length=LINE_LENGTH, blank=True)
    urgency = models.SmallIntegerField()
    summary = models.CharField(max_length=300, blank=True)

    class Meta:
        """Looked up by source package."""

        indexes = (models.Index(fields=["source", "distribution"], name="catalogue_known_source"),)

    def __str__(self) -> str:
        return f"{self.identifier} of {self.source}"


class Finding(models.Model):
    """A known vulnerability in a version of an appliance, once for each source package."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="+")
    identifier = models.CharField(max_length=60)
    source = models.CharField(max_length=LINE_LENGTH)
    release = models.CharField(max_length=LINE_LENGTH)  # of the source package
    fixed = models.CharField(max_length=LINE_LENGTH, blank=True)
    urgency = models.SmallIntegerField()
    summary = models.CharField(max_length=300, blank=True)

    class Meta:
        """The most urgent first."""

        constraints = (
            models.UniqueConstraint(fields=["version", "source", "identifier"], name="catalogue_finding_key"),
        )
        indexes = (models.Index(fields=["version", "-urgency", "-id"], name="catalogue_finding_urgent"),)

    def __str__(self) -> str:
        return f"{self.identifier} in {self.version_id}"


class Star(models.Model):
    """A member's star for an appliance."""

    appliance = models.ForeignKey(Appliance, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    date = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each member and appliance."""

        constraints = (models.UniqueConstraint(fields=["appliance", "member"], name="catalogue_star_key"),)
        indexes = (models.Index(fields=["member", "-date", "-id"], name="catalogue_star_newest"),)

    def __str__(self) -> str:
        return f"{self.member_id} for {self.appliance_id}"


class Verdict(models.IntegerChoices):
    """What a member who runs an appliance says of it."""

    GOOD = 1, _("recommends it")
    MIXED = 2, _("recommends it with reservations")
    BAD = 3, _("does not recommend it")


class Review(Text):
    """A member's experience with a version of an appliance that this member runs."""

    appliance = models.ForeignKey(Appliance, on_delete=models.CASCADE, related_name="+")
    author = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    runs = models.CharField(max_length=VERSION_LENGTH)
    verdict = models.SmallIntegerField(choices=Verdict.choices)
    made = models.DateTimeField(default=timezone.now)
    edited = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)  # of the text
    hidden = models.BooleanField(default=False)
    told = models.BooleanField(default=False)  # whom it concerns has been told

    class Meta:
        """One for each member and appliance; newest first."""

        constraints = (models.UniqueConstraint(fields=["appliance", "author"], name="catalogue_review_key"),)
        indexes = (
            models.Index(fields=["appliance", "-made", "-id"], name="catalogue_review_newest"),
            models.Index(fields=["author", "-id"], name="catalogue_review_author"),
        )

    def __str__(self) -> str:
        return f"review of {self.appliance_id} by {self.author_id}"

    def get_absolute_url(self) -> str:
        """Return where the review stands."""
        return f"/catalogue/reviews/{self.pk}/"
