"""The API: what programs may do here, at /api/v1/, described by an OpenAPI 3.1 document.

A section brings its part in an `api.py` with a `router`; nothing else lists it:

    from jeos.server.api import access, answers, lists, shapes

    router = Router(tags=["Ideas"])

    @router.get("/ideas", auth=access.READS, response=answers.of(lists.Listed[Idea]))
    def ideas(request: HttpRequest, response: HttpResponse, after: shapes.Cursor = "") -> lists.Listed[Idea]: ...

Whoever writes presents a personal token, and nothing else counts: cookies are not looked at, so that no page of another
site can write with a member's session. Writing goes through the forms, rights, limits and services of the pages.
"""
