"""The pure parts: BER, names, filters against a plain model, look-ups that miss nothing, entries."""

from __future__ import annotations

import itertools

import pytest
from asn1crypto import core
from hypothesis import given, settings
from hypothesis import strategies as st
from ldap_support import BASE, box

import annuaire
from gateway.ldap import Limits, ber, default_base, messages, parse_dn
from gateway.ldap.auth import Throttle
from gateway.ldap.ber import Reader
from gateway.ldap.directory import Tree
from gateway.ldap.entries import mailbox_entries, mailbox_entry, root_dse, split_name, subschema
from gateway.ldap.errors import LdapError, MalformedError
from gateway.ldap.filters import And, Equal, Filter, Not, Or, Present, Substrings, matches, read_filter
from gateway.ldap.names import escape
from gateway.ldap.plan import Probe, plan
from gateway.ldap.schema import ATTRIBUTES, OBJECT_CLASSES, Entry

# -- BER, held against asn1crypto


class _Values(core.SetOf):  # type: ignore[misc]  # untyped library
    _child_spec = core.OctetString


class _Attribute(core.Sequence):  # type: ignore[misc]  # as above
    _fields = [("type", core.OctetString), ("vals", _Values)]  # noqa: RUF012  # asn1crypto's way


class _Attributes(core.SequenceOf):  # type: ignore[misc]  # as above
    _child_spec = _Attribute


class _Entry(core.Sequence):  # type: ignore[misc]  # as above
    class_ = 1
    tag = 4
    _fields = [("name", core.OctetString), ("attributes", _Attributes)]  # noqa: RUF012  # as above


@given(st.integers(0, 2**31 - 1))
def test_numbers(number: int) -> None:
    assert ber.integer(number) == core.Integer(number).dump()
    assert Reader(ber.integer(number)).integer() == number


@given(st.binary(max_size=70_000))
@settings(max_examples=60)
def test_octets(value: bytes) -> None:
    assert ber.octets(value) == core.OctetString(value).dump()
    assert Reader(ber.octets(value)).octets() == value


@given(
    st.text(max_size=40),
    st.lists(
        st.tuples(st.text(max_size=20), st.lists(st.text(max_size=50), min_size=1, max_size=4).map(tuple)),
        max_size=6,
    ),
)
@settings(max_examples=80)
def test_an_entry_reads_as_another_codec_reads_it(
    dn: str, attributes: list[tuple[str, tuple[str, ...]]]
) -> None:
    read = _Entry.load(messages.entry(dn, attributes), strict=True)
    assert read["name"].native == dn.encode()
    there = [
        (one["type"].native.decode(), [v.native.decode() for v in one["vals"]]) for one in read["attributes"]
    ]
    assert there == [(name, list(values)) for name, values in attributes]


def test_long_lengths_that_are_not_the_shortest_are_read() -> None:
    """As Windows clients write them; BER allows it."""
    assert Reader(bytes.fromhex("048400000003") + b"abc").octets() == b"abc"
    assert ber.message_size(bytes.fromhex("308400000003"), 100) == 9


# -- names


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_name_is_read_as_it_was_written(value: str) -> None:
    name = parse_dn(f"cn={escape(value)},dc=x")
    assert name == (("cn", annuaire.fold(value)), ("dc", "x"))


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_is_refused(text: str) -> None:
    try:
        parse_dn(text)
    except LdapError as error:
        assert (error.rule, error.result) == ("ldap.name", 34)


