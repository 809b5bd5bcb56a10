"""Private feeds: who opens and revokes them, what they show, when they end, and how HTTP tells it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

import agenda
import patients
from agenda.ics_read import read_calendar
from agenda.tables import agenda_feed
from gateway.feeds import PER_PEER, PER_TOKEN, Feeds
from store import Store
from tests.agenda.agenda_support import (
    CHILD,
    DAY,
    DOCTOR,
    HOUR,
    MOTHER,
    OPERATOR,
    STRANGER,
    actor,
    box,
    details,
    journal,
    refused,
)
from tests.patients.patients_support import Clock


def titles(store: Store, token: str) -> list[str] | None:
    served = agenda.serve_feed(store, token)
    return None if served is None else sorted(one.details.title for one in read_calendar(served.body).found)


def test_a_feed_is_opened_used_and_revoked(store: Store, clock: Clock) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details())
    feed, token = agenda.open_feed(store, mine, me, label="Téléphone", shows="full")
    assert len(token) == agenda.TOKEN_LENGTH and token not in repr(feed)
    assert titles(store, token) == ["Kiné"]
    assert titles(store, token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    (held,) = store.read(agenda.feeds, store, mine, me)
    assert (held.label, held.shows, held.used_day) == ("Téléphone", "full", clock.now // DAY)
    raw = store.read(lambda conn: conn.execute(select(agenda_feed)).one())
    assert token.encode() not in bytes(raw.token_hash) and token not in repr(raw)
    agenda.revoke_feed(store, mine, me, feed.feed_id)
    agenda.revoke_feed(store, mine, me, feed.feed_id)
    assert titles(store, token) is None
    assert refused(lambda: agenda.revoke_feed(store, mine, me, 5)) == "agenda.feed"
    assert journal(store, MOTHER)[1:] == ["feed_opened", "feed_revoked"]


def test_busy_is_the_default(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details())
    feed, token = agenda.open_feed(store, mine, me)
    assert feed.shows == "busy" and titles(store, token) == ["Rendez-vous"]


def test_twenty_at_most_and_for_whom(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    for _ in range(20):
        agenda.open_feed(store, mine, me)
    assert refused(lambda: agenda.open_feed(store, mine, me)) == "agenda.feed"
    for who in (DOCTOR, OPERATOR):
        assert refused(lambda who=who: agenda.open_feed(store, mine, who)) == "agenda.refused"  # type: ignore[misc]  # bound
    assert refused(lambda: agenda.open_feed_for(store, mine, OPERATOR, STRANGER)) == "agenda.refused"


def test_a_representatives_feed_shows_nothing_hidden_and_ends_with_his_right(store: Store) -> None:
    mother, theirs = actor(store, MOTHER, CHILD), box(store, CHILD)
    agenda.add(store, theirs, mother, details())
    agenda.add(store, theirs, DOCTOR, details(title="Secret"), hidden=True)
    _, token = agenda.open_feed(store, theirs, mother, shows="full")
    _, other = agenda.open_feed_for(store, theirs, OPERATOR, MOTHER, shows="full")
    _, own = agenda.open_feed(store, theirs, actor(store, CHILD), shows="full")
    assert titles(store, token) == titles(store, other) == titles(store, own) == ["Kiné"]
    store.write(patients.remove_representative, ins=CHILD, representative=MOTHER, actor="t", reason="court")
    # the child's own too: he who has its address may be the one who lost his right
    assert titles(store, token) is titles(store, other) is titles(store, own) is None
    store.write(patients.attach_representative, ins=CHILD, representative=MOTHER, capacity="parent",
                actor="t", reason="court")  # fmt: skip
    assert titles(store, token) is None


def test_majority_and_closing_end_feeds(store: Store, clock: Clock) -> None:
    mother, theirs = actor(store, MOTHER, CHILD), box(store, CHILD)
    tokens = [agenda.open_feed(store, theirs, who)[1] for who in (mother, actor(store, CHILD))]
    assert all(titles(store, token) == [] for token in tokens)
    clock.now += 11 * 366 * DAY
    assert [titles(store, token) for token in tokens] == [None, None]
    _, token = agenda.open_feed(store, theirs, actor(store, CHILD))
    assert titles(store, token) == []
    patients.close(store, CHILD, actor="test")
    assert titles(store, token) is None


# -- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def seconds() -> list[float]:
    return [1_000.0]


@pytest.fixture
def ask(store: Store, seconds: list[float]) -> Callable[..., Awaitable[httpx.Response]]:
    transport = httpx.ASGITransport(Starlette(routes=Feeds(store, clock=lambda: seconds[0]).routes()))

    async def get(path: str, method: str = "GET", **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="https://a.test") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, path, headers=named)

    return get


async def test_validators(store: Store, clock: Clock, ask: Callable[..., Awaitable[httpx.Response]]) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details())
    _, token = agenda.open_feed(store, mine, me)
    path = f"/agenda/{token}.ics"
    first = await ask(path)
    assert (first.status_code, first.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert first.headers["cache-control"] == "private, no-cache"
    assert "noindex" in first.headers["x-robots-tag"]
    etag, changed = first.headers["etag"], first.headers["last-modified"]
    clock.now += HOUR
    for known in (
        {"If_None_Match": etag},
        {"If_None_Match": f'"x", W/{etag}'},
        {"If_Modified_Since": changed},
    ):
        again = await ask(path, **known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    stale = await ask(path, If_None_Match='"x"', If_Modified_Since=changed)
    assert stale.status_code == 200
    head = await ask(path, method="HEAD")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", etag)
    agenda.add(store, mine, me, details(title="Autre"))
    for known in ({"If_None_Match": etag}, {"If_Modified_Since": changed}, {"If_Modified_Since": "x"}):
        assert (await ask(path, **known)).status_code == 200


async def test_the_head_of_an_answer_tells_nothing_of_what_is_hidden(
    store: Store, clock: Clock, ask: Callable[..., Awaitable[httpx.Response]]
) -> None:
    mother, theirs = actor(store, MOTHER, CHILD), box(store, CHILD)
    agenda.add(store, theirs, mother, details())
    _, token = agenda.open_feed(store, theirs, mother)
    heads = []
    for _ in range(2):
        clock.now += HOUR
        answer = await ask(f"/agenda/{token}.ics", If_Modified_Since="Thu, 15 Jan 2026 09:30:00 GMT")
        assert answer.status_code == 200
        heads.append(sorted(answer.headers.items()))
        agenda.add(store, theirs, actor(store, CHILD), details(title="Secret"), hidden=True)
    assert heads[0] == heads[1]
    again = await ask(f"/agenda/{token}.ics", If_None_Match=dict(heads[0])["etag"])
    assert again.status_code == 304


async def test_whoever_does_not_know_learns_nothing(
    store: Store,
    ask: Callable[..., Awaitable[httpx.Response]],
    capfd: pytest.CaptureFixture[str],
    seconds: list[float],
) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    feed, token = agenda.open_feed(store, mine, me)
    agenda.revoke_feed(store, mine, me, feed.feed_id)
    told = []
    for path in (f"/agenda/{token}.ics", f"/agenda/{'A' * 43}.ics", "/agenda/x.ics"):
        answer = await ask(path)
        told.append((answer.status_code, answer.content, sorted(answer.headers.items())))
    assert [one[0] for one in told] == [404] * 3 and told.count(told[0]) == 3
    assert (await ask(f"/agenda/{token}")).status_code == 404, "a page of the agenda, of whoever is signed in"
    assert token not in capfd.readouterr().out
    assert (await ask("/agenda/x.ics", method="POST")).status_code == 405
    assert (await ask("/")).status_code == 404
    assert "Disallow: /" in (await ask("/robots.txt")).text


async def test_rates(
    store: Store, ask: Callable[..., Awaitable[httpx.Response]], seconds: list[float]
) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    _, token = agenda.open_feed(store, mine, me)
    path = f"/agenda/{token}.ics"
    answers = [(await ask(path)).status_code for _ in range(PER_TOKEN + 1)]
    assert answers == [200] * PER_TOKEN + [429]
    seconds[0] += 61
    assert (await ask(path)).status_code == 200
    guesses = [(await ask(f"/agenda/{number:043}.ics")).status_code for number in range(PER_PEER + 1)]
    assert guesses == [404] * PER_PEER + [429]
