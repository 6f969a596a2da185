"""Log lines: one per event, in both forms."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from paxon.node.logs import JsonLines, LogFormat, TextLines, configure_logging


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising


def record(message: str, fields: dict[str, object] | None = None) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": message, "levelname": "INFO", "created": 1_700_000_000.5})
    made.fields = fields or {}
    return made


def test_the_text_form() -> None:
    line = TextLines("n1").format(record("leader elected", {"term": 7, "reason": 'a "b"', "path": "", "why": "x=y"}))
    assert line == (
        '2023-11-14T22:13:20.500Z info member=n1 leader elected term=7 reason="a \\"b\\"" path="" why="x=y"'
    )


def test_the_json_form_cannot_be_spoofed_by_a_field() -> None:
    event = json.loads(JsonLines("n1").format(record("leader elected", {"term": 7, "member": "n9", "what": {1}})))
    assert event == {
        "time": "2023-11-14T22:13:20.500Z",
        "level": "info",
        "member": "n1",
        "message": "leader elected",
        "term": 7,
        "what": "{1}",
    }


@pytest.mark.parametrize("formatter", [TextLines("n1"), JsonLines("n1")])
def test_an_event_is_one_line_whatever_it_carries(formatter: logging.Formatter) -> None:
    made = record("two\nlines", {"text": "a\nb\r\x1b[31m"})
    try:
        raise ValueError("multi\nline")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = formatter.format(made)
    assert len(line.splitlines()) == 1
    assert "ValueError" in line


@pytest.mark.parametrize(("log_format", "starts"), [("text", "20"), ("json", "{")])
def test_configuring_replaces_what_was_there(log_format: LogFormat, starts: str) -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging("n1", log_format="text", level="info", stream=first)
    configure_logging("n1", log_format=log_format, level="warning", stream=second)
    logging.getLogger("paxon.test").info("quiet")
    logging.getLogger("paxon.test").warning("loud", extra={"fields": {"n": 1}})
    assert first.getvalue() == ""
    assert second.getvalue().count("\n") == 1
    assert second.getvalue().startswith(starts)


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="choose from debug"):
        configure_logging("n1", log_format="text", level="loud", stream=io.StringIO())
