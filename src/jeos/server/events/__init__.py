"""Events: days with rooms and sessions, a call for sessions, and what attendees choose of them."""
