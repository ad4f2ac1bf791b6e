"""The language of each document; on PostgreSQL the index is made anew, in which words are stemmed in it."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models.functions import Left

from jeos.server.content.search import languages, tsvector

ROWS = 1_000  # that are looked at together
LOOKED_AT = languages.LOOKED_AT


def tell(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Note the language of what is not in English, while no index has to follow."""
    if editor.connection.vendor != "postgresql":
        return  # SQLite stems as in English whatever a text is in
    editor.execute("ALTER TABLE content_document DROP COLUMN vector")
    documents = apps.get_model("content", "Document")
    last = 0
    while rows := list(
        documents.objects.filter(pk__gt=last)
        .order_by("pk")
        .annotate(beginning=Left("body", LOOKED_AT))
        .values_list("pk", "title", "beginning")[:ROWS]
    ):
        found: dict[languages.Language, list[int]] = {}
        for number, title, beginning in rows:
            found.setdefault(languages.of(f"{title}\n{beginning}"), []).append(number)
        for language, numbers in found.items():
            if language != languages.Language.ENGLISH:
                documents.objects.filter(pk__in=numbers).update(language=language)
        last = rows[-1][0]
    for statement in tsvector.SCHEMA:
        editor.execute(statement)


def forget(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Let everything be in English again."""
    if editor.connection.vendor != "postgresql":
        return
    from importlib import import_module

    for statement in [*tsvector.DROP, *import_module("jeos.server.content.migrations.0002_search").POSTGRESQL]:
        editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [
        ("content", "0009_blocking"),
    ]

    operations = [
        migrations.AddField("document", "language", models.SmallIntegerField(null=True)),
        migrations.RunPython(tell, forget),
    ]
