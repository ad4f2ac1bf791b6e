"""Forms of the events."""

from __future__ import annotations

import re
import zoneinfo
from datetime import date, datetime
from functools import cache

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.content.forms import TagsField, TextField, TitleField
from jeos.server.events import preparing, submitting
from jeos.server.events.attending import STARS
from jeos.server.events.models import Event, Role, Room, Session, SessionType, Speaker, State, Track
from jeos.server.events.models.events import LONGEST, NAME_LENGTH
from jeos.server.events.reviewing import BEST, WORST
from jeos.server.events.scheduling import LONGEST as LONGEST_SESSION
from jeos.server.events.scheduling import SHORTEST as SHORTEST_SESSION
from jeos.server.events.submitting import DECISIONS, SPEAKERS

RESERVED = ("new", "past", "feed")  # what addresses below /events/ mean already
FIRST_YEAR, LAST_YEAR = 2000, 2100
HUES = 12
LONGEST_NUMBER = 18  # digits: what fits a row's number on both databases


@cache
def zones() -> tuple[str, ...]:
    """Return the time zones that this machine knows, by name."""
    return tuple(sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC"))


class DayField(forms.DateField):
    """A day within the years for which there are calendars."""

    def clean(self, value: object) -> date | None:
        """Return the day. Raises ValidationError for one that is far off."""
        day: date | None = super().clean(value)
        if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValidationError(_("Choose a year from {first} to {last}.").format(first=FIRST_YEAR, last=LAST_YEAR))
        return day


class LocalField(forms.CharField):
    """A moment as browsers send it, without a zone: whoever uses it knows where it is."""

    def clean(self, value: object) -> datetime | None:
        """Return the moment, naive. Raises ValidationError for what is none."""
        text = str(super().clean(value))
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0)
        except ValueError as error:
            raise ValidationError(_("This is no day and time: {text}").format(text=text)) from error
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise ValidationError(_("Choose a year from {first} to {last}.").format(first=FIRST_YEAR, last=LAST_YEAR))
        return moment


