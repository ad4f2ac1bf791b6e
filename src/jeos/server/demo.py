"""The example community of `jeos server --demo`: members here, content from each section's own `demo.py`.

A section's `demo.py` has `fill(members)`, which writes through the same functions as the pages do.
"""

import importlib
import importlib.util
import secrets
import tomllib
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from jeos.server.accounts import registration
from jeos.server.accounts.models import Member, Role, Trust
from jeos.server.section import sections

SCRIPT = Path(__file__).with_name("demo.toml")


def fill() -> str:
    """Fill an empty site and return what was done; a site that has members is left as it is."""
    if Member.objects.exists():
        return "the site has members already; nothing was added"
    passphrase = secrets.token_urlsafe(9)
    with transaction.atomic():
        members = _members(passphrase)
        for section in sections():
            if importlib.util.find_spec(f"{section.name}.demo") is not None:
                importlib.import_module(f"{section.name}.demo").fill(members)
    return f"{len(members)} members; sign in as admin, moderator or member with the passphrase {passphrase}"


def _members(passphrase: str) -> dict[str, Member]:
    """Make the members of the script; three of them have a passphrase, the others cannot sign in."""
    made: dict[str, Member] = {}
    now = timezone.now()
    for row in tomllib.loads(SCRIPT.read_text(encoding="utf-8"))["member"]:
        handle = row["handle"]
        member = Member.objects.create_user(
            handle,
            f"{handle}@exchange.example",
            passphrase if row.get("signs_in") else None,
            name=row.get("name", ""),
            about=row.get("about", ""),
            role=Role[row.get("role", "MEMBER")],
            trust=Trust[row.get("trust", "BASIC")],
            joined=now - timedelta(days=row["days"]),
            days_active=row["days"] // 9,
        )
        registration.confirm(member)
        made[handle] = member
    return made
