"""Mail at once, once a day, once a week or never, instead of yes and no."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CHOICES = [(0, "never"), (1, "at once"), (2, "once a day"), (3, "once a week")]


def carry(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Let those who want no mail get none."""
    member = apps.get_model("accounts", "Member")
    member.objects.filter(mail_mentions=False).update(mail_personal=0)  # type: ignore[misc] # a field of that time
    member.objects.filter(mail_replies=False).update(mail_news=0)  # type: ignore[misc]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_uploads")]

    operations = [
        migrations.AddField(
            "member",
            "mail_personal",
            models.SmallIntegerField(
                choices=CHOICES, default=1, verbose_name="when somebody mentions, quotes or answers me"
            ),
        ),
        migrations.AddField(
            "member",
            "mail_news",
            models.SmallIntegerField(
                choices=CHOICES, default=1, verbose_name="when there is something new in what I follow"
            ),
        ),
        migrations.AddField("member", "mail_failures", models.PositiveSmallIntegerField(default=0)),
        migrations.RunPython(carry, migrations.RunPython.noop),
        migrations.RemoveField("member", "mail_mentions"),
        migrations.RemoveField("member", "mail_replies"),
    ]
