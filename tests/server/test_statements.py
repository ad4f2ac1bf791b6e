"""Statements that are made once: PostgreSQL keeps them; an end of the connection is noticed without asking."""

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from jeos.server import database, rows, statements
from jeos.server.accounts.models import Member
from jeos.server.content.models import Tag

pytestmark = pytest.mark.django_db
on_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite's library keeps statements by itself"
)


@pytest.mark.parametrize("numbers", [[], [3], [3, 5, 1 << 62]])
def test_among_finds_what_is_one_of_the_numbers(numbers: list[int]) -> None:
    these, values = statements.among("n", numbers)
    table = " UNION ALL ".join(f"SELECT {n} AS n" for n in (3, 4, 5, 1 << 62))
    with statements.cursor() as cursor:
        cursor.execute(f"SELECT n FROM ({table}) AS t WHERE {these} ORDER BY n", values)
        assert [row[0] for row in cursor.fetchall()] == numbers


def test_statements_are_counted_as_djangos_are(ada: Member) -> None:
    with CaptureQueriesContext(connection) as seen:
        assert rows.by_number(Member, ada.pk) == ada
    assert len(seen) == 1 and "accounts_member" in seen[0]["sql"]


@pytest.mark.parametrize(
    ("address", "threshold"),
    [("", 5), ("?prepare_threshold=none", None), ("?prepare_threshold=1&sslmode=require", 1)],
)
def test_address_says_whether_statements_are_kept(address: str, threshold: int | None) -> None:
    options = database.postgres(f"postgres://u@h/n{address}")["OPTIONS"]
    assert isinstance(options, dict) and options["prepare_threshold"] == threshold
    assert ("sslmode" in options) == ("sslmode" in address)


@on_postgres
def test_a_statement_is_kept_once_whatever_its_values_are(ada: Member) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
        connection.connection._prepared.clear()
        for number in (ada.pk, 40_000, 1 << 40):
            rows.by_number(Member, number)
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%accounts_member%'")
        assert cursor.fetchone() == (1,)


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_ended_is_replaced_before_the_next_request() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (number,) = cursor.fetchone()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 20000)", [number])
            assert cursor.fetchone() == (True,)
    finally:
        other.close()
    connection.close_if_unusable_or_obsolete()  # as each request begins
    with statements.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != (number,)


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_silent_is_not_asked() -> None:
    connection.ensure_connection()
    connection.close_if_unusable_or_obsolete()
    with CaptureQueriesContext(connection) as seen, statements.cursor() as cursor:
        before = connection.connection
        cursor.execute("SELECT 7")
        assert cursor.fetchone() == (7,)
    assert connection.connection is before and [query["sql"] for query in seen] == ["SELECT 7"]


def test_marks_of_values_and_percent_signs_are_told_apart() -> None:
    with statements.cursor() as cursor:
        for _ in range(2):  # looked at, and then kept
            cursor.execute("SELECT '100 %%', %s, '%%s'", ["%s %%"])
            assert cursor.fetchone() == ("100 %", "%s %%", "%s")


def names() -> list[str]:
    return list(Tag.objects.order_by("pk").values_list("name", flat=True))


INSERT = "INSERT INTO content_tag (name, description, uses) VALUES (%s, '', 0)"


def test_what_is_written_together_is_written_in_its_order() -> None:
    with CaptureQueriesContext(connection) as seen, statements.together():
        statements.write(INSERT, ["first"])
        with statements.together():  # a part of the whole
            statements.write(INSERT, ["second"])
        statements.write(INSERT, ["third"])
    assert names() == ["first", "second", "third"]
    assert len(seen) == (1 if connection.vendor == "postgresql" else 3)
    statements.write(INSERT, ["alone"])
    assert names()[-1] == "alone"


def test_nothing_is_written_if_something_before_it_fails() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic(), statements.together():
        statements.write(INSERT, ["lost"])
        raise ZeroDivisionError
    assert names() == []
    with pytest.raises(IntegrityError), transaction.atomic(), statements.together():
        statements.write(INSERT, ["twice"])
        statements.write(INSERT, ["twice"])
    assert names() == []
    statements.write(INSERT, ["kept"])  # and nothing waits that was written before
    assert names() == ["kept"]