@pytest.mark.parametrize(
    "text", ["x", "=x", "cn=a,", "cn=a+sn=b", 'cn="a"', "cn=#04", "cn=a\\", "cn=\\ff", "a" * 3000]
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(LdapError) as caught:
        parse_dn(text)
    assert caught.value.rule == "ldap.name"


def test_names_are_compared_folded() -> None:
    assert parse_dn("OU=Annuaire , DC=Mss;dc=x") == parse_dn("2.5.4.11=annuaire,dc=mss,dc=x")
    assert parse_dn("rfc822mailbox=José@X.fr")[0] == ("mail", "josé@x.fr"), "accents of an address count"
    assert default_base("mss.exemple.test") == "ou=annuaire,dc=mss,dc=exemple,dc=test"


def test_which_names_sign_in() -> None:
    tree = Tree(BASE, Limits())
    assert tree.address_of(parse_dn(f"mail=a@b.fr,ou=comptes,{BASE}")) == "a@b.fr"
    assert tree.address_of(parse_dn(f"mail=a@b.fr,{BASE}")) == "a@b.fr"
    for other in (f"cn=a,{BASE}", "mail=a@b.fr,dc=elsewhere", BASE, "", f"mail=a@b.fr,ou=x,{BASE}"):
        assert tree.address_of(parse_dn(other)) is None


# -- filters, against a model that knows letters only

LETTERS = st.text("aéB ", max_size=4)
NAMES = st.sampled_from(["cn", "SN", "2.5.4.42", "mail", "name", "unheardOf"])
_SUB = {
    "cn": ["cn"],
    "SN": ["sn"],
    "2.5.4.42": ["givenName"],
    "mail": ["mail"],
    "name": ["cn", "sn", "givenName"],
}


def _leaf() -> st.SearchStrategy[Filter]:
    piece = LETTERS.map(str.encode)
    return st.one_of(
        st.builds(Equal, NAMES, piece),
        st.builds(Present, NAMES),
        st.builds(
            Substrings, NAMES, st.none() | piece, st.lists(piece, max_size=2).map(tuple), st.none() | piece
        ),
    )


FILTERS: st.SearchStrategy[Filter] = st.recursive(
    _leaf(),
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
VALUES = st.dictionaries(
    st.sampled_from(["cn", "sn", "givenName", "mail"]), st.lists(LETTERS, min_size=1, max_size=2).map(tuple)
)


def plain(text: str) -> str:
    return " ".join(text.replace("é", "e").lower().split())


def cuts(value: str, initial: str | None, middle: list[str], final: str | None) -> bool:
    """Whether the pieces stand in ``value`` in this order: every way to cut it is tried."""
    ways = itertools.combinations_with_replacement(range(len(value) + 1), 2 * (len(middle) + 1))
    for places in ways:
        start, end = places[0], places[-1]
        spans = list(zip(places[1:-1:2], places[2:-1:2], strict=True))
        if (
            value[:start] == (initial or "")
            and value[end:] == (final or "")
            and all(value[a:b] == piece for (a, b), piece in zip(spans, middle, strict=True))
        ):
            return True
    return False


def squeezed(piece: bytes | None, *, left: bool = False, right: bool = False) -> str | None:
    """A piece as RFC 4518 §2.6.1 has it: blanks single, kept at its inner ends."""
    if piece is None:
        return None
    text = piece.decode()
    out = plain(text)
    if not out:
        out = " " if text else ""
    else:
        out = (" " if text.startswith(" ") else "") + out + (" " if text.endswith(" ") else "")
    out = out.lstrip() if left else out
    return out.rstrip() if right else out


def model(wanted: Filter, entry: dict[str, tuple[str, ...]]) -> bool | None:
    if isinstance(wanted, And):
        told = {model(part, entry) for part in wanted.parts}
        return False if False in told else None if None in told else True
    if isinstance(wanted, Or):
        told = {model(part, entry) for part in wanted.parts}
        return True if True in told else None if None in told else False
    if isinstance(wanted, Not):
        told_one = model(wanted.part, entry)
        return told_one if told_one is None else not told_one
    assert isinstance(wanted, Equal | Present | Substrings)
    if wanted.attribute not in _SUB:
        return None
    values = [value for name in _SUB[wanted.attribute] for value in entry.get(name, ())]
    if isinstance(wanted, Present):
        return bool(values)
    if isinstance(wanted, Equal):
        return any(plain(value) == plain(wanted.value.decode()) for value in values)
    return any(
        cuts(
            plain(value),
            squeezed(wanted.initial, left=True),
            [squeezed(piece) or "" for piece in wanted.middle],
            squeezed(wanted.final, right=True),
        )
        for value in values
    )


@given(FILTERS, VALUES)
@settings(max_examples=500, deadline=None)
def test_filters_are_judged_as_the_model_judges(wanted: Filter, values: dict[str, tuple[str, ...]]) -> None:
    assert matches(wanted, Entry("cn=x", values, {})) == model(wanted, values)


def written(wanted: Filter) -> bytes:
    """A filter in octets, as a client writes it."""
    if isinstance(wanted, And | Or):
        return ber.element(
            0xA0 if isinstance(wanted, And) else 0xA1, *(written(one) for one in wanted.parts), b""
        )
    if isinstance(wanted, Not):
        return ber.element(0xA2, written(wanted.part))
    if isinstance(wanted, Equal):
        tag = 0xA8 if wanted.approx else 0xA3
        return ber.element(tag, ber.octets(wanted.attribute), ber.octets(wanted.value))
    if isinstance(wanted, Present):
        return ber.octets(wanted.attribute, 0x87)
    assert isinstance(wanted, Substrings)
    pieces = [] if wanted.initial is None else [ber.octets(wanted.initial, 0x80)]
    pieces += [ber.octets(piece, 0x81) for piece in wanted.middle]
    pieces += [] if wanted.final is None else [ber.octets(wanted.final, 0x82)]
    return ber.element(0xA4, ber.octets(wanted.attribute), ber.element(0x30, *pieces, b""))


@given(FILTERS)
def test_filters_are_read_as_they_were_written(wanted: Filter) -> None:
    empty = any(
        one.initial is None and not one.middle and one.final is None
        for one in leaves(wanted)
        if isinstance(one, Substrings)
    )
    if empty:
        with pytest.raises(MalformedError):
            read_filter(Reader(written(wanted)), Limits())
    else:
        assert read_filter(Reader(written(wanted)), Limits()) == wanted


def leaves(wanted: Filter) -> list[Filter]:
    if isinstance(wanted, And | Or):
        return [leaf for part in wanted.parts for leaf in leaves(part)]
    return leaves(wanted.part) if isinstance(wanted, Not) else [wanted]


# -- look-ups: whatever a filter finds is among their candidates

PEOPLE = [
    box(f"{given}.{family}@x.test".lower(), f"Dr {given} {family.upper()}", id_nat=f"8{number}", town=town)
    for number, (given, family, town) in enumerate(
        [("Anne", "Bab", "AB"), ("Bab", "Anne", "BA"), ("Abel", "Ban", "AB"), ("Éa", "Aba Bé", "BE")]
    )
]
_WORD_START = st.sampled_from(["a", "an", "anne", "ba", "bab", "ban", "ab", "éa", "E", "ba ab", "aba b", ""])
_START_LEAF: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Equal, NAMES | st.just("l"), _WORD_START.map(str.encode), st.booleans()),
    st.builds(Equal, st.just("mail"), st.sampled_from([one.address.upper().encode() for one in PEOPLE])),
    st.builds(Equal, st.just("employeeNumber"), st.sampled_from([b"80", b"81", b"nobody"])),
    st.builds(Present, NAMES),
    st.builds(Substrings, NAMES | st.just("l"), _WORD_START.map(str.encode), st.just(()), st.none()),
)
START_FILTERS: st.SearchStrategy[Filter] = st.recursive(
    _START_LEAF,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, max_size=4).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=4).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=12,
)


