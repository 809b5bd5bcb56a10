"""What revocation lists say: faults of lists, delta lists, partial and indirect lists, other signers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from certs_fixtures import NOW, demanding
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier
from revocation_support import AUTHORITY, DAY, HOUR, SIGNS_LISTS, Party, World, point, scope, uri

from certs import TrustSettings

UNKNOWN, REVOKED, GOOD = "sender.revocation_unknown", "sender.revoked", ""
_ODD = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")
_FRESHEST = x509.FreshestCRL([point("delta")])
_COMPROMISE = frozenset({x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise})
_OTHERS = (
    frozenset(x509.ReasonFlags)
    - _COMPROMISE
    - {
        x509.ReasonFlags.unspecified,
        x509.ReasonFlags.remove_from_crl,
    }
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


Lists = Callable[[World, int], dict[str, bytes]]

# What may be wrong with lists: the lists of the authority (given the holder's serial), the rule, words of the
# reason, and words of what the store says of a list that it passed over.
FAULTS: dict[str, tuple[Lists, str, str, str]] = {
    "in order": (lambda w, s: {"a": w.ca.crl()}, GOOD, "", ""),
    "revoked": (lambda w, s: {"a": w.ca.crl((s, "keyCompromise"))}, REVOKED, "(keyCompromise)", ""),
    "absent": (lambda w, s: {}, UNKNOWN, "there is no revocation list of Authority", ""),
    "late": (
        lambda w, s: {"a": w.ca.crl(begin=NOW - 3 * DAY, end=NOW - HOUR)},
        UNKNOWN,
        "ended on 2026-09-21T13:13:20Z",
        "",
    ),
    "late, and names the holder": (
        lambda w, s: {"a": w.ca.crl((s, "superseded"), begin=NOW - 3 * DAY, end=NOW - HOUR)},
        REVOKED,
        "(superseded)",
        "",
    ),
    "early": (lambda w, s: {"a": w.ca.crl(begin=NOW + HOUR)}, UNKNOWN, "begins on 2026-09-21T15:13:20Z", ""),
    "early within the tolerance": (lambda w, s: {"a": w.ca.crl(begin=NOW + 200_000)}, GOOD, "", ""),
    "wrong key": (
        lambda w, s: {"a": _another(w).crl()},
        UNKNOWN,
        "there is no revocation list",
        "authority key identifier is none of Authority's",
    ),
    "wrong key under the right identifier": (
        lambda w, s: {"a": w.ca.crl()[:-1] + bytes([w.ca.crl()[-1] ^ 1])},
        UNKNOWN,
        "there is no revocation list",
        "its signature is not Authority's",
    ),
    "of somebody unknown": (
        lambda w, s: {"a": Party("Nobody", None, *AUTHORITY).crl()},
        UNKNOWN,
        "there is no revocation list",
        "its issuer Nobody is not a trusted authority",
    ),
    "unknown critical extension": (
        lambda w, s: {"a": w.ca.crl(more=[(_ODD, True)])},
        UNKNOWN,
        "there is no revocation list",
        "critical extension 1.2.3.4",
    ),
    "unknown extension, not critical": (lambda w, s: {"a": w.ca.crl(more=[(_ODD, False)])}, GOOD, "", ""),
    "of authorities only": (
        lambda w, s: {"a": w.ca.crl(more=[scope(only_contains_ca_certs=True)])},
        UNKNOWN,
        "no revocation list of Authority covers it",
        "",
    ),
    "of holders only": (
        lambda w, s: {"a": w.ca.crl(more=[scope(only_contains_user_certs=True)])},
        GOOD,
        "",
        "",
    ),
    "of another distribution point": (
        lambda w, s: {"a": w.ca.crl(more=[scope(full_name=uri("elsewhere"))])},
        UNKNOWN,
        "no revocation list of Authority covers it",
        "",
    ),
    "entry of another issuer in a plain list": (
        lambda w, s: {"a": w.ca.crl((s, "superseded"), about="Other")},
        UNKNOWN,
        "there is no revocation list",
        "an entry has the critical extension 2.5.29.29",
    ),
    "one serial twice": (
        lambda w, s: {
            "a": w.ca.crl(
                (s, "certificateHold", NOW - HOUR), (s, "keyCompromise", NOW - 3 * DAY), (7, "superseded")
            )
        },
        REVOKED,
        "revoked on 2026-09-18T14:13:20Z (keyCompromise)",
        "",
    ),
    "removed in a complete list": (lambda w, s: {"a": w.ca.crl((s, "removeFromCRL"))}, GOOD, "", ""),
    "an older file beside": (
        lambda w, s: {"new": w.ca.crl((s, "superseded"), number=8), "old": w.ca.crl(number=7)},
        REVOKED,
        "(superseded)",
        "",
    ),
    # -- delta lists ------------------------------------------------------------------------
    "delta revokes": (
        lambda w, s: {"a": w.ca.crl(number=5), "d": w.ca.crl((s, "keyCompromise"), number=6, base=5)},
        REVOKED,
        "(keyCompromise)",
        "",
    ),
    "delta lifts a hold": (
        lambda w, s: {
            "a": w.ca.crl((s, "certificateHold"), number=5),
            "d": w.ca.crl((s, "removeFromCRL"), number=6, base=4),
        },
        GOOD,
        "",
        "",
    ),
    "stale delta lifts nothing": (
        lambda w, s: {
            "a": w.ca.crl((s, "certificateHold"), number=5),
            "d": w.ca.crl((s, "removeFromCRL"), number=6, base=5, begin=NOW - 2 * DAY, end=NOW - HOUR),
        },
        REVOKED,
        "(certificateHold)",
        "",
    ),
    "stale delta still revokes": (
        lambda w, s: {
            "a": w.ca.crl(number=5),
            "d": w.ca.crl((s, "superseded"), number=6, base=5, begin=NOW - 2 * DAY, end=NOW - HOUR),
        },
        REVOKED,
        "(superseded)",
        "",
    ),
    "delta without base": (
        lambda w, s: {"d": w.ca.crl(number=6, base=5)},
        UNKNOWN,
        "there is only a delta list of Authority, without its base",
        "",
    ),
    "fresh delta over a stale base": (
        lambda w, s: {
            "a": w.ca.crl(number=5, begin=NOW - 3 * DAY, end=NOW - HOUR),
            "d": w.ca.crl(number=6, base=5),
        },
        UNKNOWN,
        "ended on",
        "",
    ),
    "base newer than the delta": (
        lambda w, s: {
            "a": w.ca.crl((s, "certificateHold"), number=7),
            "d": w.ca.crl((s, "removeFromCRL"), number=6, base=5),
        },
        REVOKED,
        "(certificateHold)",
        "",
    ),
    "delta for a newer base": (
        lambda w, s: {
            "a": w.ca.crl((s, "certificateHold"), number=5),
            "d": w.ca.crl((s, "removeFromCRL"), number=9, base=6),
        },
        REVOKED,
        "(certificateHold)",
        "",
    ),
    "delta of another scope": (
        lambda w, s: {
            "a": w.ca.crl((s, "certificateHold"), number=5),
            "d": w.ca.crl(
                (s, "removeFromCRL"), number=6, base=5, more=[scope(only_contains_user_certs=True)]
            ),
        },
        REVOKED,
        "(certificateHold)",
        "",
    ),
    "the newest delta counts": (
        lambda w, s: {
            "a": w.ca.crl(number=5),
            "d1": w.ca.crl((s, "certificateHold"), number=6, base=5),
            "d2": w.ca.crl((s, "removeFromCRL"), number=7, base=5),
        },
        GOOD,
        "",
        "",
    ),
}


def _another(world: World) -> Party:
    """The authority's name with a key that nobody trusts."""
    return Party("Authority", None, *AUTHORITY)


