"""A complaint is in the log once, whatever the other side does."""

import logging

import pytest

from paxon.net.complaints import FORGET_AFTER_S, TEXT_LENGTH_MAX, Complaints, printable


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_each_complaint_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(limit=10)
    assert complaints.say("link refused", "ada", "wrong cluster", "urgent")
    assert not complaints.say("link refused", "ada", "wrong cluster", "bulk")
    assert complaints.say("link refused", "ada", "wrong storage", "bulk")
    assert complaints.say("link refused", "ben", "wrong cluster", "bulk")
    assert said(caplog) == ["link refused"] * 3
    assert caplog.records[0].__dict__["fields"] == {"peer": "ada", "reason": "wrong cluster"}


def test_a_settled_complaint_is_logged_again() -> None:
    complaints = Complaints(limit=10)
    complaints.say("link refused", "ada", "wrong cluster", "urgent")
    complaints.settle("ada", "bulk")
    assert not complaints.say("link refused", "ada", "wrong cluster", "bulk")
    complaints.settle("ada", "urgent")
    assert complaints.say("link refused", "ada", "wrong cluster", "bulk")


def test_the_number_of_complaints_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    complaints = Complaints(limit=3)
    for number in range(100):
        complaints.say("link refused", "stranger", f"reason {number}")
    assert said(caplog) == ["link refused"] * 3 + ["further complaints are counted, not logged"]


def test_a_complaint_that_still_holds_after_an_hour_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    complaints = Complaints(limit=1, clock=lambda: now[0])
    assert complaints.say("link refused", "ada", "wrong cluster")
    now[0] = FORGET_AFTER_S - 1
    assert not complaints.say("link refused", "ada", "wrong cluster")
    assert not complaints.say("link refused", "ben", "wrong cluster")
    now[0] = FORGET_AFTER_S
    assert complaints.say("link refused", "ben", "wrong cluster")
    assert not complaints.say("link refused", "ada", "wrong cluster")
    assert said(caplog).count("further complaints are counted, not logged") == 2


def test_what_the_other_side_says_is_one_short_line() -> None:
    assert printable("a\nb\x1b[31m\x00c") == "a?b?[31m?c"
    assert len(printable("x" * 10_000)) == TEXT_LENGTH_MAX + len("...")