def finds(probe: Probe, one: annuaire.Mailbox) -> bool:
    """What the annuaire does with a probe, in plain Python."""
    there = annuaire.words(" ".join((one.address, one.name, one.town)))
    return (
        probe.address in ("", one.address)
        and probe.id_nat in ("", one.id_nat)
        and probe.struct_id in ("", one.struct_id)
        and all(any(word.startswith(start) for word in there) for start in probe.words)
    )


@given(START_FILTERS)
@settings(max_examples=600, deadline=None)
def test_no_look_up_misses_what_its_filter_finds(wanted: Filter) -> None:
    probes = plan(wanted)
    assert probes is None or len(probes) <= 8
    if probes is None:
        return
    assert all(probe.keyed or probe.words for probe in probes), "no look-up reads everything"
    for one in PEOPLE:
        if matches(wanted, mailbox_entry([one], BASE)):
            assert any(finds(probe, one) for probe in probes)


def sub(attribute: str, text: str) -> Substrings:
    return Substrings(attribute, None, (text.encode(),), None)


def words(*each: str) -> Probe:
    return Probe(words=frozenset(each))


@pytest.mark.parametrize(
    ("wanted", "probes"),
    [
        (Or(tuple(sub(name, "mar") for name in ("displayName", "sn", "cn", "mail"))), (words("mar"),)),
        (And((Present("objectClass"), sub("cn", "mar"))), (words("mar"),)),
        (
            And((Or((sub("cn", "jean"), sub("mail", "jean"))), Or((sub("cn", "dup"), sub("sn", "dup"))))),
            (words("dup", "jean"),),
        ),
        (
            And((Equal("mail", b"A@X.test"), Equal("cn", b"anne"))),
            (Probe(address="a@x.test", words=frozenset({"anne"})),),
        ),
        (Or((sub("cn", "mar"), sub("cn", "marie"))), (words("mar"),)),
        (Present("objectClass"), None),
        (Or((sub("cn", "mar"), Present("cn"))), None),
        (Not(sub("cn", "mar")), None),
        (sub("cn", "-.-"), None),
        (Equal("objectClass", b"inetOrgPerson"), None),
        (Equal("unheardOf", b"x"), ()),
        (Or(()), ()),
        (Or(tuple(sub("cn", letter) for letter in "abcdefghij")), None),
    ],
)  # fmt: skip
def test_look_ups_of_filters(wanted: Filter, probes: tuple[Probe, ...] | None) -> None:
    assert plan(wanted) == probes


