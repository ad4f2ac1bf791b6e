import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.model.frames import (
    CONTROL,
    CREDIT,
    HELLO,
    KINDS,
    MAX_PAYLOAD,
    STDIN,
    STDOUT,
    WINDOW,
    Decoder,
    Frame,
    Inflow,
    Link,
    Outflow,
    control,
    credit,
    encode,
    granted,
    message,
)

# Payloads that are mostly what stuffing is about.
NASTY = st.lists(st.sampled_from([b"\xfd", b"\xfe", b"\x01", b"\x02", b"ab"]), max_size=40).map(b"".join)
PAYLOADS = st.one_of(NASTY, st.binary(max_size=300))
FRAMES = st.builds(Frame, st.sampled_from(KINDS), st.integers(0, 2**32 - 1), PAYLOADS)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 2000), max_size=20))
def test_frames_cut_anywhere_arrive_whole(frames: list[Frame], cuts: list[int]) -> None:
    decoder = Decoder()
    line = b"".join(encode(frame) for frame in frames)
    assert [frame for piece in pieces(line, cuts) for frame in decoder.feed(piece)] == frames
    assert decoder.dropped == 0


@given(FRAMES, st.integers(0, 400), st.lists(FRAMES, max_size=4))
def test_half_a_frame_of_a_former_life_is_skipped(old: Frame, cut: int, frames: list[Frame]) -> None:
    whole = encode(old)
    half = whole[: min(cut, len(whole) - 2)]  # with all but the last delimiter it would be whole
    assert Decoder().feed(half + b"".join(encode(frame) for frame in frames)) == frames


@given(st.binary(max_size=400), st.lists(FRAMES, max_size=4))
def test_garbage_costs_no_frame_after_it(garbage: bytes, frames: list[Frame]) -> None:
    decoder = Decoder()
    decoder.feed(garbage)
    assert decoder.feed(b"".join(encode(frame) for frame in frames)) == frames


@given(FRAMES, st.data())
def test_a_changed_byte_never_passes(frame: Frame, data: st.DataObject) -> None:
    line = bytearray(encode(frame))
    place = data.draw(st.integers(1, len(line) - 2))
    line[place] ^= data.draw(st.integers(1, 255))
    assert Decoder().feed(bytes(line)) in ([], [frame])  # the same frame, where the change undid some stuffing


def test_the_longest_frame_passes_and_a_longer_one_is_refused() -> None:
    longest = Frame(STDOUT, 1, b"\xfe" * MAX_PAYLOAD)
    assert Decoder().feed(encode(longest)) == [longest]
    try:
        encode(Frame(STDOUT, 1, b"x" * (MAX_PAYLOAD + 1)))
    except ValueError as error:
        assert str(error) == "a frame of 65537 bytes is longer than 65536"
    else:
        raise AssertionError("nothing was raised")


def test_an_endless_frame_holds_no_memory() -> None:
    decoder = Decoder()
    for _ in range(100):
        decoder.feed(b"x" * MAX_PAYLOAD)
        assert sum(len(piece) for piece in decoder._pieces) <= 3 * MAX_PAYLOAD
    frame = Frame(CONTROL, 3, b"{}")
    assert decoder.feed(encode(frame)) == [frame]
    assert decoder.dropped == 1


def test_an_unknown_kind_is_dropped() -> None:
    decoder = Decoder()
    assert decoder.feed(encode(Frame(99, 1, b"new"))) == []
    assert decoder.dropped == 1


@given(st.binary(max_size=200))
def test_hostile_messages_are_empty(payload: bytes) -> None:
    frame = Frame(CONTROL, 1, payload)
    assert isinstance(message(frame), dict)
    assert isinstance(granted(Frame(CREDIT, 1, payload)), tuple)


def test_deeply_nested_json_is_empty() -> None:
    assert message(Frame(CONTROL, 1, b"[" * MAX_PAYLOAD)) == {}


def test_messages_and_credit_round_trip() -> None:
    [frame] = Decoder().feed(control(5, {"do": "status"}))
    assert (frame.kind, frame.channel, message(frame)) == (CONTROL, 5, {"do": "status"})
    [frame] = Decoder().feed(credit(6, STDIN, 4096))
    assert (frame.kind, frame.channel, granted(frame)) == (CREDIT, 6, (STDIN, 4096))


def converse(one: Link, other: Link, *, to_one: list[bytes], to_other: list[bytes]) -> int:
    """Deliver HELLOs until both lines are empty; return how many went over."""
    count = 0
    one_hears, other_hears = Decoder(), Decoder()
    while to_one or to_other:
        for link, hears, inbox, outbox in ((one, one_hears, to_one, to_other), (other, other_hears, to_other, to_one)):
            for frame in hears.feed(b"".join(inbox)):
                reply = link.hear(frame).reply
                count += 1
                if reply:
                    outbox.append(reply)
            inbox.clear()
        assert count < 20, "the two sides greet each other for ever"
    return count


@settings(max_examples=30)
@given(st.booleans(), st.booleans(), st.lists(st.sampled_from(["old-1", "old-2"]), max_size=3))
def test_a_handshake_comes_up_whoever_begins_and_whatever_is_stale(
    one_first: bool, both: bool, stale: list[str]
) -> None:
    one, other = Link("one"), Link("other")
    to_one = [Link(epoch).hello() for epoch in stale]
    to_other: list[bytes] = []
    if one_first or both:
        to_other.append(one.hello())
    if not one_first or both:
        to_one.append(other.hello())
    converse(one, other, to_one=to_one, to_other=to_other)
    assert (one.linked, one.peer) == (True, "other")
    assert (other.linked, other.peer) == (True, "one")


def test_a_new_epoch_voids_the_old_one() -> None:
    one = Link("one")
    [hello] = Decoder().feed(encode(Frame(HELLO, 0, json.dumps({"protocol": 1, "epoch": "a", "peer": "one"}).encode())))
    heard = one.hear(hello)
    assert (heard.reset, heard.linked, one.linked) == (True, True, True)
    heard = one.hear(hello)
    assert (heard.reset, heard.linked, heard.reply) == (False, False, b"")
    [restarted] = Decoder().feed(Link("b").hello())
    heard = one.hear(restarted)
    assert (heard.reset, heard.linked, one.linked) == (True, False, False)


def test_a_hello_that_is_none_changes_nothing() -> None:
    link = Link("one")
    for payload in (b"", b"[]", b'{"protocol": 2, "epoch": "x", "peer": "one"}', b'{"protocol": 1, "epoch": 5}'):
        heard = link.hear(Frame(HELLO, 0, payload))
        assert (heard.reset, heard.linked, heard.reply, link.linked) == (False, False, b"", False)


@given(st.lists(st.integers(1, WINDOW), max_size=60))
def test_a_stream_never_has_more_under_way_than_its_window(wishes: list[int]) -> None:
    sender, reader = Outflow(), Inflow()
    unread = 0
    for wish in wishes:
        count = min(wish, sender.left)
        sender.spend(count)
        assert reader.receive(count)
        unread += count
        used = unread // 2 + 1 if unread else 0
        unread -= used
        sender.grant(reader.release(used))
        assert 0 <= sender.left <= WINDOW
        assert sender.left + unread + reader.owed == WINDOW


def test_a_sender_without_credit_is_found_out() -> None:
    reader = Inflow()
    assert reader.receive(WINDOW)
    assert not reader.receive(1)
