"""The index over the documents, in the database's own form."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from jeos.server.content.search import fts5, tsvector


def make(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Make the index."""
    for statement in (tsvector if editor.connection.vendor == "postgresql" else fts5).SCHEMA:
        editor.execute(statement)


def drop(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the index."""
    for statement in (tsvector if editor.connection.vendor == "postgresql" else fts5).DROP:
        editor.execute(statement)


class Migration(migrations.Migration):
    """FTS5 tables on SQLite, a tsvector column on PostgreSQL."""

    dependencies = [("content", "0001_initial")]
    operations = [migrations.RunPython(make, drop)]
