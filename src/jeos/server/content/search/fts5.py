"""The search index on SQLite: two FTS5 tables over the documents, one of them with only what has a title.

The tables keep no text of their own (external content, https://sqlite.org/fts5.html section 4.4.3). Hits are read by
descending rowid, which FTS5 does while walking its index, so that a common word costs as little as a rare one.
"""

from collections.abc import Collection, Sequence

from django.db import connection

from jeos.server.content.models import Document
from jeos.server.content.search import documents
from jeos.server.content.search.base import Entry, Hit, Key, excerpt
from jeos.server.content.search.documents import Value
from jeos.server.content.search.query import Query

COLUMNS = "title, tags, body"
SCHEMA = [
    f"CREATE VIRTUAL TABLE {table} USING fts5({COLUMNS}, content='content_document', content_rowid='id', "
    "tokenize='porter unicode61 remove_diacritics 2')"
    for table in ("content_heads", "content_all")
]
Row = tuple[int, int, str]  # kind, number, body
DROP = ["DROP TABLE content_heads", "DROP TABLE content_all"]


class Fts5Index:
    """Search on SQLite."""

    def put(self, entries: Sequence[Entry], *, new: bool = False) -> None:
        """Add entries, or replace those with the same key; `new` promises that there are none."""
        if not new:
            self.remove([(entry.kind, entry.number) for entry in entries])
        self._add(documents.add(entries))

    def _add(self, made: Sequence[Document]) -> None:
        with connection.cursor() as cursor:
            for table, rows in (("content_all", made), ("content_heads", [row for row in made if row.head])):
                if rows:
                    cursor.executemany(
                        f"INSERT INTO {table}(rowid, {COLUMNS}) VALUES (%s, %s, %s, %s)",  # noqa: S608
                        [(row.pk, row.title, row.tags, row.body) for row in rows],
                    )

    def remove(self, keys: Collection[Key]) -> None:
        """Forget entries; those that are not there do not matter."""
        old = documents.existing(keys)
        if not old:
            return
        with connection.cursor() as cursor:
            for table, rows in (("content_all", old), ("content_heads", [row for row in old if row.head])):
                # FTS5 forgets a row by being told once more what was in it.
                cursor.executemany(
                    f"INSERT INTO {table}({table}, rowid, {COLUMNS}) VALUES ('delete', %s, %s, %s, %s)",  # noqa: S608
                    [(row.pk, row.title, row.tags, row.body) for row in rows],
                )
        Document.objects.filter(pk__in=[row.pk for row in old]).delete()

    def find(self, query: Query, *, limit: int, hidden_areas: Collection[int] = ()) -> list[Hit]:
        """Return at most `limit` hits, best first, none from `hidden_areas`."""
        if query.empty:
            return []
        conditions, values = documents.filters(query, hidden_areas)
        if not query.terms:
            return self._newest(conditions, values, limit=limit)
        words = match(query)
        hits: list[Hit] = []
        seen: set[Key] = set()
        for tier, table, wanted, more in (
            (0, "content_heads", match(query, columns="{title tags}"), ""),
            (1, "content_heads", words, ""),
            (2, "content_all", words, " AND NOT d.head"),
        ):
            left = limit - len(hits)
            if left <= 0:
                break
            rows = self._rows(table, wanted, conditions + more, values, limit=left + (len(seen) if tier == 1 else 0))
            for kind, number, body in rows:
                if (kind, number) not in seen and len(hits) < limit:
                    seen.add((kind, number))
                    hits.append(Hit(kind=kind, number=number, tier=tier, excerpt=excerpt(body, query.terms)))
        return hits

    def _rows(self, table: str, wanted: str, conditions: str, values: list[Value], *, limit: int) -> list[Row]:
        # CROSS JOIN keeps SQLite from walking the documents and asking the index about each.
        sql = (
            f"SELECT d.kind, d.number, d.body FROM {table} f CROSS JOIN content_document d ON d.id = f.rowid "  # noqa: S608
            f"WHERE f.{table} MATCH %s{conditions} ORDER BY f.rowid DESC LIMIT %s"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [wanted, *values, limit])
            rows: list[Row] = cursor.fetchall()
        return rows

    def _newest(self, conditions: str, values: list[Value], *, limit: int) -> list[Hit]:
        """Return the newest that filters alone let through."""
        sql = f"SELECT d.kind, d.number, d.head, d.body FROM content_document d WHERE 1 = 1{conditions} "  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(f"{sql}ORDER BY d.id DESC LIMIT %s", [*values, limit])
            rows = cursor.fetchall()
        return [
            Hit(kind=kind, number=number, tier=1 if head else 2, excerpt=excerpt(body, ()))
            for kind, number, head, body in rows
        ]


def match(query: Query, *, columns: str = "") -> str:
    """Return the query in the language of FTS5, where every term is a string and so has no syntax of its own."""
    wanted = " AND ".join(f'"{term}"' for term in query.terms)
    unwanted = " OR ".join(f'"{term}"' for term in query.excluded)
    inside = f"{columns} : ({wanted})" if columns else f"({wanted})"
    return f"{inside} NOT ({unwanted})" if unwanted else inside
