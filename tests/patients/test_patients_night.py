"""What the back does each night by itself."""

from __future__ import annotations

import structlog

import patients
from gateway.night import Night
from gateway.settings import Settings
from store import Store
from tests.patients.patients_support import DAY, DOMAIN, HOUR, Clock, add, paris, states


def settings(**changes: object) -> Settings:
    return Settings.model_validate(
        {
            "gateway": {"hostname": "mss.exemple.fr", "patient_domain": DOMAIN, "quota": 77},
            "patients": changes,
        }
    )


def notified(store: Store, count: int) -> list[str]:
    wanted = add(store, count)
    for ins in wanted:
        patients.notify(store, ins, actor="campaign")
    return wanted


async def test_from_its_hour_on_once_a_day(store: Store, clock: Clock) -> None:
    clock.now = paris("2026-01-15 10:00")
    wanted = notified(store, 2)
    night = Night(settings(night_hour=3), store)
    clock.now = paris("2026-02-26 12:00")
    await night.look()
    assert states(store) == {"opened": 2}  # made up for at once: the gateway began to run at noon
    clock.now = paris("2026-02-26 13:00")
    more = add(store, 1, first=5)
    patients.notify(store, more[0], actor="x")
    patients.close(store, wanted[0], actor="marie")
    patients.ask_deletion(store, wanted[0], actor="marie", at=clock.now + HOUR)
    clock.now = paris("2026-02-26 23:59")
    await night.look()
    assert states(store) == {"closed": 1, "notified": 1, "opened": 1}
    for at, expected in (("2026-02-27 02:59", "closed"), ("2026-02-27 03:00", "deleted")):
        clock.now = paris(at)
        await night.look()
        assert states(store)[expected] == 1
    last = store.read(patients.history, wanted[0])[-1]
    assert (last.event, last.actor) == ("delete", "gateway")


async def test_not_when_told_not_to(store: Store, clock: Clock) -> None:
    notified(store, 1)
    clock.now += 50 * DAY
    await Night(settings(automatic=False), store).look()
    hosted = Settings.model_validate(
        {"gateway": {"hostname": "mss.exemple.fr", "hosted_domains": ["pro.exemple.fr"]}}
    )
    await Night(hosted, store).look()
    assert states(store) == {"notified": 1}


async def test_a_clock_that_leapt_is_told_once_a_day(store: Store, clock: Clock) -> None:
    notified(store, 1)
    night = Night(settings(leap_days=2), store)
    await night.look()
    clock.now += 50 * DAY
    with structlog.testing.capture_logs() as logs:
        await night.look()
        await night.look()
    errors = [line for line in logs if line["log_level"] == "error"]
    assert [(line["event"], line["rule"]) for line in errors] == [
        ("nothing_opened_by_this_clock", "patient.clock")
    ]
    assert states(store) == {"notified": 1}
    clock.now -= 49 * DAY
    await night.look()
    assert states(store) == {"notified": 1}


async def test_closing_ends_it_after_a_slice(store: Store, clock: Clock) -> None:
    notified(store, 3)
    clock.now += 50 * DAY
    night = Night(settings(), store)
    night.close()
    await night.look()
    assert states(store) == {"opened": 3}  # one slice held them all
