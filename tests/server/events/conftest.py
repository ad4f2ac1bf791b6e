"""What tests of the events start from."""

import pytest

from jeos.server.events.models import Event, Session
from server_events import Crowd, gather, make_event, on_schedule


@pytest.fixture
def crowd(db: None) -> Crowd:
    return gather()


@pytest.fixture
def event(crowd: Crowd) -> Event:
    return make_event(crowd)


@pytest.fixture
def session(event: Event, crowd: Crowd) -> Session:
    return on_schedule(event, crowd)
