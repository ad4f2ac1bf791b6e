"""Networks and words that the site keeps out."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_site"),
    ]

    operations = [
        migrations.AddField("site", "networks", models.TextField(blank=True, default="", max_length=20000)),
        migrations.AddField("site", "words", models.TextField(blank=True, default="", max_length=20000)),
    ]
