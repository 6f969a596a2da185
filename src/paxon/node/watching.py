"""Reading the change feed of this member as it grows.

Knows: how far one reader has come, and how much it is given at a time.  Does not know: where
what it reads is sent to.
"""

import asyncio
from itertools import islice
from typing import Final

from paxon.rsm.feed import EVENT_BYTES, Event, Feed

EVENTS_AT_ONCE: Final = 1024
"""The most events that are looked at, and so given, at a time: what fits between two heartbeats without notice."""

BYTES_AT_ONCE: Final = 256 * 1024
"""And about how many bytes of them."""


class FeedReader:
    """Reads the events of one part whose topics begin alike, from one number on.

    Invariant: every wanted event numbered below ``next_number``, from where it began, was given.
    """

    def __init__(self, feed: Feed, since: int | None, part: str, topic_prefix: str) -> None:
        """Begins at event number ``since``; at the first later one if it is ``None``."""
        self._feed = feed
        self._part = part
        self._topic_prefix = topic_prefix
        self.next_number = feed.next_number if since is None else since

    async def next(self) -> list[Event]:
        """The next wanted events, once there is one.

        Raises:
            Compacted: if events that were not looked at yet are kept no more.
        """
        news = asyncio.Event()
        end = self._feed.listen(news.set)
        try:
            while True:
                # Beyond what this member has come to there may be events that another one has told of already.
                while self._feed.next_number <= self.next_number:
                    news.clear()
                    await news.wait()
                if wanted := self._take():
                    return wanted
                # Thousands of events that this reader does not want must not hold up those of others.
                await asyncio.sleep(0)
        finally:
            end()

    def _take(self) -> list[Event]:
        wanted: list[Event] = []
        size = 0
        for event in islice(self._feed.since(self.next_number), EVENTS_AT_ONCE):
            self.next_number = event.number + 1
            if event.part == self._part and event.topic.startswith(self._topic_prefix):
                wanted.append(event)
                size += EVENT_BYTES + len(event.body)
                if size >= BYTES_AT_ONCE:
                    break
        return wanted
