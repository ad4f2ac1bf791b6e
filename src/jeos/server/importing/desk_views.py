"""The administrators' pages of imports: how each stands, why it failed, and the form that starts one."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jeos.core.errors import UsageError
from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_administrators
from jeos.server.content import audit
from jeos.server.content.uploads import TOGETHER
from jeos.server.importing import reporting, standing, starting
from jeos.server.importing.forms import SOURCES, StartForm
from jeos.server.importing.models import Import, State

_READS = gettext_lazy("A worker reads the dump now.")
_NOT_KEPT = {
    "kind": gettext_lazy("{name} is no dump: it ends in .sql, .sql.gz, .tar, .tar.gz or .tgz."),
    "there": gettext_lazy("There is a file {name} in the folder already: choose it there, or give yours another name."),
    "full": gettext_lazy("{name} does not fit onto the disk."),
}


@require_GET
@for_administrators
def imports(request: HttpRequest, member: Member) -> HttpResponse:
    """Show the imports."""
    runs = [
        (run, run.state, State(run.state).label, reporting.lines(run), reporting.unplaced(run))
        for run in Import.objects.order_by("-made")
    ]
    return render(request, "importing/imports.html", {"runs": runs, "names": dict(SOURCES), "at": "imports"})


@require_POST
@for_administrators
def resume(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Go on with an import from where it stood, or without the record at which it failed."""
    action = request.POST.get("action")
    if action not in ("again", "without", "reread", "bring"):
        raise BadRequest("no such action")
    run = get_object_or_404(Import, pk=number)
    try:
        if action in ("again", "without"):
            standing.resume(run.source, without=action == "without")
        else:
            starting.again(run, look=bool(run.wanted.get("look")) and action == "reread")
    except UsageError:
        messages.warning(request, _("There is nothing to go on with."))
    else:
        audit.record(member, f"import.{action}", details={"source": run.source})
        went_on = action in ("again", "without")
        messages.success(request, _("The import goes on from where it stopped.") if went_on else _READS)
    return redirect("importing:imports")


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def start(request: HttpRequest, member: Member) -> HttpResponse:
    """Show the form that starts an import, and start it."""
    form = StartForm(request.POST or None, request.FILES or None, initial={"source": "discourse"})
    if request.method == "POST" and form.is_valid() and _start(request, member, form):
        messages.success(request, _READS)
        return redirect("importing:imports")
    context = {
        "form": form,
        "folder": starting.folder(),
        "mib": settings.FILE_BYTES * TOGETHER >> 20,
        "at": "imports",
    }
    return render(request, "importing/start.html", context)


def _start(request: HttpRequest, member: Member, form: StartForm) -> bool:
    """Let a worker read a dump; return whether that could be, which the form says otherwise."""
    source, wanted = form.cleaned_data["source"], form.wanted()
    try:
        if form.cleaned_data["dump"] is not None:
            wanted["file"] = starting.keep(form.cleaned_data["dump"])
        starting.start(source, wanted, look=request.POST.get("action") != "bring")
    except starting.NotKept as error:
        form.add_error("dump", _NOT_KEPT[error.why].format(name=error.name))
        return False
    except UsageError:
        form.add_error("source", _("A forum of this program came here already, or is just coming."))
        return False
    audit.record(member, "import.start", details={"source": source, "file": wanted["file"]})
    return True