# -- entries


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Dr Camille EXEMPLE", ("Camille", "EXEMPLE")),
        ("Jean-Pierre D'EXEMPLE MODELE", ("Jean-Pierre", "D'EXEMPLE MODELE")),
        ("Mme A DUPONT", ("A", "DUPONT")),
        ("M. Jean Paul DE LA TOUR", ("Jean Paul", "DE LA TOUR")),
        ("DUPONT", ("", "DUPONT")),
        ("", ("", "")),
    ],
)
def test_names_are_split(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


def test_applications_are_not_shown_and_holders_are_gathered() -> None:
    rows = [
        box("c@x.test", "Jean DUPONT", kind="CAB", id_nat="81"),
        box("app@x.test", "Logiciel", kind="APP"),
        box("c@x.test", "Anne DURAND", kind="CAB", id_nat="82"),
    ]
    (one,) = mailbox_entries(rows, BASE)
    assert one.attributes["sn"] == ("DUPONT", "DURAND")
    assert one.attributes["employeeNumber"] == ("81", "82")


def test_the_liste_rouge_hides_an_address_whoever_else_lists_it() -> None:
    rows = [
        box("red@x.test", "Jean DUPONT"),
        box("seen@x.test", "Anne DURAND"),
        box("red@x.test", "Jean DUPONT", red_list=True, source="local"),
    ]
    assert [one.attributes["mail"] for one in mailbox_entries(rows, BASE)] == [("seen@x.test",)]


@given(st.sampled_from(["PER", "ORG", "CAB"]), st.text(max_size=20), st.text(max_size=20), st.booleans())
def test_an_entry_keeps_the_rules_of_its_classes(kind: str, name: str, service: str, person: bool) -> None:
    """MUST and MAY of the definitions that the subschema publishes; no value twice."""
    rows = [
        box("a+#,b@x.test", name, kind=kind, id_nat="81" if person else "", service=service, profession="10")
    ]
    entry = mailbox_entry(rows, BASE)
    must, may = set(), set()
    for one in entry.attributes["objectClass"]:
        definition = OBJECT_CLASSES[one]
        must |= listed(definition, "MUST")
        may |= listed(definition, "MAY")
    assert must <= entry.attributes.keys() <= must | may
    assert all(len({annuaire.fold(v) for v in values}) == len(values) for values in entry.attributes.values())
    assert Tree(BASE, Limits()).address_of(parse_dn(entry.dn)) == "a+#,b@x.test"


def listed(definition: str, word: str) -> set[str]:
    words = definition.replace("(", " ").replace(")", " ").replace("$", " ").split()
    if word not in words:
        return set()
    rest = words[words.index(word) + 1 :]
    return set(itertools.takewhile(lambda one: one not in ("MUST", "MAY"), rest))


def test_every_attribute_that_is_written_is_in_the_schema() -> None:
    names = {one.names[0] for one in ATTRIBUTES}
    for entry in (root_dse(BASE, start_tls=True), subschema()):
        assert (entry.attributes.keys() | entry.operational.keys()) <= names
    assert len({one.oid for one in ATTRIBUTES}) == len(ATTRIBUTES)


# -- wrong passwords


def test_failures_of_late_are_counted_by_address() -> None:
    now = 0.0
    throttle = Throttle(lambda: now)
    assert [throttle.failed("a") for _ in range(3)] == [1, 2, 3]
    assert throttle.failed("b") == 1
    throttle.succeeded("a")
    assert throttle.failed("a") == 1
    now = 700.0
    assert throttle.failed("b") == 1
    assert [throttle.failed("c") for _ in range(20)][-1] == 10
    for number in range(20_000):
        throttle.failed(str(number))
    assert len(throttle._failures) == 10_000
