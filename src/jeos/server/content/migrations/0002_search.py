"""The index over the documents, in the database's own form."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from jeos.server.content.search import fts5

VECTOR = (  # as it was before languages; 0010 makes it anew
    "setweight(to_tsvector('english', coalesce(title, '') || ' ' || coalesce(tags, '')), 'A') || "
    "setweight(to_tsvector('english', coalesce(body, '')), 'D')"
)
POSTGRESQL = [
    f"ALTER TABLE content_document ADD COLUMN vector tsvector GENERATED ALWAYS AS ({VECTOR}) STORED",
    "CREATE INDEX content_document_words ON content_document USING gin (vector)",
    "CREATE INDEX content_document_head_words ON content_document USING gin (vector) WHERE head",
]


def make(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Make the index."""
    for statement in POSTGRESQL if editor.connection.vendor == "postgresql" else fts5.SCHEMA:
        editor.execute(statement)


def drop(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Drop the index."""
    postgresql = editor.connection.vendor == "postgresql"
    for statement in ["ALTER TABLE content_document DROP COLUMN vector"] if postgresql else fts5.DROP:
        editor.execute(statement)


class Migration(migrations.Migration):
    """FTS5 tables on SQLite, a tsvector column on PostgreSQL."""

    dependencies = [("content", "0001_initial")]
    operations = [migrations.RunPython(make, drop)]
