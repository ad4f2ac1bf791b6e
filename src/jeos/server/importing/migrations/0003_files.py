from django.db import migrations, models

KINDS = [(1, "Person"), (2, "Room"), (3, "Topic"), (4, "Message"), (5, "File")]


class Migration(migrations.Migration):
    dependencies = [("importing", "0002_standing")]

    operations = [
        migrations.AlterField("old", "kind", models.SmallIntegerField(choices=KINDS)),
        migrations.AlterField("staged", "kind", models.SmallIntegerField(choices=KINDS)),
    ]
