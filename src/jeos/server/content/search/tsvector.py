"""The search index on PostgreSQL: a weighted tsvector in the documents, a GIN index over all and one over heads.

Left alone, PostgreSQL answers `… ORDER BY id DESC LIMIT` by walking the table backwards even if the word is rare (1.3
to 2.9 s for 3,000,000 rows). So its own estimate decides: common words walk backwards, where hits are dense; for rare
ones the matches are fetched first.
"""

import json
from collections.abc import Collection, Sequence

from django.db import connection

from jeos.server.content.models import Document
from jeos.server.content.search import documents
from jeos.server.content.search.base import Entry, Hit, Key, excerpt
from jeos.server.content.search.documents import Value
from jeos.server.content.search.query import Query

CONFIGURATION = "english"
VECTOR = (
    f"setweight(to_tsvector('{CONFIGURATION}', coalesce(title, '') || ' ' || coalesce(tags, '')), 'A') || "
    f"setweight(to_tsvector('{CONFIGURATION}', coalesce(body, '')), 'D')"
)
SCHEMA = [
    f"ALTER TABLE content_document ADD COLUMN vector tsvector GENERATED ALWAYS AS ({VECTOR}) STORED",
    "CREATE INDEX content_document_words ON content_document USING gin (vector)",
    "CREATE INDEX content_document_head_words ON content_document USING gin (vector) WHERE head",
]
Row = tuple[int, int, bool, str]  # kind, number, whether it has a title, body
DROP = ["ALTER TABLE content_document DROP COLUMN vector"]
DENSE = 200  # one hit in so many rows is dense enough to walk backwards


class TsvectorIndex:
    """Search on PostgreSQL."""

    def put(self, entries: Sequence[Entry], *, new: bool = False) -> None:
        """Add entries, or replace those with the same key; `new` promises that there are none."""
        if not new:
            self.remove([(entry.kind, entry.number) for entry in entries])
        documents.add(entries)

    def remove(self, keys: Collection[Key]) -> None:
        """Forget entries; those that are not there do not matter."""
        numbers: dict[int, list[int]] = {}
        for kind, number in keys:
            numbers.setdefault(kind, []).append(number)
        for kind, of_kind in numbers.items():
            Document.objects.filter(kind=kind, number__in=of_kind).delete()

    def find(self, query: Query, *, limit: int, hidden_areas: Collection[int] = ()) -> list[Hit]:
        """Return at most `limit` hits, best first, none from `hidden_areas`."""
        if query.empty:
            return []
        conditions, values = documents.filters(query, hidden_areas)
        if not query.terms:
            rows = self._walk(f"TRUE{conditions}", values, limit=limit)
            return [_hit(row, tier=1 if row[2] else 2, query=query) for row in rows]
        words = match(query)
        hits: list[Hit] = []
        seen: set[Key] = set()
        for tier, wanted, part in (
            (0, match(query, weight="A"), "d.head"),
            (1, words, "d.head"),
            (2, words, "NOT d.head"),
        ):
            left = limit - len(hits)
            if left <= 0:
                break
            where = f"d.vector @@ to_tsquery('{CONFIGURATION}', %s) AND {part}{conditions}"
            rows = self._rows(where, [wanted, *values], limit=left + (len(seen) if tier == 1 else 0))
            for row in rows:
                if (row[0], row[1]) not in seen and len(hits) < limit:
                    seen.add((row[0], row[1]))
                    hits.append(_hit(row, tier=tier, query=query))
        return hits

    def _rows(self, where: str, values: list[Value], *, limit: int) -> list[Row]:
        """Return the newest rows that match, by the way that the estimate of their number asks for."""
        if self._dense(where, values):
            return self._walk(where, values, limit=limit)
        sql = (
            f"WITH m AS MATERIALIZED (SELECT d.id FROM content_document d WHERE {where}) "  # noqa: S608
            "SELECT d.kind, d.number, d.head, d.body FROM content_document d "
            "WHERE d.id IN (SELECT id FROM m ORDER BY id DESC LIMIT %s) ORDER BY d.id DESC"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [*values, limit])
            rows: list[Row] = cursor.fetchall()
        return rows

    def _walk(self, where: str, values: list[Value], *, limit: int) -> list[Row]:
        sql = (
            "SELECT d.kind, d.number, d.head, d.body FROM content_document d "  # noqa: S608
            f"WHERE {where} ORDER BY d.id DESC LIMIT %s"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [*values, limit])
            rows: list[Row] = cursor.fetchall()
        return rows

    def _dense(self, where: str, values: list[Value]) -> bool:
        """Tell whether the planner believes that many rows match."""
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT 1 FROM content_document d WHERE {where}", values)  # noqa: S608
            (answer,) = cursor.fetchone()
            plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'content_document'::regclass")
            (rows,) = cursor.fetchone()
        return bool(plan["Plan Rows"] * DENSE > max(rows, 1))


def match(query: Query, *, weight: str = "") -> str:
    """Return the query in the language of to_tsquery; a quoted term of several words is a phrase."""
    suffix = f":{weight}" if weight else ""
    wanted = [f"{_quoted(term)}{suffix}" for term in query.terms]
    unwanted = [f"!{_quoted(term)}" for term in query.excluded]
    return " & ".join([*wanted, *unwanted])


def _quoted(term: str) -> str:
    escaped = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _hit(row: Row, *, tier: int, query: Query) -> Hit:
    kind, number, _, body = row
    return Hit(kind=kind, number=number, tier=tier, excerpt=excerpt(body, query.terms))
