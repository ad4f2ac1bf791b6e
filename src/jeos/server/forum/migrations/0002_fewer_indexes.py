"""Drops the indexes that each reply writes into and nothing reads.

By hand: on SQLite Django would copy a table of millions of posts to be rid of one.
"""

from collections.abc import Callable

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

INDEXES = {
    "forum_thread_last_by_id_25aa77eb": "forum_thread (last_by_id)",
    "forum_post_author_id_609b7963": "forum_post (author_id)",
    "forum_post_thread_id_f9fa0a56": "forum_post (thread_id)",
    "forum_readthread_member_id_2089b485": "forum_readthread (member_id)",
}


def _plain(model: str, name: str, to: str, on_delete: Callable[..., None]) -> migrations.AlterField:
    field = models.ForeignKey(db_index=False, on_delete=on_delete, related_name="+", to=to)
    return migrations.AlterField(model_name=model, name=name, field=field)


class Migration(migrations.Migration):
    """Drops them."""

    dependencies = [("forum", "0001_initial"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(f"DROP INDEX IF EXISTS {name}", f"CREATE INDEX {name} ON {place}")
                for name, place in INDEXES.items()
            ],
            state_operations=[
                _plain("thread", "last_by", settings.AUTH_USER_MODEL, django.db.models.deletion.PROTECT),
                _plain("post", "author", settings.AUTH_USER_MODEL, django.db.models.deletion.PROTECT),
                _plain("post", "thread", "forum.thread", django.db.models.deletion.CASCADE),
                _plain("readthread", "member", settings.AUTH_USER_MODEL, django.db.models.deletion.CASCADE),
            ],
        )
    ]
