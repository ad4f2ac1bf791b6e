from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F


def note_what_was_read(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Imports of before were made in the transaction that read their dump."""
    apps.get_model("importing", "Import").objects.update(read=F("made"))


class Migration(migrations.Migration):
    dependencies = [("importing", "0001_initial")]

    operations = [
        migrations.AddField("import", "read", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("import", "failed", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("import", "error", models.CharField(blank=True, max_length=500)),
        migrations.AddField("import", "turn", models.PositiveIntegerField(default=0)),
        migrations.AddField("import", "tries", models.PositiveSmallIntegerField(default=0)),
        migrations.AddField("import", "total", models.PositiveIntegerField(default=0)),
        migrations.AddField("import", "done", models.PositiveIntegerField(default=0)),
        migrations.AddField("import", "stuck", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("import", "notes", models.JSONField(default=list)),
        migrations.RunPython(note_what_was_read, migrations.RunPython.noop),
    ]
