"""The page that describes the API: made of the OpenAPI document, without a script."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from jeos.server.api.frame import api

REF = "#/components/schemas/"


def _name(ref: str) -> str:
    return ref.removeprefix(REF)


def words(said: dict[str, Any]) -> str:
    """Return a description without the marks of code, which the page has no need of."""
    return str(said.get("description", "")).replace("`", "")


def type_of(schema: dict[str, Any]) -> str:
    """Return in words what a value must be."""
    if "$ref" in schema:
        return _name(schema["$ref"])
    if "anyOf" in schema:
        return " | ".join(type_of(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    if schema.get("type") == "array":
        return f"[{type_of(schema.get('items', {}))}]"
    kind = str(schema.get("type", "value"))
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "≥"), ("maximum", "≤"), ("minLength", "≥"), ("maxLength", "≤"))
        if key in schema and schema[key] < 1 << 50
    ]
    said = schema.get("format") or kind
    return f"{said} ({', '.join(bounds)})" if bounds else str(said)


def fields(schema: dict[str, Any]) -> list[tuple[str, str, bool, str]]:
    """Return name, type, whether it must be there, and what it means, of each member of an object."""
    required = set(schema.get("required", ()))
    return [(name, type_of(one), name in required, words(one)) for name, one in schema.get("properties", {}).items()]


def operations(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the operations of a document as the page shows them, by their tag."""
    found: dict[str, list[dict[str, Any]]] = {}
    for address, methods in document["paths"].items():
        for method, said in methods.items():
            body = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            good = next((status, one) for status, one in said["responses"].items() if int(status) < 400)
            content = good[1].get("content", {}).get("application/json", {}).get("schema")
            found.setdefault(said["tags"][0], []).append(
                {
                    "id": said["operationId"],
                    "method": method.upper(),
                    "address": address,
                    "summary": said["summary"],
                    "description": words(said),
                    "token": {} not in said["security"],
                    "parameters": [
                        (one["name"], type_of(one["schema"]), one["required"], words(one)) for one in said["parameters"]
                    ],
                    "body": type_of(body) if body else "",
                    "status": good[0],
                    "answer": type_of(content) if content else "",
                }
            )
    return found


@require_GET
def reference(request: HttpRequest) -> HttpResponse:
    """Describe the API: its operations, and the shapes of what goes in and comes out."""
    document = api().get_openapi_schema()
    shapes = [(name, words(one), fields(one)) for name, one in document["components"]["schemas"].items()]
    context = {"info": document["info"], "groups": operations(document), "shapes": shapes}
    return render(request, "api/reference.html", context)
