"""Many boxes at once, folders made later, and how full a box is."""

from __future__ import annotations

from pathlib import Path

import pytest

from store import Store, Tx, mail, new_id, operation


@operation("test.create_boxes")
def create_boxes(tx: Tx, *, boxes: list[mail.NewBox], quota: int) -> list[str]:
    mail.create_boxes(tx, boxes, kind="patient", quota=quota)
    return sorted(mail.addresses_taken(tx, [box.address for box in boxes] + ["nobody@example.test"]))


@operation("test.complete_folders")
def complete_folders(tx: Tx, *, box_id: int) -> None:
    mail.complete_folders(tx, box_id)


def test_many_at_once_then_whole(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        boxes = [
            mail.NewBox(new_id(), f"b{number}@example.test", str(number), store.new_box_key())
            for number in range(205)
        ]
        taken = store.write(create_boxes, boxes=boxes, quota=9)
        assert taken == sorted(box.address for box in boxes)
        made = store.read(mail.boxes, "patient")
        assert len(made) == 205
        assert {(box.state, box.quota, box.used) for box in made} == {("open", 9, 0)}
        one, other = boxes[0].box_id, boxes[1].box_id
        assert len(store.box_key(one)) == 32
        assert [folder.name for folder in store.read(mail.folders, one)] == ["INBOX"]
        store.write(mail.create_folder, box_id=other, name="Mes papiers")
        for box_id in (one, one, other):
            store.write(complete_folders, box_id=box_id)
        names = {folder.name for folder in store.read(mail.folders, one)}
        assert names == {name for name, _ in mail.STANDARD_FOLDERS}
        assert {folder.name for folder in store.read(mail.folders, other)} == {"INBOX", "Mes papiers"}
        hidden = store.read(mail.folder_by_id, one, mail.OUTBOX_ID)
        assert hidden is not None
        assert hidden.hidden
        by_create = store.create_box(address="whole@example.test", kind="patient", owner="x")
        wanted = [(one.name, one.special_use) for one in store.read(mail.folders, by_create)]
        assert [(one.name, one.special_use) for one in store.read(mail.folders, one)] == wanted
        made_later = store.write(mail.create_folder, box_id=one, name="Autres")
        assert made_later is not None


@pytest.mark.parametrize(
    ("used", "quota", "level"),
    [(0, 100, 0), (79, 100, 0), (80, 100, 80), (94, 100, 80), (95, 100, 95), (99, 100, 95), (100, 100, 100),
     (300, 100, 100), (500, 0, 0), (4, 5, 80)],
)  # fmt: skip
def test_how_full(used: int, quota: int, level: int) -> None:
    box = mail.Box(
        box_id=1, address="a", kind="patient", state="open", owner="x", modseq=1, quota=quota, used=used
    )
    assert mail.quota_level(box) == level