class EventForm(forms.Form):
    """An event."""

    name = TitleField(min_length=3, max_length=NAME_LENGTH)
    slug = forms.CharField(min_length=3, max_length=60, validators=[validate_slug])
    line = forms.CharField(max_length=200, required=False)
    place = forms.CharField(max_length=NAME_LENGTH, required=False)
    zone = forms.ChoiceField(choices=lambda: [(name, name) for name in zones()])
    begins = DayField()
    ends = DayField()
    source = TextField(required=False)
    call_opens = LocalField(max_length=30, required=False)
    call_closes = LocalField(max_length=30, required=False)
    call_source = TextField(required=False)
    published = forms.BooleanField(required=False)

    def __init__(self, *args: object, event: Event | None = None, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._event = event

    def clean_slug(self) -> str:
        """Return the name in addresses. Raises ValidationError for one that is taken."""
        slug = str(self.cleaned_data["slug"]).lower()
        others = Event.objects.exclude(pk=self._event.pk) if self._event else Event.objects.all()
        if slug in RESERVED or others.filter(slug=slug).exists():
            raise ValidationError(_("Another page has this address: {slug}").format(slug=slug))
        return slug

    def clean(self) -> dict[str, object]:
        """Let days and moments follow each other."""
        cleaned = super().clean() or self.cleaned_data
        begins, ends = cleaned.get("begins"), cleaned.get("ends")
        if begins and ends and not 0 <= (ends - begins).days < LONGEST:
            self.add_error(
                "ends", _("It ends on the day on which it begins or later, within {n} days.").format(n=LONGEST)
            )
        opens, closes = cleaned.get("call_opens"), cleaned.get("call_closes")
        if closes and (not opens or closes <= opens):
            self.add_error("call_closes", _("The call closes after it opens."))
        return cleaned

    @staticmethod
    def initial_of(event: Event) -> dict[str, object]:
        """Return what the form shows of an event."""
        return {
            **{name: getattr(event, name) for name in ("name", "slug", "line", "place", "zone", "source")},
            **{name: getattr(event, name) for name in ("call_source", "published")},
            "begins": event.begins.isoformat(),
            "ends": event.ends.isoformat(),
            "call_opens": local_text(event, event.call_opens),
            "call_closes": local_text(event, event.call_closes),
        }

    def wanted(self) -> preparing.Wanted:
        """Return what the organiser wrote; moments are in the event's zone."""
        cleaned = self.cleaned_data
        zone = zoneinfo.ZoneInfo(cleaned["zone"])
        plain = ("slug", "name", "begins", "ends", "zone", "line", "place", "source", "published", "call_source")
        moments = {name: cleaned[name] and cleaned[name].replace(tzinfo=zone) for name in ("call_opens", "call_closes")}
        return preparing.Wanted(**{name: cleaned[name] for name in plain}, **moments)


def local_text(event: Event, when: datetime | None) -> str:
    """Return a moment as a field of a browser has it, in the event's zone."""
    return f"{when.astimezone(event.tz):%Y-%m-%dT%H:%M}" if when else ""


class PartForm(forms.Form):
    """A track, a room or a type of session; `value` is hue, capacity or minutes."""

    name = TitleField(max_length=60)
    position = forms.IntegerField(min_value=0, max_value=999)
    value = forms.IntegerField(min_value=0, max_value=1_000_000, required=False)

    def __init__(self, *args: object, kind: str, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._kind = kind

    def clean_value(self) -> int | None:
        """Return the number. Raises ValidationError for a hue or a length that there is not."""
        value: int | None = self.cleaned_data["value"]
        if self._kind == "track" and not 0 <= (value or 0) < HUES:
            raise ValidationError(_("There are {n} colours.").format(n=HUES))
        if self._kind == "type" and not SHORTEST_SESSION <= (value or 0) <= LONGEST_SESSION:
            raise ValidationError(
                _("A session takes {first} to {last} minutes.").format(first=SHORTEST_SESSION, last=LONGEST_SESSION)
            )
        return value


class HandlesField(forms.CharField):
    """Handles of members with spaces or commas between; cleaned to the members."""

    def clean(self, value: object) -> list[Member]:
        """Return the members. Raises ValidationError for handles that nobody has."""
        text = str(super().clean(value))
        handles = list(dict.fromkeys(name.removeprefix("@").lower() for name in re.split(r"[,;\s]+", text) if name))
        found = {member.handle: member for member in Member.objects.filter(handle__in=handles, is_active=True)}
        missing = [handle for handle in handles if handle not in found]
        if missing:
            raise ValidationError(_("Nobody here is called {handles}.").format(handles=", ".join(missing)))
        if len(handles) > SPEAKERS:
            raise ValidationError(_("A session has at most {n} speakers.").format(n=SPEAKERS))
        return [found[handle] for handle in handles]


class SessionForm(forms.Form):
    """A session, as its speakers or an organiser write it."""

    title = TitleField(words=1, min_length=3, max_length=NAME_LENGTH)
    source = TextField(required=False)
    track = forms.ModelChoiceField(queryset=Track.objects.none(), required=False)
    type = forms.ModelChoiceField(queryset=SessionType.objects.none(), required=False)
    speakers = HandlesField(max_length=300, required=False)
    note = forms.CharField(widget=forms.Textarea, max_length=4_000, required=False)
    tags = TagsField()
    reason = forms.CharField(max_length=200, required=False)

    def __init__(self, *args: object, event: Event, called: bool, fixed: bool = False, **options: object) -> None:
        """Make a form; `called` wants what the call wants, `fixed` leaves out what was decided: track and type."""
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.tracks = [] if fixed else list(event.tracks.order_by("position", "pk"))
        self.types = [] if fixed else list(event.types.order_by("position", "pk"))
        self.fields["track"].queryset = event.tracks.all()  # type: ignore[attr-defined] # of its kind of field
        self.fields["type"].queryset = event.types.all()  # type: ignore[attr-defined]
        self.fields["source"].required = called
        self.fields["type"].required = called and bool(self.types)

    def options(self, name: str) -> list[tuple[object, str]]:
        """Return what can be chosen as track or type, by number and name."""
        parts = self.tracks if name == "track" else self.types
        return [("", _("none")), *((part.pk, str(part)) for part in parts)]

    @staticmethod
    def initial_of(session: Session) -> dict[str, object]:
        """Return what the form shows of a session."""
        others = Speaker.objects.filter(session=session).select_related("member").order_by("pk")
        names = [row.member.handle for row in others if session.invited or row.member_id != session.author_id]
        return {
            **{name: getattr(session, name) for name in ("title", "source", "note", "tags")},
            "track": session.track_id,
            "type": session.type_id,
            "speakers": " ".join(names),
        }

    def wanted(self) -> submitting.Wanted:
        """Return what was written."""
        names = ("title", "source", "track", "type", "note", "tags", "speakers")
        return submitting.Wanted(**{name: self.cleaned_data[name] for name in names})


class PlaceForm(forms.Form):
    """Where and when a session is; without a time, nowhere."""

    begins = LocalField(max_length=30, required=False)
    minutes = forms.IntegerField(min_value=SHORTEST_SESSION, max_value=LONGEST_SESSION)
    room = forms.ModelChoiceField(queryset=Room.objects.none(), required=False)

    def __init__(self, *args: object, event: Event, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.fields["room"].queryset = event.rooms.all()  # type: ignore[attr-defined]


class ReleaseForm(forms.Form):
    """What is said about a new version of the schedule."""

    note = forms.CharField(max_length=500, required=False)


class NumbersField(forms.TypedMultipleChoiceField):
    """Numbers of rows, as ticked boxes send them; whether there are such rows is seen by who looks for them."""

    def __init__(self) -> None:
        super().__init__(coerce=int, required=False)

    def valid_value(self, value: object) -> bool:
        """Tell whether something is a number that a row can have."""
        text = str(value)
        return text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER


class DecideForm(forms.Form):
    """What organisers decide about sessions."""

    state = forms.TypedChoiceField(choices=[(state.value, state.label) for state in DECISIONS], coerce=int)

    number = NumbersField()  # of several sessions, where they are listed

    def clean_state(self) -> State:
        """Return the state."""
        return State(self.cleaned_data["state"])


class DutyForm(forms.Form):
    """Somebody who works for an event."""

    handle = HandlesField(max_length=40)
    role = forms.TypedChoiceField(choices=Role.choices, coerce=int)


class ReviewForm(forms.Form):
    """A reviewer's word."""

    score = forms.IntegerField(min_value=WORST, max_value=BEST)
    words = forms.CharField(max_length=4_000, required=False)


class RatingForm(forms.Form):
    """Stars, and words if there are any."""

    stars = forms.IntegerField(min_value=1, max_value=STARS)
    words = forms.CharField(max_length=500, required=False)


class TopicForm(forms.Form):
    """A topic that somebody would like to hear about."""

    title = TitleField(words=2, min_length=6, max_length=NAME_LENGTH)
