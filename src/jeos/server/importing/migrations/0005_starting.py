from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("importing", "0004_responses")]

    operations = [
        migrations.AddField("import", "wanted", models.JSONField(default=dict)),
        migrations.AddField("import", "reader", models.CharField(blank=True, max_length=32)),
        migrations.AddField("import", "checked", models.DateTimeField(blank=True, null=True)),
    ]
