from django.db import migrations, models


class Migration(migrations.Migration):
    """Tells whether a notification is of one person or of several; those of before say nothing of it."""

    dependencies = [("content", "0011_cheaper_writes")]
    operations = [migrations.AddField("notification", "others", models.BooleanField(default=False))]