@pytest.mark.parametrize("name", FAULTS)
def test_lists(world: World, name: str) -> None:
    lists, rule, reason, passed_over = FAULTS[name]
    holder = world.holder()
    world.lists(**lists(world, holder.serial))
    store = world.store()
    verdict = store.check_sync([holder.der], "client")
    assert verdict.rule == rule
    assert reason in verdict.reason
    assert verdict.reason.isascii()
    assert [problem.reason for problem in store.problems if passed_over in problem.reason] or not passed_over
    assert bool(store.problems) is bool(passed_over)
    if rule == UNKNOWN:
        assert verdict.reason.startswith("The status of the certificate is unknown: ")
    if rule == GOOD:
        assert NOW < verdict.valid_until <= NOW + DAY


@pytest.mark.parametrize(
    ("issued", "rule"), [(NOW - 3 * DAY, GOOD), (NOW - HOUR, REVOKED)], ids=["judged before", "judged after"]
)
def test_authority_revoked_later(world: World, issued: int, rule: str) -> None:
    """An authority revoked two days ago: what was judged before that stays, nothing after it holds."""
    holder = world.holder()
    world.put("crls", "ca", world.ca.crl())
    world.put("crls", "root", world.root.crl((world.ca.serial, "cACompromise"), number=2))
    verdict = world.store().check_sync([holder.der], "client", at=issued)
    assert verdict.rule == rule
    assert ("The authority Authority was revoked" in verdict.reason) is (rule == REVOKED)


