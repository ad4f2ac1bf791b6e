"""Finding what an address names, if who asks may see it; everybody else learns only that there is nothing."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.catalogue import rights
from jeos.server.catalogue.models import Appliance, Publisher, Version


def find_publisher(name: str, member: Member | None) -> Publisher:
    """Return a publisher. Raises Http404."""
    found = get_object_or_404(Publisher, name=name)
    if not rights.may_see_publisher(found, member):
        raise Http404
    return found


def find_owned(name: str, member: Member) -> Publisher:
    """Return a publisher that a member may change. Raises Http404 and PermissionDenied."""
    found = find_publisher(name, member)
    if not rights.may_own(found, member, now=timezone.now()):
        raise PermissionDenied(_("Only owners of this publisher's page may do that."))
    return found


def find_appliance(publisher: str, name: str, member: Member | None) -> Appliance:
    """Return an appliance with its publisher. Raises Http404."""
    rows = Appliance.objects.select_related("publisher")
    found = get_object_or_404(rows, publisher__name=publisher, name=name)
    if not rights.may_see(found, member):
        raise Http404
    return found


def find_version(appliance: Appliance, version: str) -> Version:
    """Return a version of an appliance. Raises Http404."""
    return get_object_or_404(Version, appliance=appliance, version=version[:64])
