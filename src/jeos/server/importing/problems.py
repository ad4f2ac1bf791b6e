"""What the administrators' overview says of imports."""

from __future__ import annotations

from django.utils.translation import gettext as _

from jeos.server.administration.health import Problem
from jeos.server.importing.models import Import

VIEW = "importing:imports"


def found() -> list[Problem]:
    """Return the imports that failed."""
    failed = Import.objects.filter(finished=None).exclude(failed=None)
    hint = _("See why, mend its cause, and let it go on from where it stopped.")
    return [Problem(_("The import from {source} failed.").format(source=run.source), hint, VIEW) for run in failed]
