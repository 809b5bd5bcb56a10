"""Import of insured persons."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import patients
from patients import PersonsFileError, import_persons, ins_key
from patients.persons import _persons
from store import Store

HEADER = "ins;oid;birth_name;given_names;sex;birth_date;birth_place"
OID = patients.OID_NIR_TEST
INS = "279035121518989"
GOOD = f"{INS};{OID};D'EXEMPLE-MODÈLE;MARIE ANNE;F;1979-03-04;51215"


def write(path: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


@pytest.mark.parametrize(
    "lines",
    [
        (HEADER, GOOD),
        ("\ufeff" + HEADER, GOOD),
        (HEADER.replace(";", ","), GOOD.replace(";", ",")),
        (HEADER.upper(), GOOD),
        (HEADER + ";used_name;remark", GOOD + ';MARTIN;"a;b"'),
        (
            "birth_place;birth_date;sex;given_names;birth_name;oid;ins",
            f"51215;04/03/1979;f;MARIE ANNE;D'EXEMPLE-MODÈLE;{OID};2 79 03 51 215 189 89",
        ),
        (HEADER, "", GOOD.replace("1979-03-04", "19790304"), "", ""),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_forms(store: Store, tmp_path: Path, lines: tuple[str, ...], end: str) -> None:
    report = import_persons(store, write(tmp_path / "p.csv", *lines, end=end), actor="test")
    assert (report.added, report.bad) == (1, [])
    profile = store.read(patients.profile, INS)
    assert profile is not None
    assert (profile.birth_name, profile.given_names) == ("D'EXEMPLE-MODÈLE", ["MARIE", "ANNE"])
    assert (profile.sex, profile.birth_date, profile.birth_place) == ("F", "1979-03-04", "51215")
    assert profile.state == "known"


def test_again_and_corrected(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", HEADER, GOOD)
    import_persons(store, path, actor="test")
    patients.notify(store, INS, actor="campaign")
    report = import_persons(store, path, actor="test")
    assert (report.added, report.changed, report.unchanged) == (0, 0, 1)
    write(path, HEADER, GOOD.replace("MODÈLE", "MODELE"))
    report = import_persons(store, path, actor="test")
    assert (report.added, report.changed, report.unchanged) == (0, 1, 0)
    profile = store.read(patients.profile, INS)
    assert profile is not None
    assert (profile.state, profile.birth_name) == ("notified", "D'EXEMPLE-MODELE")
    assert [event.event for event in store.read(patients.history, INS)] == ["import", "notify", "correct"]


BAD = [
    (GOOD.replace(INS, "288091234567823"), "ins: wrong key"),
    (GOOD.replace(INS, "27903512151898"), "ins: not the 15"),
    (GOOD.replace(OID, "1.2.3"), "oid:"),
    (GOOD.replace(";F;", ";X;"), "sex:"),
    (GOOD.replace("1979-03-04", "1979-02-30"), "birth_date:"),
    (GOOD.replace("1979-03-04", "2979-03-04"), "birth_date:"),
    (GOOD.replace(";51215", ";5121"), "birth_place:"),
    (GOOD.replace("MARIE ANNE", ""), "given_names:"),
    (GOOD.replace("MARIE ANNE", "MARIE<b>"), "given_names:"),
    (GOOD.replace("MARIE ANNE", "M" * 101), "given_names:"),
    (GOOD + ";x", "8 columns"),
    (GOOD.replace("MARIE ANNE", '"MARIE'), "not CSV"),
    (GOOD + "x" * 40_000, "line too long"),
]


def test_bad_rows_are_told_by_line_without_their_content(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", HEADER, GOOD, *(row for row, _ in BAD))
    with path.open("ab") as file:
        file.write(b"\xe9\xe8;x\n")
    report = import_persons(store, path, actor="test")
    assert (report.added, report.bad_count) == (1, len(BAD) + 1)
    assert [bad.line for bad in report.bad] == list(range(3, 4 + len(BAD)))
    for bad, (_, reason) in zip(report.bad, [*BAD, ("", "not UTF-8")], strict=True):
        assert bad.reason.startswith(reason)
        assert "MARIE" not in bad.reason
        assert INS not in bad.reason


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "patients.header"),
        (b"name;first\n", "patients.header"),
        (HEADER.replace("oid", "ins").encode(), "patients.header"),
        (HEADER.encode("utf-16"), "patients.encoding"),
        (b"\xe9" + HEADER.encode(), "patients.encoding"),
    ],
)
def test_unusable_files(store: Store, tmp_path: Path, data: bytes, rule: str) -> None:
    (tmp_path / "p.csv").write_bytes(data)
    with pytest.raises(PersonsFileError) as caught:
        import_persons(store, tmp_path / "p.csv", actor="test")
    assert caught.value.rule == rule


def test_absent_file(store: Store, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(PersonsFileError) as caught:
            import_persons(store, path, actor="test")
        assert caught.value.rule == "patients.file"


def test_many_with_progress(store: Store, tmp_path: Path) -> None:
    lines = []
    for number in range(2_500):
        body = f"18805750{number // 1000:02d}{number % 1000:03d}"
        lines.append(GOOD.replace(INS, body + ins_key(body)))
    seen: list[tuple[int, int]] = []
    report = import_persons(
        store,
        write(tmp_path / "p.csv", HEADER, *lines, *lines[:3]),
        actor="test",
        progress=lambda done, size: seen.append((done, size)),
    )
    assert (report.added, report.unchanged, report.bad_count) == (2_500, 3, 0)
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


@given(st.binary(max_size=300))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(HEADER.encode() + b"\n" + data)
    with path.open("rb") as file:
        for _, found in _persons(file):
            assert isinstance(found, (str, patients.Person))


@pytest.mark.parametrize(
    ("column", "said", "department"),
    [
        ("department", "75", "75"),
        ("department", "2a", "2A"),
        ("department", "974", "974"),
        ("department", "", ""),
        ("postcode", "75015", "75"),
        ("postcode", "20000", "2A"),
        ("postcode", "20137", "2A"),
        ("postcode", "20200", "2B"),
        ("postcode", "20620", "2B"),
        ("postcode", "97410", "974"),
        ("postcode", "98800", "988"),
        ("postcode", "01000", "01"),
        ("postcode", "", ""),
    ],
)
def test_departments(store: Store, tmp_path: Path, column: str, said: str, department: str) -> None:
    path = write(tmp_path / "p.csv", f"{HEADER};{column}", f"{GOOD};{said}")
    assert import_persons(store, path, actor="test").bad == []
    profile = store.read(patients.profile, INS)
    assert profile is not None
    assert profile.department == department
    write(path, HEADER, GOOD)  # a file without it takes nothing away
    assert import_persons(store, path, actor="test").unchanged == 1


@pytest.mark.parametrize(
    ("column", "said"),
    [("department", "20"), ("department", "96"), ("department", "00"), ("department", "970"),
     ("department", "2C"), ("postcode", "7501"), ("postcode", "00100"), ("postcode", "96000"),
     ("previous_ins", "12"), ("previous_ins", INS)],
)  # fmt: skip
def test_bad_optional_columns(store: Store, tmp_path: Path, column: str, said: str) -> None:
    path = write(tmp_path / "p.csv", f"{HEADER};{column}", f"{GOOD};{said}")
    [bad] = import_persons(store, path, actor="test").bad
    assert bad.reason.startswith(("department:", "postcode:", "previous_ins:"))
    assert store.read(patients.profile, INS) is None


def test_a_matricule_that_changed_is_told_and_not_taken_over(store: Store, tmp_path: Path) -> None:
    other = "277076322082910"
    import_persons(store, write(tmp_path / "p.csv", HEADER, GOOD), actor="test")
    changed = GOOD.replace(INS, other)
    path = write(tmp_path / "q.csv", f"{HEADER};previous_ins", f"{changed};{INS}", f"{GOOD};")
    report = import_persons(store, path, actor="test")
    assert (report.added, report.unchanged) == (0, 1)
    assert [(bad.line, "not taken over" in bad.reason) for bad in report.bad] == [(2, True)]
    assert store.read(patients.profile, other) is None
    write(path, f"{HEADER};previous_ins", f"{changed};146026322000196")  # nobody here had that one
    assert import_persons(store, path, actor="test").added == 1


def test_a_dry_run_writes_nothing(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", HEADER, GOOD, GOOD.replace(INS, "288091234567823"))
    for _ in range(2):
        report = import_persons(store, path, actor="test", dry_run=True)
        assert (report.added, report.bad_count) == (1, 1)
    assert store.read(patients.count_by_state) == {}
    import_persons(store, path, actor="test")
    report = import_persons(store, path, actor="test", dry_run=True)
    assert (report.added, report.unchanged) == (0, 1)


def test_a_deleted_profile_is_not_imported_again(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", HEADER, GOOD)
    import_persons(store, path, actor="test")
    patients.activate(store, INS, "patient.exemple.fr", actor="x")
    patients.close(store, INS, actor="x")
    patients.ask_deletion(store, INS, actor="x")
    for dry_run in (True, False):
        report = import_persons(store, path, actor="test", dry_run=dry_run)
        assert (report.added, report.changed, report.unchanged) == (0, 0, 0)
        assert [(bad.line, "not given again" in bad.reason) for bad in report.bad] == [(2, True)]
    profile = store.read(patients.profile, INS)
    assert profile is not None
    assert (profile.state, profile.birth_name) == ("deleted", "")
