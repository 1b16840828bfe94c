"""One feed for all viewers of a process."""

import logging

import pytest
from django.db import OperationalError

from common.threads import in_write_thread
from tests.patience import within
from tests.web.live.watcher import logged_in
from users.models import User
from web.live.feed import Feed
from web.live.picture import NOTHING, Painter, Picture

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_town_is_looked_at_once_for_all_who_look(rina: User, monkeypatch: pytest.MonkeyPatch) -> None:
    painters, make = [], Painter.__init__

    def note(painter: Painter) -> None:
        painters.append(painter)
        make(painter)

    monkeypatch.setattr(Painter, "__init__", note)
    feed, key = Feed(), await in_write_thread(logged_in, rina)
    made_before = len(painters)
    async with within(), feed.viewer(key) as first, feed.viewer(key) as second:
        for viewer in (first, second):
            assert await viewer.next_frame(feed) is not None
    assert len(painters) == made_before + 1


async def test_a_frame_is_made_once_for_all_who_have_the_same_picture() -> None:
    feed = Feed()
    feed.picture = Picture(2, 1.0, {}, {}, {}, {}, {})
    assert feed.frame(NOTHING) is feed.frame(NOTHING)


async def test_a_viewer_waits_for_a_picture_that_he_does_not_have(rina: User) -> None:
    feed, key = Feed(), await in_write_thread(logged_in, rina)
    async with within(), feed.viewer(key) as viewer:
        await viewer.next_frame(feed)
        had = feed.picture.number
        viewer.has_drawn()
        await viewer.next_frame(feed)
        assert feed.picture.number > had


async def test_it_goes_on_when_the_database_was_away(
    rina: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paint, failures = Painter.paint, iter([OperationalError("the database is away")])

    def fails_once(painter: Painter) -> Picture:
        for failure in failures:
            raise failure
        return paint(painter)

    monkeypatch.setattr(Painter, "paint", fails_once)
    monkeypatch.setattr("common.background_tasks.RESTART_DELAY", 0.01)
    feed, key = Feed(), await in_write_thread(logged_in, rina)
    with caplog.at_level(logging.WARNING):
        async with within(), feed.viewer(key) as viewer:
            assert await viewer.next_frame(feed) is not None
    assert "The live map is waiting: the database is away" in caplog.text


async def test_who_comes_while_the_others_are_looked_over_stays(rina: User) -> None:
    feed, key = Feed(), await in_write_thread(logged_in, rina)
    async with within(), feed.viewer(key):
        for _ in range(20):
            other = await in_write_thread(logged_in, rina)
            async with feed.viewer(other) as viewer:
                assert await viewer.next_frame(feed) is not None
                viewer.has_drawn()
                assert await viewer.next_frame(feed) is not None
