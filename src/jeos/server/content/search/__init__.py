"""Search over all content, in the database: one interface, one implementation for each database.

index().put([Entry(kind=THREAD, number=7, head=True, ...)])
index().find(parse('disk "boot order" -windows tag:uefi'), limit=20)
"""

from django.db import connection

from jeos.server.content.search.base import Entry, Hit, Index
from jeos.server.content.search.fts5 import Fts5Index
from jeos.server.content.search.query import Query, parse
from jeos.server.content.search.tsvector import TsvectorIndex

__all__ = ["Entry", "Hit", "Index", "Query", "index", "parse"]


def index() -> Index:
    """Return the search index of the database in use."""
    return TsvectorIndex() if connection.vendor == "postgresql" else Fts5Index()
