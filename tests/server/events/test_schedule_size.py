"""How large the schedule is for a member: bounded for each session, which stands in the table and in the list."""

import re

import pytest

from jeos.server.events.models import Event
from server_events import Crowd, on_schedule

pytestmark = pytest.mark.django_db
SESSIONS = 40
PER_SESSION = (
    1_650  # bytes of both views with their stars, for a title of 60 characters; with a form for each star 2,000
)
ADDRESS = "/events/days/schedule/"


def test_schedule_of_a_member_is_bounded_for_each_session(crowd: Crowd, event: Event) -> None:
    sizes = []
    for amount in (1, SESSIONS):
        for number in range(amount):
            title = f"A session about appliances that boot from nets {amount} {number}".ljust(60, ".")
            on_schedule(event, crowd, title, 40 * number)
        sizes.append(len(crowd.clients["member"].get(ADDRESS).content))
    assert (sizes[1] - sizes[0]) / SESSIONS <= PER_SESSION


def test_all_stars_of_a_page_share_a_form_and_name_their_session(crowd: Crowd, event: Event) -> None:
    sessions = [on_schedule(event, crowd, f"Number {n}", 40 * n) for n in range(3)]
    client = crowd.clients["member"]
    client.post(f"/events/days/sessions/{sessions[0].pk}/star/", {"want": "1"})
    for address, views in ((ADDRESS, "tl"), ("/events/days/sessions/", "l"), ("/events/days/speakers/speaker/", "l")):
        page = client.get(address).content.decode()
        form = re.search(r'<form class="starring".*?</form>', page, re.DOTALL)
        assert form is not None
        assert (page.count("starring"), form[0].count("csrfmiddlewaretoken")) == (1, 1), address
        stars = re.findall(
            r'<button id="(\w+)" class="star-button" formaction="([^"]+)" name="want" value="(\d)" aria-pressed="(\w+)"'
            r'.*?<span class="unseen">([^<]+)</span></button>',
            form[0],
        )
        assert sorted(stars) == sorted(
            (
                f"{view}{one.pk}",
                f"/events/days/sessions/{one.pk}/star/?at={view}",
                *(("0", "true") if one == sessions[0] else ("1", "false")),
                f"{'In your agenda' if one == sessions[0] else 'Put it into your agenda'}: {one.title}",
            )
            for one in sessions
            for view in views
        )
    visitor = crowd.clients["visitor"].get(ADDRESS).content.decode()
    assert "starring" not in visitor
    assert "star-button" not in visitor
