"""The search index on PostgreSQL: a weighted tsvector in the documents, a GIN index over all and one over heads.

A document is stemmed in its own language, and a word of a query in each: it is found as it was written, whatever the
language is, and in its other forms in that of the document.

Left alone, PostgreSQL answers `… ORDER BY id DESC LIMIT` by walking the table backwards even if the word is rare (1.3
to 2.9 s for 3,000,000 rows). So its own estimate decides: common words walk backwards, where hits are dense; for rare
ones the matches are fetched first.
"""

import json
import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import connection

from jeos.server.content.models import Document
from jeos.server.content.search import documents
from jeos.server.content.search.base import Entry, Hit, Key, excerpt
from jeos.server.content.search.documents import Value
from jeos.server.content.search.languages import Language
from jeos.server.content.search.query import Query

# Each language has a configuration of ours: PostgreSQL's stemmer without its list of words that are not kept, so that
# "the who" is found. Letters of German and French lose their marks before, as all letters do on SQLite.
CONFIGURATIONS = {language: f"jeos_{language.label}" for language in Language}
_SMALL = "éüäöèàêçâîôûùëïÿ"
MARKED = _SMALL + _SMALL.upper()
PLAIN = "euaoeaecaiouueiy" * 2
_FOLD = str.maketrans(MARKED, PLAIN)


def _plain(column: str) -> str:
    """Return a column without marks, as an expression; ASCII, which has none, is not walked, for that takes 0.3 ms."""
    return (
        f"CASE WHEN octet_length({column}) = char_length({column}) THEN {column} "
        f"ELSE translate({column}, '{MARKED}', '{PLAIN}') END"
    )


def _vector(configuration: str) -> str:
    """Return what is indexed of a document in a language, as an expression."""
    head = f"to_tsvector('{configuration}', {_plain('title')} || ' ' || tags)"
    return f"setweight({head}, 'A') || setweight(to_tsvector('{configuration}', {_plain('body')}), 'D')"


def _in_its_language() -> str:
    """Return what is indexed of a document, as an expression; a document without a language is in English."""
    others = [language for language in Language if language != Language.ENGLISH]
    cases = " ".join(f"WHEN {int(language)} THEN {_vector(CONFIGURATIONS[language])}" for language in others)
    return f"CASE language {cases} ELSE {_vector(CONFIGURATIONS[Language.ENGLISH])} END"


def _configuration(language: Language) -> list[str]:
    """Return the statements that make the configuration of a language."""
    name = CONFIGURATIONS[language]
    return [
        f"CREATE TEXT SEARCH DICTIONARY {name} (TEMPLATE = snowball, LANGUAGE = {language.label})",
        f"CREATE TEXT SEARCH CONFIGURATION {name} (COPY = simple)",
        f"ALTER TEXT SEARCH CONFIGURATION {name} "
        "ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, hword, hword_part, word "
        f"WITH {name}",
    ]


SCHEMA = [
    *(statement for language in Language for statement in _configuration(language)),
    f"ALTER TABLE content_document ADD COLUMN vector tsvector GENERATED ALWAYS AS ({_in_its_language()}) STORED",
    "CREATE INDEX content_document_words ON content_document USING gin (vector)",
    "CREATE INDEX content_document_head_words ON content_document USING gin (vector) WHERE head",
]
Row = tuple[int, int, bool, str]  # kind, number, whether it has a title, body
DROP = [
    "ALTER TABLE content_document DROP COLUMN vector",
    *(f"DROP TEXT SEARCH CONFIGURATION {name}" for name in CONFIGURATIONS.values()),
    *(f"DROP TEXT SEARCH DICTIONARY {name}" for name in CONFIGURATIONS.values()),
]
COUNTED_SECONDS = 60.0  # how long a process believes how many documents there are
DENSE = 200  # one hit in so many rows is dense enough to walk backwards


