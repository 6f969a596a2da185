"""Log lines: one line per event, for people (``text``) or for machines (``json``).

Code logs through the standard library with a constant message, and what varies as fields:
``logger.info("leader elected", extra={"fields": {"term": 7}})``.  The text form of that is
``2026-01-31T12:00:00.123Z info member=n1 leader elected term=7``.
"""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import IO, Literal, get_args

LogFormat = Literal["text", "json"]
LOG_FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)
LOG_LEVELS = ("debug", "info", "warning", "error")


def configure_logging(member: str, *, log_format: LogFormat, level: str, stream: IO[str]) -> None:
    """Send the events of this process, which is ``member``, to ``stream``.  Replaces an earlier set-up.

    Raises:
        ValueError: if ``level`` is not one of ``LOG_LEVELS``.
    """
    if level not in LOG_LEVELS:
        raise ValueError(f"log level {level!r}: choose from {', '.join(LOG_LEVELS)}")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(member) if log_format == "json" else TextLines(member))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # A failing log stream (a closed pipe) must not fill another stream with tracebacks about it.
    logging.raiseExceptions = False


class _Lines(logging.Formatter):
    """What both forms share."""

    def __init__(self, member: str) -> None:
        super().__init__()
        self._member = member

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        fields: dict[str, object] = dict(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return fields

    def _time(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextLines(_Lines):
    """``TIME LEVEL member=NAME MESSAGE KEY=VALUE ...``; a value that is not one plain word is a JSON string."""

    def format(self, record: logging.LogRecord) -> str:
        words = [self._time(record), record.levelname.lower(), f"member={self._member}", _one_line(record.getMessage())]
        words += (f"{key}={_word(value)}" for key, value in self._fields(record).items())
        return " ".join(words)


class JsonLines(_Lines):
    """One JSON object per event: ``time``, ``level``, ``member``, ``message``, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = {
            "time": self._time(record),
            "level": record.levelname.lower(),
            "member": self._member,
            "message": record.getMessage(),
        }
        # A field may not pass for one of these.
        event.update((key, value) for key, value in self._fields(record).items() if key not in event)
        return json.dumps(event, default=str)


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _word(value: object) -> str:
    text = str(value)
    plain = text != "" and text.isprintable() and not any(mark in text for mark in ' "=')
    return text if plain else json.dumps(text)
