"""Lets a new text cost less: no index that nothing reads, and parts of the search index are put together more rarely.

With `automerge` 8 and not 4, FTS5 rewrites what it has half as often, and looks into at most twice as many parts
(https://sqlite.org/fts5.html, section 6.1).
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

INDEX = "content_following_member_id_6cceeec6"
PARTS, DEFAULT = 8, 4


def _merge(editor: BaseDatabaseSchemaEditor, parts: int) -> None:
    if editor.connection.vendor == "sqlite":
        for table in ("content_all", "content_heads"):
            editor.execute(f"INSERT INTO {table}({table}, rank) VALUES ('automerge', {parts})")  # noqa: S608


def rarely(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Merge more rarely."""
    _merge(editor, PARTS)


def often(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Merge as often as FTS5 does by itself."""
    _merge(editor, DEFAULT)


class Migration(migrations.Migration):
    """Drops the index and tells FTS5."""

    dependencies = [("content", "0010_languages"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"DROP INDEX IF EXISTS {INDEX}", f"CREATE INDEX {INDEX} ON content_following (member_id)"
                )
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="following",
                    name="member",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                )
            ],
        ),
        migrations.RunPython(rarely, often),
    ]