class TsvectorIndex:
    """Search on PostgreSQL."""

    def put(self, entries: Sequence[Entry], *, new: bool = False) -> None:
        """Add entries, or replace those with the same key; `new` promises that there are none."""
        if not new:
            self.remove([(entry.kind, entry.number) for entry in entries])
        documents.add(entries, numbered=False)

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
        if not self._many(query, conditions, values):
            return self._sort(query, words, conditions, values, limit=limit)
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
            where = f"d.vector @@ {wanted.sql} AND {part}{conditions}"
            rows = self._rows(where, [*wanted.values, *values], limit=left + (len(seen) if tier == 1 else 0))
            for row in rows:
                if (row[0], row[1]) not in seen and len(hits) < limit:
                    seen.add((row[0], row[1]))
                    hits.append(_hit(row, tier=tier, query=query))
        return hits

    def _sort(self, query: Query, words: "Match", conditions: str, values: list[Value], *, limit: int) -> list[Hit]:
        """Return the best of few matches, sorted by one statement; the numbers of tiers are those of `find`."""
        title = match(query, weight="A")
        sql = (
            f"WITH m AS MATERIALIZED (SELECT d.id, CASE WHEN NOT d.head THEN 2 WHEN d.vector @@ {title.sql} THEN 0 "  # noqa: S608
            f"ELSE 1 END AS tier FROM content_document d WHERE d.vector @@ {words.sql}{conditions}) "
            "SELECT d.kind, d.number, d.head, d.body, b.tier FROM (SELECT * FROM m ORDER BY tier, id DESC LIMIT %s) b "
            "JOIN content_document d ON d.id = b.id ORDER BY b.tier, d.id DESC"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [*title.values, *words.values, *values, limit])
            return [_hit(row[:4], tier=row[4], query=query) for row in cursor.fetchall()]

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

    def _many(self, query: Query, conditions: str, values: list[Value]) -> bool:
        """Tell whether the planner believes that many rows match in any one language.

        A word that is not among the most common of the table is taken for one in 200 at most, and for three times that
        in three languages: each is estimated alone, lest every rare word be taken for a common one.
        """
        words = [match(query, languages=(language,)) for language in Language]
        wheres = [f"d.vector @@ {one.sql}{conditions}" for one in words]
        estimates = _estimates(wheres, [value for one in words for value in (*one.values, *values)])
        return max(estimates) * DENSE > _documents()

    def _dense(self, where: str, values: list[Value]) -> bool:
        """Tell whether the planner believes that many rows match."""
        return max(_estimates([where], values)) * DENSE > _documents()


def _estimates(wheres: Sequence[str], values: list[Value]) -> list[float]:
    """Return how many rows the planner believes that each of some conditions finds, asked in one message."""
    asked = [f"EXPLAIN (FORMAT JSON) SELECT 1 FROM content_document d WHERE {where}" for where in wheres]  # noqa: S608
    found: list[float] = []
    with connection.cursor() as cursor:
        cursor.execute("; ".join(asked), values)
        for _ in wheres:
            (answer,) = cursor.fetchone()
            plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
            found.append(plan["Plan Rows"])
            cursor.nextset()
    return found


_counted: tuple[float, float] = (-math.inf, 1)


def _documents() -> float:
    """Return how many documents PostgreSQL believes that there are, which a process asks once in a while."""
    global _counted
    now = time.monotonic()
    if now - _counted[0] >= COUNTED_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'content_document'::regclass")
            _counted = (now, max(cursor.fetchone()[0], 1))
    return _counted[1]


@dataclass(frozen=True)
class Match:
    """A condition on the words of a document: a value of the type tsquery as SQL, and its parameters."""

    sql: str
    values: list[Value]


def match(query: Query, *, weight: str = "", languages: Sequence[Language] = tuple(Language)) -> Match:
    """Return what a document must match: each term in the language that the document is in, whichever of some that is.

    A quoted term of several words is a phrase. What must not occur counts wherever it stands.
    """
    parts: list[str] = []
    values: list[Value] = []
    in_any = f"({' || '.join(_QUERIES[language] for language in languages)})"
    for term in query.terms:
        parts.append(in_any)
        values += [f"{_quoted(term)}{f':{weight}' if weight else ''}"] * len(languages)
    for term in query.excluded:
        parts.append(f"!!{in_any}")
        values += [_quoted(term)] * len(languages)
    return Match(f"({' && '.join(parts)})", values)


_QUERIES = {language: f"to_tsquery('{name}', %s)" for language, name in CONFIGURATIONS.items()}


def _quoted(term: str) -> str:
    escaped = term.translate(_FOLD).replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _hit(row: Row, *, tier: int, query: Query) -> Hit:
    kind, number, _, body = row
    return Hit(kind=kind, number=number, tier=tier, excerpt=excerpt(body, query.terms))
