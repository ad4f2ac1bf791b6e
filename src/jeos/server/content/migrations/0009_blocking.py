"""What a reason of the site's own is about, and an index of the changes of what is kept out."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("content", "0008_mailing"),
    ]

    operations = [
        migrations.AddField("flag", "detail", models.CharField(blank=True, default="", max_length=100)),
        migrations.AddIndex(
            "auditentry",
            models.Index(
                condition=models.Q(("action", "block.change")),
                fields=["-date", "-id"],
                name="content_audit_block",
            ),
        ),
    ]
