"""What is decided for the whole site, and invitations."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import jeos.server.accounts.models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_paces"),
    ]

    operations = [
        migrations.CreateModel(
            name="Site",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(blank=True, max_length=60)),
                (
                    "entry",
                    models.SmallIntegerField(
                        choices=[(0, "everybody"), (1, "who has an invitation"), (2, "nobody")], default=0
                    ),
                ),
                ("review", models.BooleanField(default=False)),
                ("blocked", models.TextField(blank=True, max_length=20000)),
            ],
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(default=jeos.server.accounts.models.new_code, max_length=40, unique=True)),
                ("note", models.CharField(blank=True, max_length=100, verbose_name="for whom")),
                ("made", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires", models.DateTimeField()),
                ("left", models.PositiveIntegerField(default=1)),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]
