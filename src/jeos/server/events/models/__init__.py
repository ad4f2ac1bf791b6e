"""The tables of events."""

from jeos.server.events.models.attending import AgendaAddress, Rating, Star, Topic, TopicVote
from jeos.server.events.models.events import Duty, Event, Release, Role, Room, SessionType, Slot, Track
from jeos.server.events.models.sessions import Review, Session, Speaker, State

__all__ = [
    "AgendaAddress",
    "Duty",
    "Event",
    "Rating",
    "Release",
    "Review",
    "Role",
    "Room",
    "Session",
    "SessionType",
    "Slot",
    "Speaker",
    "Star",
    "State",
    "Topic",
    "TopicVote",
    "Track",
]