def test_numbers_do_not_go_back(world: World) -> None:
    holder = world.holder()
    world.lists(a=world.ca.crl((holder.serial, "superseded"), number=8))
    store = world.store()
    world.put("crls", "a", world.ca.crl(number=7))
    store.reload()
    assert store.check_sync([holder.der], "client").rule == REVOKED
    assert "older than the list in use (number 7, in use 8)" in store.problems[0].reason


@pytest.mark.parametrize(
    ("lists", "rule", "reason"),
    [
        (lambda w: {"a": w.ca.crl(number=5, more=[(_FRESHEST, False)])}, UNKNOWN, "no delta list completes"),
        (
            lambda w: {
                "a": w.ca.crl(number=5, more=[(_FRESHEST, False)]),
                "d": w.ca.crl(number=6, base=5, begin=NOW - DAY, end=NOW - HOUR),
            },
            UNKNOWN,
            "the delta list of Authority ended on",
        ),
        (
            lambda w: {
                "a": w.ca.crl(number=5, more=[(_FRESHEST, False)]),
                "d": w.ca.crl(number=6, base=5, end=NOW + HOUR),
            },
            GOOD,
            "",
        ),
        (lambda w: {"a": w.ca.crl(number=5)}, GOOD, ""),
    ],
    ids=["no delta", "stale delta", "fresh delta", "none published"],
)
def test_deltas_demanded(
    world: World, lists: Callable[[World], dict[str, bytes]], rule: str, reason: str
) -> None:
    holder = world.holder()
    world.lists(**lists(world))
    verdict = world.verdict(holder, demanding(revocation={"freshest": "require"}))
    assert verdict.rule == rule
    assert reason in verdict.reason
    assert world.verdict(holder).ok  # used when there, but not demanded


def test_good_until_the_delta_ends(world: World) -> None:
    holder = world.holder()
    world.lists(a=world.ca.crl(number=5), d=world.ca.crl(number=6, base=5, end=NOW + HOUR))
    assert world.verdict(holder).valid_until == NOW + HOUR


def test_divided_by_reasons(world: World) -> None:
    """Neither half is enough to accept by; one is enough to refuse by."""
    holder = world.holder(point("all"))
    compromise = [scope(full_name=uri("all"), only_some_reasons=_COMPROMISE)]
    others = [scope(full_name=uri("all"), only_some_reasons=_OTHERS)]
    world.lists(a=world.ca.crl(more=compromise))
    assert "do not cover every reason" in world.verdict(holder).reason
    world.lists(a=world.ca.crl(more=compromise), b=world.ca.crl(more=others, end=NOW + HOUR))
    both = world.verdict(holder)
    assert (both.rule, both.valid_until) == (GOOD, NOW + HOUR)
    world.lists(a=world.ca.crl(more=compromise), b=world.ca.crl((holder.serial, "superseded"), more=others))
    assert world.verdict(holder).rule == REVOKED


def test_points_with_reasons(world: World) -> None:
    holder = world.holder(point("a", reasons=_COMPROMISE), point("b", reasons=_OTHERS))
    a, b = [scope(full_name=uri("a"))], [scope(full_name=uri("b"))]
    world.lists(a=world.ca.crl(more=a))
    assert world.verdict(holder).rule == UNKNOWN
    world.lists(a=world.ca.crl(more=a), b=world.ca.crl(more=b))
    assert world.verdict(holder).ok


