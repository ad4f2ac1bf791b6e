"""Which release a machine takes: each reason in words, and what must hold whatever is offered."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.model.schedule import DAY, Windows
from jeos.model.version import newer
from jeos.update import plan
from jeos.update.plan import Choice, Failure, Me, Offer, Wishes

ME = Me(identity="a1", running="1.0")
SUNDAY = Windows.parse("Sun 02:00-05:00")


def offer(version: str, **more: object) -> Offer:
    return replace(Offer(version=version, sha256=f"digest of {version}"), **more)  # type: ignore[arg-type]


def reason(*offers: Offer, me: Me = ME, wishes: Wishes | None = None) -> str:
    choice = plan.choose(offers, me, wishes or Wishes())
    return f"takes {choice.offer.version}" if choice.offer else choice.reason


def test_the_newest_is_taken_and_those_between_are_skipped() -> None:
    choice = plan.choose([offer("1.2"), offer("1.10"), offer("1.0"), offer("1.9")], ME, Wishes())
    assert choice == Choice(offer("1.10"), "1.10 is newer than 1.0")


def test_next_best_is_taken_with_the_reasons_against_the_better_ones() -> None:
    failed = replace(ME, failed={"1.4": Failure("digest of 1.4", "page answered 500")})
    offers = [offer("1.5", ring="beta"), offer("1.4"), offer("1.3", withdrawn=True), offer("1.2"), offer("1.1")]
    choice = plan.choose(offers, failed, Wishes())
    assert choice.offer == offer("1.2")
    assert choice.passed == (
        "1.5 is in the ring beta, and this machine in stable",
        "1.4 failed here: page answered 500",
        "1.3 has been withdrawn",
    )


@pytest.mark.parametrize(
    ("offers", "changes", "wanted"),
    [
        ([], {}, "1.0 is the newest"),
        ([offer("0.9"), offer("1.0")], {}, "1.0 is the newest"),
        ([offer("1.0", withdrawn=True), offer("0.9")], {}, "1.0 has been withdrawn, and nothing newer is there yet"),
        ([offer("1.1", ring="beta")], {}, "1.1 is in the ring beta, and this machine in stable"),
        ([offer("1.1", ring="beta")], {"ring": "beta"}, "takes 1.1"),
        ([offer("1.1")], {"ring": "beta"}, "takes 1.1"),
        ([offer("1.1", ring="alpha")], {"ring": "beta"}, "1.1 is in the ring alpha, and this machine in beta"),
        ([offer("1.1")], {"pause": "until 2027-01-01"}, "updates are paused until 2027-01-01"),
        ([offer("1.1")], {"pause": "until 2027-01-01", "asked": True}, "takes 1.1"),
        ([offer("1.1")], {"pin": "1.0"}, "this machine is pinned to 1.0"),
        ([offer("1.1"), offer("0.9")], {"pin": "0.9"}, "this machine is pinned to 0.9, and never goes back from 1.0"),
        ([offer("1.1")], {"pin": "1.2"}, "this machine is pinned to 1.2, which the channel does not have"),
        ([offer("2.0"), offer("1.1")], {"pin": "1.*"}, "takes 1.1"),
        ([offer("2.0")], {"pin": "1.*"}, "this machine is pinned to 1.*"),
        ([offer("1.1", ring="beta", percent=0)], {"pin": "1.1"}, "takes 1.1"),
        ([offer("1.1", withdrawn=True)], {"pin": "1.1"}, "1.1 has been withdrawn"),
        (
            [offer("1.1", percent=0)],
            {},
            "1.1 goes to 0 % of the machines so far, and this one is not among them",
        ),
        ([offer("1.1", percent=0)], {"asked": True}, "takes 1.1"),
        ([offer("1.1", ring="beta")], {"asked": True}, "1.1 is in the ring beta, and this machine in stable"),
    ],
)
def test_reason_is_told(offers: list[Offer], changes: dict[str, object], wanted: str) -> None:
    assert reason(*offers, wishes=replace(Wishes(), **changes)) == wanted  # type: ignore[arg-type]


def test_nothing_is_taken_while_the_running_one_is_on_trial() -> None:
    said = "1.0 is on trial: nothing else is taken until its health has held"
    assert reason(offer("1.1"), me=replace(ME, confirmed=False)) == said
    assert reason(offer("1.1"), me=replace(ME, confirmed=False), wishes=Wishes(asked=True)) == said


def test_failed_release_is_taken_once_another_has_its_version() -> None:
    me = replace(ME, failed={"1.1": Failure("digest of 1.1", "the kernel panicked")})
    assert reason(offer("1.1"), me=me) == "1.1 failed here: the kernel panicked"
    assert reason(offer("1.1"), me=me, wishes=Wishes(asked=True)) == "1.1 failed here: the kernel panicked"
    assert reason(offer("1.1", sha256="another"), me=me) == "takes 1.1"


@pytest.mark.parametrize(
    ("offers", "pin", "drop"),
    [
        ([offer("1.1")], "", ""),
        ([offer("1.1", withdrawn=True)], "", "1.1 has been withdrawn"),
        ([], "", "1.1 is not in the channel any more"),
        ([offer("1.1")], "1.0", "this machine is pinned to 1.0"),
        ([offer("1.2"), offer("1.1")], "", ""),
    ],
)
def test_what_waits_for_the_restart_is_dropped_when_it_must_not_start(offers: list[Offer], pin: str, drop: str) -> None:
    assert plan.choose(offers, replace(ME, staged="1.1"), Wishes(pin=pin)).drop == drop


def test_what_waits_for_the_restart_stays_the_choice() -> None:
    choice = plan.choose([offer("1.1")], replace(ME, staged="1.1"), Wishes())
    assert choice == Choice(offer("1.1"), "1.1 is newer than 1.0 and waits for the restart")


@pytest.mark.parametrize(
    ("changes", "critical", "wanted"),
    [
        ({}, False, ""),
        ({"windows": SUNDAY}, False, "1.1 is in place, and waits for the window that opens Sun 02:00, in 26 h"),
        ({"windows": SUNDAY}, True, ""),
        ({"windows": SUNDAY, "asked": True}, False, ""),
        ({"restart": False}, True, "1.1 is in place, and starts when the operator restarts the machine"),
    ],
)
def test_restart_waits_for_its_window(changes: dict[str, object], critical: bool, wanted: str) -> None:
    wishes = replace(Wishes(), **changes)  # type: ignore[arg-type]
    assert plan.hold_up(offer("1.1", critical=critical), wishes, minute=5 * DAY) == wanted


versions = st.builds("{}.{}".format, st.integers(0, 3), st.integers(0, 12))
offers = st.builds(
    Offer,
    version=versions,
    sha256=st.sampled_from("ab"),
    ring=st.sampled_from(["stable", "beta", "alpha"]),
    percent=st.integers(0, 100),
    critical=st.booleans(),
    withdrawn=st.booleans(),
)
machines = st.builds(
    Me,
    identity=st.uuids().map(str),
    running=versions,
    confirmed=st.booleans(),
    staged=versions | st.just(""),
    failed=st.dictionaries(versions, st.builds(Failure, st.sampled_from("ab"), st.just("x")), max_size=3),
)
wishes = st.builds(
    Wishes,
    ring=st.sampled_from(["stable", "beta"]),
    pin=versions | st.sampled_from(["", "1.*"]),
    pause=st.sampled_from(["", "for now"]),
    asked=st.booleans(),
)


@given(st.lists(offers, max_size=6, unique_by=lambda one: one.version), machines, wishes)
@settings(max_examples=200, deadline=None)
def test_choice_is_newer_allowed_and_has_a_reason(many: list[Offer], me: Me, wishes: Wishes) -> None:
    choice = plan.choose(many, me, wishes)
    assert choice.reason
    assert choice == plan.choose(reversed(many), me, wishes)
    if choice.offer is None:
        return
    assert newer(choice.offer.version, me.running)
    assert me.confirmed
    assert not choice.offer.withdrawn
    assert plan.objection(choice.offer, me, wishes) == ""
    better = [one for one in many if newer(one.version, choice.offer.version)]
    assert len(choice.passed) == len(better)


@given(st.uuids().map(str), versions, st.integers(0, 100), st.integers(0, 100))
def test_raising_a_percentage_only_adds_machines(identity: str, version: str, low: int, high: int) -> None:
    few, many = (offer(version, percent=percent) for percent in sorted((low, high)))
    me = Me(identity=identity, running="0")
    taken = [not plan.objection(one, me, Wishes()) for one in (few, many)]
    assert taken in ([False, False], [False, True], [True, True])
    assert plan.objection(offer(version), me, Wishes()) == ""


def test_percentage_reaches_about_as_many_machines() -> None:
    for percent in (5, 40, 90):
        reached = sum(plan.place(f"machine {number}", "1.1") < percent for number in range(4000))
        assert abs(reached / 40 - percent) < 3


def test_not_the_same_machines_are_always_first() -> None:
    both = sum(
        max(plan.place(f"machine {number}", version) for version in ("1.1", "1.2")) < 20 for number in range(4000)
    )
    assert both / 40 < 8  # 4 % if the places of both are independent, 20 % if they are the same


@given(st.floats(1e9, 2e9), st.integers(0, 50), st.integers(60, 10**6), st.uuids().map(str))
def test_next_check_comes_after_its_period_or_sooner_after_a_failure(
    last: float, failures: int, period: int, identity: str
) -> None:
    wait = plan.next_check(last, failures=failures, period=period, identity=identity) - last
    usual = min(period, plan.BACKOFF * 2.0 ** (failures - 1)) if failures else period
    assert 0.89 * usual <= wait <= 1.11 * usual


def test_machines_do_not_all_ask_at_once() -> None:
    times = {
        round(plan.next_check(1e9, failures=0, period=21600, identity=f"machine {number}")) for number in range(200)
    }
    assert len(times) > 150
    assert max(times) - min(times) > 3600
    assert plan.next_check(0, failures=0, period=21600, identity="a") == 0
