from django.db import migrations, models

KINDS = [
    *((1, "Person"), (2, "Room"), (3, "Topic"), (4, "Message"), (5, "File"), (6, "Face"), (7, "Poll")),
    *((8, "Ballot"), (9, "Reaction"), (10, "Interest"), (11, "Answer")),
]


class Migration(migrations.Migration):
    dependencies = [("importing", "0003_files")]

    operations = [
        migrations.AlterField("old", "kind", models.SmallIntegerField(choices=KINDS)),
        migrations.AlterField("staged", "kind", models.SmallIntegerField(choices=KINDS)),
        migrations.AddField("import", "report", models.JSONField(default=dict)),
    ]
