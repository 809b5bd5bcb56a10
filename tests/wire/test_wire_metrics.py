"""Every figure of gateway.metrics moves when what it is about does; `curl` fetches them."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

import activity
import evidence
import patients
from certs import DemoPki, TrustStore
from gateway.demo import prepare_demo
from gateway.indicators import Kept
from gateway.keyring import keystore
from gateway.metrics import FIGURES, MetricsServer, Sources
from gateway.settings import load_settings
from patients.persons import Person
from store import Store, Tx, new_id, now_ms, operation, tasks

pytestmark = pytest.mark.package("curl")
DAY = 86_400_000


class Watched:
    """A home with its figures, and the PKI that its trust comes from."""

    def __init__(self, root: Path, pki: DemoPki, sources: Sources, server: MetricsServer) -> None:
        self.root, self.pki, self.sources, self.server = root, pki, sources, server
        self.home = root / "passerelle"
        self.store = sources.store

    async def curl(self, path: str = "/metrics", *words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}", *words,
            f"http://127.0.0.1:{self.server.port}{path}", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        text, _, code = out.decode().rpartition("\n")
        return int(code), text

    async def figures(self) -> dict[str, float]:
        status, text = await self.curl()
        assert status == 200
        lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
        return {name.removeprefix("passerelle_"): float(value) for name, _, value in lines}


@pytest_asyncio.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    # the demonstration runs loops of its own
    scene = await asyncio.to_thread(prepare_demo, tmp_path / "scene")
    home = scene.home("passerelle")
    with Store.open(home) as store:
        hours = itertools.count(1)  # the published figures are counted again each hour: at each look
        sources = Sources(
            store,
            TrustStore.load(home / "trust"),
            keystore(home, load_settings(home)),
            Kept(lambda: next(hours) * 3_600_000),
        )
        server = MetricsServer(sources)
        await server.start("127.0.0.1", 0)
        try:
            yield Watched(tmp_path / "scene", scene.pki, sources, server)
        finally:
            await server.close()


def _renew(watched: Watched) -> None:
    watched.pki.issue_server("s", "o", "u", hosts=["s"], name="short", end=now_ms() + 5 * DAY)
    for source, name in zip(watched.pki.paths("short"), ("server.pem", "server.key"), strict=True):
        shutil.copyfile(source, watched.home / "tls" / name)


def _publish(watched: Watched) -> None:
    for path in watched.pki.write_crls(days=30):
        watched.sources.trust.import_crl(path.read_bytes())


def _pass_over(watched: Watched) -> None:
    (watched.home / "trust" / "crls" / "rubbish.crl").write_bytes(b"\x30\x00")
    watched.sources.trust.reload()


@operation("test.metrics_queue")
def _add_task(tx: Tx) -> None:
    trace = f"{new_id():x}"
    tasks.add_task(tx, queue="relay", box_id=1, payload=b"", due_at=0, subject_key="", trace_id=trace)
    evidence.record(tx, "refused", trace_id=trace, sender="s@x.test", recipient="r@x.test", rule="sender.tls")


def _queue(watched: Watched) -> None:
    watched.store.write(_add_task)


def _notify(watched: Watched) -> None:
    for number in range(12):
        body = f"1880575001{number:03d}"
        ins = body + patients.ins_key(body)
        person = Person(ins, patients.OID_NIR_TEST, "X", "Y", "", "M", "1988-05-01", "75056")
        watched.store.write(patients.add_persons, persons=[person], actor="test")
        patients.notify(watched.store, ins, actor="test")


def _tell(watched: Watched) -> None:
    mark = watched.store.write(activity.begin_notices)
    news = [activity.News(box_id=1, ins="188057500100012", seq=mark + 1, at=now_ms())]
    cadence = activity.Cadence()
    assert watched.store.write(activity.take_news, after=mark, upto=mark + 1, news=news, cadence=cadence)


def _wait(watched: Watched) -> None:
    """Ages grow by themselves."""


# every figure -> what moves it, and one of its samples
MOVERS: dict[str, tuple[Callable[[Watched], None], str]] = {
    "certificate_days_left": (_renew, 'certificate_days_left{role="server",state="current"}'),
    "plain_keys": (_renew, "plain_keys"),
    "crl_days_left": (_publish, "crl_days_left{authority="),
    "trust_problems": (_pass_over, "trust_problems"),
    "whitelist_age_seconds": (_wait, "whitelist_age_seconds"),
    "annuaire_age_seconds": (_wait, 'annuaire_age_seconds{source="mailboxes"}'),
    "queue_tasks": (_queue, 'queue_tasks{queue="relay",state="due"}'),
    "notices": (_tell, 'notices{state="wait"}'),
    "indicator": (_notify, 'indicator{figure="notified"}'),
    "evidence_records": (_queue, 'evidence_records_total{event="refused",rule="sender.tls"}'),
}


def _sample(figures: dict[str, float], name: str) -> float:
    return next((value for key, value in sorted(figures.items()) if key.startswith(name)), 0.0)


async def test_every_figure_moves(watched: Watched) -> None:
    assert set(MOVERS) == {figure.name for figure in FIGURES} | {"evidence_records"}
    for move, sample in MOVERS.values():
        before = _sample(await watched.figures(), sample)
        await asyncio.to_thread(move, watched)
        await asyncio.sleep(0.02)
        after = _sample(await watched.figures(), sample)
        # renewed once, the certificate is the same the second time: the key in clear is one more
        assert after != before or (move is _renew and after == 1), sample


async def test_what_is_told_and_what_is_not(watched: Watched) -> None:
    await asyncio.to_thread(_queue, watched)
    status, text = await watched.curl()
    assert status == 200
    assert "@" not in text  # no address
    assert text.count("# HELP passerelle_") == len(FIGURES) + 2
    assert 'passerelle_unread{figure="queue_tasks"} 0.0' in text
    figures = await watched.figures()
    assert 1094 <= figures['certificate_days_left{role="server",state="current"}'] <= 1095
    assert figures["trust_problems"] == 0
    assert figures['queue_tasks{queue="filing",state="held"}'] == 0


async def test_one_broken_source_hides_no_other(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    path = watched.home / "tls" / "server.key"
    path.unlink()
    path.mkdir()
    (watched.home / "tls" / "history").rename(watched.home / "tls" / "elsewhere")
    figures = await watched.figures()
    assert 'certificate_days_left{role="server",state="current"}' not in figures
    assert 'certificate_days_left{role="sign",state="current"}' in figures
    assert "trust_problems" in figures
    with monkeypatch.context() as patch:
        patch.setattr(type(watched.sources.keys), "plain_keys", _fails)
        figures = await watched.figures()
    assert figures['unread{figure="plain_keys"}'] == 1
    assert "plain_keys" not in figures
    assert "trust_problems" in figures


def _fails(_: object) -> list[Path]:
    raise OSError(5, "Input/output error")


async def test_other_requests(watched: Watched) -> None:
    assert (await watched.curl("/"))[0] == 404
    assert (await watched.curl("/metrics", "-X", "POST"))[0] == 405
    assert (await watched.curl("/metrics?x=1"))[0] == 200
    status, text = await watched.curl("/metrics", "-I")
    assert status == 200
    assert "Content-Type: text/plain" in text
    assert "passerelle_" not in text
    assert (await watched.curl("/metrics", "-H", "X: " + "y" * 20_000))[0] in (431, 0)
    for request, answer in (
        (b"rubbish\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", watched.server.port)
        writer.write(request)
        assert (await reader.read()).startswith(answer)
        writer.close()
        await writer.wait_closed()


async def test_several_at_once_and_one_that_never_asks(watched: Watched) -> None:
    _, silent = await asyncio.open_connection("127.0.0.1", watched.server.port)
    answers = await asyncio.gather(*(watched.curl() for _ in range(5)))
    assert [status for status, _ in answers] == [200] * 5
    await watched.server.close()  # does not wait for it
    silent.close()
