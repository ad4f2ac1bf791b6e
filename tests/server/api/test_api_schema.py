"""The API against its own OpenAPI document: thousands of calls, right and wrong, to the real application."""

import json
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types
from schemathesis import GenerationMode
from schemathesis import checks as common
from schemathesis.specs.openapi import checks

from catalogue_site import make_appliance
from jeos.server.accounts.models import Member, Token, Trust
from jeos.server.api.frame import api
from jeos.server.blog import posting as blogging
from jeos.server.blog.posting import Writing
from jeos.server.events import topics
from jeos.server.forum import polls, posting
from jeos.server.forum.models import Category
from jeos.server.ideas import suggesting
from jeos.server.practices import writing as practices
from jeos.server.practices.models import PARTS
from jeos.server.wiki import writing
from server_events import gather, make_event

EXAMPLES = 12  # calls of each operation with made-up values, besides those at the bounds of each value

CHECKS = [
    common.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.ignored_auth,
]


@pytest.fixture
def document(administrator: Member, category: Category) -> Any:
    """Return the API as schemathesis reads it, with something there to find under the document's examples."""
    Member.objects.filter(pk=administrator.pk).update(trust=Trust.KNOWN)
    thread = posting.start(category, author=administrator, title="A first thread", source="Hello.", tag_names=["uefi"])
    posting.reply(thread, category, author=administrator, source="And hello again.")
    suggesting.post(author=administrator, title="A first idea", source="It would be good.")
    writing.create(title="Boot order", source="First this, then that.", author=administrator)
    make_appliance(administrator)
    event = make_event(gather())
    topics.suggest(event, author=administrator, title="Booting from tape")
    polls.make(thread, question="Which?", options=["one", "two"], choices=1, closes=None)
    parts = {part: f"Its *{part}*." for part in PARTS}
    practice = practices.draft(practices.Wanted(title="Keep the data apart", parts=parts), author=administrator)
    practices.submit(practice)
    blogging.begin(administrator, Writing(title="A draft", source="So."))
    _made, text = Token.make(administrator, name="tests", writes=True, expires=None)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", WSGIHandler())
    schema.config.update(headers={"Authorization": f"Bearer {text}"})
    return schema


def every_operation() -> list[tuple[str, str]]:
    """Return method and address of all operations."""
    paths = api().get_openapi_schema()["paths"]
    return [(method, address) for address, methods in paths.items() for method in methods]


@pytest.mark.parametrize(("method", "address"), every_operation())
def test_every_answer_is_what_the_document_says(document: Any, method: str, address: str) -> None:
    operation = document[address][method]
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes]))
    def call(case: "schemathesis.Case[Any]") -> None:
        case.call_and_validate(checks=CHECKS)

    call()
    config = document.config.generation_for(operation=operation)
    for case in document.iter_coverage_cases(operation, generation_modes=modes, generation_config=config):
        case.call_and_validate(checks=CHECKS)


def test_document_is_openapi_and_complete() -> None:
    document = json.loads(json.dumps(api().get_openapi_schema()))
    assert document["openapi"] == "3.1.0"
    names = []
    for address, methods in document["paths"].items():
        assert address.startswith("/api/v1/")
        for said in methods.values():
            names.append(said["operationId"])
            assert said["summary"] and said["description"].endswith(".") and said["tags"]
            assert {"401", "403", "404", "422", "429"} < set(said["responses"])
            assert said["security"] in ([{}, {"token": []}], [{"token": []}])
    assert len(names) == len(set(names))
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description"), name


def test_what_writes_needs_a_token_in_the_document() -> None:
    for methods in api().get_openapi_schema()["paths"].values():
        for method, said in methods.items():
            if method != "get":
                assert said["security"] == [{"token": []}]
