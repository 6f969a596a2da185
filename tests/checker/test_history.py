"""Histories: what one may say, what a line looks like, and what is refused."""

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.checker import History, HistoryInvalid, Recorder
from paxon.checker.key_value import Found, Get, KeyValue, Put, Written
from paxon.checker.register import Register
from paxon.errors import PaxonError
from tests.checker.histories import SUBJECTS, Clients, generate, request


def test_a_line_is_readable() -> None:
    history = History(
        (
            request("a", 5, Put("k", "x"), 9, Written(1)),
            request("b", 6, Get("k"), 7, Found(None, 0)),
            request("c", 8, Put("k", 3)),
        )
    )
    lines = list(history.dump())
    assert lines == [
        '{"process":"a","call":5,"input":{"type":"put","key":"k","value":"x"},'
        '"return":9,"output":{"type":"written","version":1}}\n',
        '{"process":"b","call":6,"input":{"type":"get","key":"k"},'
        '"return":7,"output":{"type":"found","value":null,"version":0}}\n',
        '{"process":"c","call":8,"input":{"type":"put","key":"k","value":3}}\n',
    ]
    assert History.load(lines, KeyValue()) == history


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_model_reads_what_it_wrote(name: str) -> None:
    subject = SUBJECTS[name]
    history = generate(subject, Random(1), 60, Clients())
    assert History.load(history.dump(), subject.model) == history
    assert History.load((line.encode() for line in history.dump()), subject.model) == history


def test_empty_lines_are_skipped_and_null_is_unknown() -> None:
    line = '{"process":"a","call":1,"input":{"type":"read"},"return":null,"output":null}'
    history = History.load(["\n", line, "  \n"], Register())
    assert len(history) == 1
    assert history.operations[0].is_unknown


GOOD = '{"process":"a","call":1,"input":{"type":"read"}}'


@pytest.mark.parametrize(
    ("line", "claim"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ('{"process":"a","call":1}', "input"),
        ('{"process":"a","call":1.5,"input":{"type":"read"}}', "call"),
        ('{"process":"a","call":1,"input":{"type":"get","key":"k"}}', "get"),
        ('{"process":"a","call":1,"input":{"type":"read"},"return":2}', "or neither is"),
        ('{"process":"a","call":1,"input":{"type":"read"},"output":{"type":"done"}}', "or neither is"),
        ('{"process":"a","call":3,"input":{"type":"read"},"return":2,"output":{"type":"done"}}', "before its call"),
        ('{"process":"a","call":1,"input":{"type":"read"},"ret":2}', "ret"),
        ('{"process":"a","call":1,"input":{"type":"read","key":"k"}}', "key"),
    ],
)
def test_a_wrong_line_is_refused_by_number(line: str, claim: str) -> None:
    with pytest.raises(HistoryInvalid, match="line 3: ") as caught:
        History.load([GOOD, "", line], Register())
    assert claim in str(caught.value)
    assert isinstance(caught.value, PaxonError)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_are_a_history_or_are_refused(line: bytes | str) -> None:
    with suppress(HistoryInvalid):
        History.load([line], KeyValue())


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(HistoryInvalid):
        History.load(['{"process":' + "[" * 100_000], KeyValue())


def test_a_recorder_forgets_what_was_refused_and_keeps_what_is_open() -> None:
    recorder: Recorder[Get | Put, Found | Written] = Recorder()
    put = recorder.call("a", Put("k", 1), 10)
    get = recorder.call("b", Get("k"), 11)
    refused = recorder.call("c", Put("k", 2), 12)
    recorder.returned(get, Found(1, 1), 15)
    recorder.refused(refused)
    assert recorder.history() == History((request("a", 10, Put("k", 1)), request("b", 11, Get("k"), 15, Found(1, 1))))
    with pytest.raises(KeyError):
        recorder.refused(refused)
    with pytest.raises(KeyError):
        recorder.returned(refused, Written(1), 20)
    with pytest.raises(HistoryInvalid):
        recorder.returned(put, Written(1), 9)