@pytest.fixture
def indirect(world: World) -> Party:
    """Somebody of the root who issues lists for others."""
    issuer = Party("Lists", world.root, *SIGNS_LISTS)
    world.put("intermediates", "lists", issuer.der)
    return issuer


def test_indirect_list(world: World, indirect: Party) -> None:
    holder = world.holder(point("x", issuer="Lists"))
    plain = world.holder()
    many = [scope(full_name=uri("x"), indirect_crl=True)]
    world.lists(a=indirect.crl(more=many))
    assert world.verdict(holder).ok
    assert world.verdict(plain).rule == UNKNOWN  # its certificate does not name that issuer
    world.lists(a=indirect.crl((holder.serial, "superseded"), more=many, about="Authority"))
    assert world.verdict(holder).rule == REVOKED
    world.lists(a=indirect.crl((holder.serial, "superseded"), more=many, about="Somebody"))
    assert world.verdict(holder).ok  # another authority's certificate of the same number
    world.lists(a=indirect.crl((holder.serial, "superseded"), more=many))
    assert world.verdict(holder).ok  # the list issuer's own certificate of that number
    world.lists(a=indirect.crl(more=[scope(full_name=uri("x"))]))
    assert world.verdict(holder).rule == UNKNOWN  # it does not say that it is indirect


def test_issuer_of_an_indirect_list_is_revoked(world: World, indirect: Party) -> None:
    holder = world.holder(point("x", issuer="Lists"))
    many = [scope(full_name=uri("x"), indirect_crl=True)]
    world.lists(a=indirect.crl(more=many))
    world.put("crls", "root", world.root.crl((indirect.serial, "keyCompromise")))
    verdict = world.verdict(holder)
    assert verdict.rule == UNKNOWN
    assert "the signer of the list of Lists is revoked" in verdict.reason


def test_list_signed_by_another_key_of_the_authority(world: World) -> None:
    """A key for lists alone, certified under the authority's name (RFC 5280 §6.3.3 (f))."""
    signer = Party("Authority", world.root, *SIGNS_LISTS)
    holder = world.holder()
    world.lists(a=world.ca.crl(signer=signer))
    assert world.verdict(holder).rule == UNKNOWN
    world.put("intermediates", "signer", signer.der)
    assert world.verdict(holder).ok
    world.put("crls", "root", world.root.crl((signer.serial, "superseded")))
    assert "the signer of the list of Authority is revoked" in world.verdict(holder).reason


def test_a_namesake_under_another_root_signs_nothing(world: World) -> None:
    other = Party("Other root", None, *AUTHORITY)
    namesake = Party("Authority", other, *AUTHORITY)
    world.put("roots", "other", other.der)
    world.put("intermediates", "namesake", namesake.der)
    world.lists(other=other.crl(), a=namesake.crl())
    verdict = world.verdict(world.holder())
    assert verdict.rule == UNKNOWN
    assert "has no path to the same root" in verdict.reason


def test_a_bad_path_does_not_hide_a_good_one(world: World) -> None:
    """The authority is certified by two roots; one of them revoked it."""
    other = Party("A root that comes first", None, *AUTHORITY)
    cross = world.ca.certified(other, *AUTHORITY)
    holder = world.holder()
    world.put("roots", "a-first", other.der)
    world.put("intermediates", "a-cross", cross.public_bytes(Encoding.DER))
    world.lists(a=world.ca.crl(), first=other.crl((world.ca.serial, "superseded")))
    verdict = world.verdict(holder)
    assert (verdict.rule, verdict.path[-1]) == (GOOD, "CN=Root")
    world.put("crls", "root", world.root.crl((world.ca.serial, "superseded"), number=2))
    assert world.verdict(holder).rule == REVOKED


def test_settings_of_lists_hold_for_their_signatures(world: World) -> None:
    holder = world.holder()
    world.lists(a=world.ca.crl())
    strict = TrustSettings.model_validate({"algorithms": {"ec_bits": 384}})
    assert "no longer accepted" in world.verdict(holder, strict).reason
    assert "too small" in world.store(strict).problems[0].reason
    assert world.verdict(holder, TrustSettings()).ok
