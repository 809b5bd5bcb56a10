"""Out of one home, into another, out again: the same messages, documents, items, measures, appointments."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

import catalogue
import dossier
from gateway.portability.mail_in import take_message
from store import Tx, mail, operation
from store.schema import box
from tests.portability.portability_support import LETTERS, Space, content
from tests.store.postgres import new_database, postgres_server


@operation("test.set_quota")
def set_quota_for_test(tx: Tx, *, box_id: int, quota: int) -> None:
    tx.conn.execute(box.update().where(box.c.box_id == box_id).values(quota=quota))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Space]:
    space = Space(tmp_path / "here")
    space.fill(tmp_path)
    yield space
    space.store.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Space]:
    space = Space(tmp_path / "there")
    yield space
    space.store.close()


def events(ics: bytes) -> list[tuple[str, ...]]:
    calendar = Calendar.from_ical(ics)
    return sorted(
        (str(one["UID"]), str(one["SUMMARY"]), one["DTSTART"].to_ical().decode(),
         one["RRULE"].to_ical().decode() if "RRULE" in one else "")
        for one in calendar.walk("VEVENT")
    )  # fmt: skip


def test_the_round_trip(here: Space, there: Space) -> None:
    first, manifest = here.export()
    assert manifest.missing == []
    assert manifest.counts == {"messages": 6, "documents": 4, "items": 2, "measures": 2, "appointments": 2,
                               "history": manifest.counts["history"], "consents": 1}  # fmt: skip
    taken = there.take(first)
    assert taken.missing == [] and taken.missing_there == []
    assert {one.part: (one.came, one.there) for one in taken.parts} == {
        "mail": (6, 0), "documents": (4, 0), "profile": (2, 0), "measures": (2, 0), "agenda": (2, 0),
    }  # fmt: skip
    assert there.mailbox() == here.mailbox()
    second, _ = there.export()
    before, after = content(first), content(second)
    assert events(before.pop("agenda")) == events(after.pop("agenda"))
    assert before.keys() == after.keys()
    for name in before:
        assert before[name] == after[name], name
    # consents were given there: they are told, not taken over
    assert len(taken.listed) == 1 and "accord donné" in taken.listed[0]
    assert there.store.read(catalogue.consents, there.store, there.box_id) == []
    assert there.journal().count("archive_imported") == 1


def test_again_and_back_it_brings_nothing_twice(here: Space, there: Space) -> None:
    first, _ = here.export()
    there.take(first)
    held = there.mailbox()
    again = there.take(first)
    assert [(one.part, one.came, one.failed) for one in again.parts] == [
        (part, 0, 0) for part in ("mail", "documents", "profile", "measures", "agenda")
    ]
    assert there.mailbox() == held
    second, _ = there.export()
    mine = here.mailbox()
    back = here.take(second)
    assert [one.came for one in back.parts] == [0, 0, 0, 0, 0]
    assert here.mailbox() == mine


def test_a_later_archive_brings_what_came_since(here: Space, there: Space) -> None:
    there.take(here.export()[0])
    # what was moved or removed there since is not brought back
    inbox = there.store.read(mail.folder_by_name, there.box_id, "INBOX")
    trash = there.store.read(mail.special_folder, there.box_id, "\\Trash")
    assert inbox is not None and trash is not None
    there.store.write(
        mail.move, box_id=there.box_id, folder_id=inbox.folder_id, uids=[1], target_id=trash.folder_id
    )
    here.letter(b"Subject: new\r\n\r\nnew\r\n")
    here.file_cda(9)
    taken = there.take(here.export()[0])
    assert {one.part: one.came for one in taken.parts} == {
        "mail": 1, "documents": 1, "profile": 0, "measures": 0, "agenda": 0,
    }  # fmt: skip
    assert len(there.mailbox()["INBOX"]) == 2 and len(there.mailbox()["Corbeille"]) == 1


def test_interrupted_it_is_completed(here: Space, there: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, _ = here.export()
    write, left = there.store.write, [3]

    def dies(operation: object, **given: object) -> object:
        if operation is take_message:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return write(operation, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(there.store, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        there.take(archive)
    monkeypatch.undo()
    taken = there.take(archive)
    assert {one.part: (one.came, one.there) for one in taken.parts}["mail"] == (3, 3)
    assert there.mailbox() == here.mailbox()


def test_a_dry_run_counts_and_changes_nothing(here: Space, there: Space) -> None:
    archive, _ = here.export()
    journal = there.journal()
    counted = there.take(archive, dry_run=True)
    assert {one.part: one.came for one in counted.parts} == {
        "mail": 6, "documents": 4, "profile": 2, "measures": 2, "agenda": 2,
    }  # fmt: skip
    assert there.mailbox() == {} and there.journal() == journal


def test_the_patient_takes_it_over_himself(here: Space, there: Space) -> None:
    taken = there.take(here.export()[0], there.me)
    assert taken.missing == [] and there.mailbox() == here.mailbox()


def test_what_does_not_fit_is_told_and_the_rest_comes(here: Space, tmp_path: Path) -> None:
    archive, _ = here.export()
    full = Space(tmp_path / "full")
    with full.store:
        full.store.write(set_quota_for_test, box_id=full.box_id, quota=50)
        taken = full.take(archive)
        failed = [one for one in taken.missing if one.part == "mail"]
        assert failed and "full" in failed[0].reason
        assert {one.part: one.failed for one in taken.parts}["documents"] == 0


def test_versions_keep_their_order_and_marks(here: Space, there: Space) -> None:
    there.take(here.export()[0])
    found = {
        one.unique_id: one
        for one in there.store.read(dossier.documents_for, there.store, there.box_id, there.me, history=True)
    }
    old, new = found["1.2.250.1.999.1.1"], found["1.2.250.1.999.1.2"]
    assert (old.status, old.replaced_by) == ("deprecated", new.document_id)
    assert new.status == "approved" and new.depositor_id and new.trace_id == "portability"
    marks = there.store.read(dossier.rights.rights_of, there.box_id).marks
    assert marks[found["1.2.250.1.999.1.3"].document_id].masked


def test_other_messages_than_before_are_untouched(here: Space, there: Space) -> None:
    """The same octets with the same date are one message, another date is another."""
    there.letter(LETTERS[2], internal_date=1_500_000_000_123)
    there.letter(LETTERS[3], internal_date=5)
    taken = there.take(here.export()[0])
    assert {one.part: (one.came, one.there) for one in taken.parts}["mail"] == (5, 1)
    assert len(there.mailbox()["INBOX"]) == 3


@pytest.mark.package("postgres")
def test_into_postgresql(here: Space, tmp_path: Path) -> None:
    archive, _ = here.export()
    with postgres_server() as server:
        there = Space(tmp_path / "there", url=new_database(server, "portability"))
        with there.store:
            assert there.take(archive).missing == []
            assert [one.came for one in there.take(archive).parts] == [0, 0, 0, 0, 0]
            assert there.mailbox() == here.mailbox()
            before, after = content(archive), content(there.export()[0])
            assert before.pop("agenda") and after.pop("agenda")
            assert before == after


class Killed(BaseException):
    """A death that nothing catches."""


def test_a_death_at_any_step_leaves_nothing_twice(here: Space, tmp_path: Path) -> None:
    archive, _ = here.export()
    whole = None
    for step in (1, 6, 11, *range(14, 100)):
        there = Space(tmp_path / f"there-{step}")
        with there.store:
            calls, write = [0], there.store.write

            def dying(operation: Any, **values: Any) -> Any:
                done = write(operation, **values)  # noqa: B023  # of this turn
                calls[0] += 1  # noqa: B023
                if calls[0] == step:  # noqa: B023
                    raise Killed
                return done

            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
                patch.setattr(there.store, "write", dying)
                there.take(archive)
            ended = calls[0] < step
            there.take(archive)
            found = content(there.export()[0])
            found["agenda"] = events(found["agenda"])
            whole = whole or found
            assert found == whole, step
        if ended:
            break
    else:
        pytest.fail("it never ended by itself")
