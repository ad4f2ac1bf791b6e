"""What the events' templates call: times in an event's own zone."""

from jeos.server.events import times

NAMES: dict[str, object] = {
    "clock": times.clock,
    "day_name": times.day,
    "day_span": times.days,
    "zoned_moment": times.moment,
    "length_words": times.length,
    "zone_offset": times.offset,
}
