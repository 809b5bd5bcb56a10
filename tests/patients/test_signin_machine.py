"""Whatever is done in whatever order: nobody is signed in without both factors, and no code counts twice."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patients import signin
from patients.signin.desk import SignedIn
from store import Store
from tests.patients.signin_kit import ANNE, MARIE, PASSWORD, TERMS, World

T = TypeVar("T")
MAILS = {MARIE: "marie@example.org", ANNE: "anne@example.com"}
NAMES = {MARIE: "marie.e", ANNE: "anne.e"}

# Who acts, what he does, with what: the code of whom, right or wrong, and which of the flows begun so far.
STEPS = st.tuples(
    st.sampled_from(
        ["password", "wrong password", "code", "old code", "resend", "facts", "prove", "step up"]
    ),
    st.sampled_from([MARIE, ANNE]),
    st.sampled_from([MARIE, ANNE]),
    st.integers(0, 3),
)


class Player:
    """Plays steps, and keeps what it knows to be true beside the desk."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.flows: list[tuple[str, str, str]] = []  # token, whose, of which kind
        self.used: set[tuple[str, str]] = set()  # (person, message) whose code was taken
        self.source = 0

    def text(self, who: str, back: int = 0) -> str:
        """The code of the latest message to ``who``, or of one before it."""
        held = [text for _, to, text in self.world.letters.sent if to == MAILS[who]]
        return held[-1 - back] if len(held) > back else ""

    def latest(self, who: str) -> str:
        """The latest message to ``who`` that brought a code for signing in."""
        held = [text for _, to, text in self.world.letters.sent if to == MAILS[who] and "connecter" in text]
        return held[-1] if held else ""

    async def play(self, step: tuple[str, str, str, int]) -> None:
        act, who, whose, number = step
        desk = self.world.desk
        self.source += 1
        source = f"2001:db8:{self.source:x}::1"
        if act in ("password", "wrong password"):
            word = PASSWORD if act == "password" else "une autre phrase longue"
            begun = await self.world.password(NAMES[who], word, source=source)
            if act == "password":
                assert begun.answer.outcome in ("ok", "wait")
            else:
                assert begun.answer.outcome in ("refused", "wait")
            if begun.token:
                self.flows.append((begun.token, who, "sign-in"))
        elif act == "facts":
            begun = await self.world.facts(who, source=source)
            self.flows.append((begun.token, who, "activation"))
        elif self.flows:
            token, owner, kind = self.flows[-1 - number % len(self.flows)]
            text = self.text(whose, back=number if act == "old code" else 0)
            code = text.partition(" : ")[2].partition(". ")[0]
            if act == "resend":
                await desk.resend(token)
                await self.world.courier.drain()
            elif act == "prove":
                answer = await desk.prove(token, code)
                if answer.outcome == "ok":
                    assert kind == "activation" and owner == whose and "activer" in text
                    self._once(whose, text)
                    assert (await desk.decide(token, "activate", TERMS)).step == "account"
            elif act == "step up":
                other = signin.Session(1, whose, "password", "", 0, 0, 0, None, None)
                assert (await desk.step_up(other, token, code)).outcome == "over"
            else:
                entered = await desk.enter(token, code)
                if isinstance(entered, SignedIn):
                    # the password was given in this flow, and the code is the latest sent to its person
                    assert kind == "sign-in" and owner == whose == entered.session.ins
                    assert text == self.latest(owner)
                    self._once(whose, text)

    def _once(self, whose: str, text: str) -> None:
        assert (whose, text) not in self.used
        self.used.add((whose, text))


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner() as runner:
        return runner.run(work)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machine")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=4, max_size=14))
def test_no_order_of_steps_signs_in_without_both_factors(
    template: Path, steps: list[tuple[str, str, str, int]]
) -> None:
    async def play(store: Store) -> None:
        world = World(store)
        await world.activated(MARIE, MAILS[MARIE], NAMES[MARIE])
        await world.activated(ANNE, MAILS[ANNE], NAMES[ANNE])
        player = Player(world)
        for step in steps:
            await player.play(step)

    with tempfile.TemporaryDirectory(dir=template) as folder, Store.open(Path(folder) / "home") as store:
        _run(play(store))
