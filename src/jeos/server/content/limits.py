"""Rate limits: how often somebody may do something in a span of time, counted in the database for all processes.

limits.use("post", member=member)      # raises TooOften
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from jeos.server import statements
from jeos.server.accounts.models import Member, Trust
from jeos.server.content.models import Allowance

DAY, HOUR, MINUTE = 86_400, 3_600, 60  # seconds


@dataclass(frozen=True)
class Limit:
    """So often in so many seconds; members whom the site knows better may do it `known` times as often."""

    times: int
    seconds: int
    known: int = 4


LIMITS = {
    "thread": Limit(5, HOUR),
    "idea": Limit(5, HOUR),
    "vote": Limit(60, HOUR),
    "practice": Limit(5, HOUR),
    "session": Limit(5, HOUR),
    "topic": Limit(5, HOUR),
    "star": Limit(120, HOUR),
    "post": Limit(20, HOUR),
    "blogpost": Limit(5, HOUR),
    "edit": Limit(30, HOUR),
    "page": Limit(10, HOUR),
    "publish": Limit(60, HOUR),
    "publisher": Limit(5, DAY),
    "review": Limit(20, HOUR),
    "upload": Limit(60, HOUR),
    "face": Limit(10, DAY, known=1),
    "mail-notice": Limit(5, DAY, known=1),
    "reaction": Limit(60, HOUR),
    "flag": Limit(10, DAY),
    "draft": Limit(600, HOUR),
    "search": Limit(30, MINUTE),
    "api": Limit(120, MINUTE),
    "webhook": Limit(30, HOUR),
    "export": Limit(3, DAY, known=1),
}


class TooOften(Exception):  # noqa: N818 - named for what a page says
    """Somebody did something more often than is allowed; `seconds` from now it is allowed again."""

    def __init__(self, action: str, seconds: int) -> None:
        super().__init__(f"{action}: again in {seconds} s")
        self.action = action
        self.seconds = seconds


def use(action: str, *, member: Member | None = None, address: str = "", now: float | None = None) -> None:
    """Count one use by a member or an address. Raises TooOften when there are none left, and KeyError for no action."""
    limit = LIMITS[action]
    if member is not None and member.moderates:
        return
    moment = int(time.time() if now is None else now)
    began = moment - moment % limit.seconds
    who = f"member:{member.pk}" if member is not None else f"address:{address}"
    allowed = limit.times * (limit.known if member is not None and member.trust >= Trust.KNOWN else 1)
    if count(who, action, began) > allowed:
        raise TooOften(action, began + limit.seconds - moment)


def count(who: str, action: str, began: int) -> int:
    """Count one up and return the count, in one statement that both databases understand."""
    with statements.cursor() as cursor:
        cursor.execute(
            "INSERT INTO content_allowance (who, action, began, used) VALUES (%s, %s, %s, 1) "
            "ON CONFLICT (who, action, began) DO UPDATE SET used = content_allowance.used + 1 RETURNING used",
            [who[:60], action, began],
        )
        (used,) = cursor.fetchone()
    return int(used)


def prune(*, now: float) -> int:
    """Delete counts whose span of time is over, and return how many."""
    return Allowance.objects.filter(began__lt=int(now) - DAY * 2).delete()[0]
