"""Debian's clients on real sockets: ldapsearch, ldapwhoami, the writing ones, curl.

Thunderbird, Outlook and macOS cannot be run here; their requests, as their sources and settings write them,
are made again with ldapsearch.
"""

from __future__ import annotations

import asyncio
import os

import pytest
from ldap_support import BASE, DOCTOR, DOMAIN, PATIENT, Bench

pytestmark = pytest.mark.package("ldapsearch")


def found(out: str) -> list[str]:
    """The addresses of the entries, in order; "" for the top of the tree."""
    dns = [line.removeprefix("dn: ") for line in out.splitlines() if line.startswith("dn: ")]
    return [dn.partition(",")[0].removeprefix("mail=") if dn != BASE else "" for dn in dns]


async def ask(bench: Bench, filter_: str, *words: str, starttls: bool = False) -> tuple[int, str]:
    code, out, err = await bench.program(
        "ldapsearch", *bench.who(), "-LLL", "-o", "ldif-wrap=no", "-b", BASE, *words, filter_,
        starttls=starttls,
    )  # fmt: skip
    return code, out + err


QUICK_SEARCH = (
    "(|(cn=*{0}*)(givenName=*{0}*)(sn=*{0}*)(mozillaNickname=*{0}*)(mail=*{0}*)(mozillaSecondEmail=*{0}*)"
    "(&(IsMailList=TRUE)(Notes=*{0}*))(o=*{0}*)(ou=*{0}*)(title=*{0}*)(WebPage1=*{0}*)(WebPage2=*{0}*))"
)
MARIE, ANDRE = f"marie.martin@{DOMAIN}", f"andre.marchand@{DOMAIN}"
OFFICE = f"secretariat\\+nord@{DOMAIN}"
CABINET = f"cabinet@{DOMAIN}"

#: name → (filter, words that go with it, who is found)
CLIENTS = {
    "Thunderbird, as one types an address": (
        "(|(cn=mar*)(mail=mar*)(sn=mar*))", ["-z", "100"], [ANDRE, MARIE],
    ),
    "Thunderbird, two words": ("(|(cn=camille*ex*)(mail=camille*ex*)(sn=camille*ex*))", [], [DOCTOR]),
    "Thunderbird, search bar": (QUICK_SEARCH.format("mar"), [], [ANDRE, MARIE]),
    "Thunderbird, search bar, two words": (
        f"(&{QUICK_SEARCH.format('marie')}{QUICK_SEARCH.format('mart')})", [], [MARIE],
    ),
    "names and address, any part": (
        "(|(displayName=*mar*)(givenName=*mar*)(sn=*mar*)(cn=*mar*)(mail=*mar*))", [], [ANDRE, MARIE],
    ),
    "Outlook": (
        "(&(mail=*)(|(mail=camille*)(|(cn=camille*)(|(sn=camille*)(givenName=camille*)))))", [], [DOCTOR],
    ),
    "macOS Contacts": (
        "(&(objectclass=inetOrgPerson)(|(givenname=Andr*)(|(uid=And*)(cn=And*))(sn=And*)))", [], [ANDRE],
    ),
    "an address": (f"(mail={DOCTOR.upper()})", [], [DOCTOR]),
    "an IdNat": ("(employeeNumber=899900000101)", [], [DOCTOR]),
    "a structure": ("(mssStructure=1690000007)", [], [OFFICE]),
    "a unit": ("(&(objectClass=organizationalUnit)(o=hopital*))", [], [OFFICE]),
    "a town and a profession": ("(&(l=lyon)(title=pharmacien))", [], [ANDRE]),
    "not that one": (f"(&(l=lyon)(!(mail={DOCTOR}))(objectClass=person))", [], [ANDRE]),
    "about": ("(cn~=exemple camille)", [], [DOCTOR]),
    "without accents": ("(givenName=andre)", [], [ANDRE]),
    "a name with a hyphen, an apostrophe, accents": ("(sn=martin-d'epee)", [], [MARIE]),
    "a cabinet of two": ("(sn=durand)", [], [CABINET]),
    "nobody": ("(cn=zzz*)", [], []),
    "an attribute that nobody has": ("(telephoneNumber=*01*)", [], []),
    "true and false by themselves": ("(&(&)(sn=exemple))", [], [DOCTOR]),
    "an application's box is not shown": ("(cn=logiciel*)", [], []),
    "one level": ("(sn=exemple)", ["-s", "one"], [DOCTOR]),
    "the top": ("(objectClass=*)", ["-s", "base"], [""]),
}  # fmt: skip


@pytest.mark.parametrize("name", CLIENTS)
async def test_what_clients_ask(bench: Bench, name: str) -> None:
    filter_, words, expected = CLIENTS[name]
    code, out = await ask(bench, filter_, *words)
    assert code == 0, out
    assert sorted(found(out)) == sorted(expected), out


async def test_an_entry_is_whole(bench: Bench) -> None:
    code, out, _ = await bench.program(
        "ldapsearch", *bench.who(), "-LLL", "-o", "ldif-wrap=no", "-b", BASE, f"(mail={DOCTOR})", "*", "+"
    )
    assert code == 0
    assert set(out.strip().splitlines()) == {
        f"dn: mail={DOCTOR},{BASE}",
        *(
            f"objectClass: {one}"
            for one in ("top", "person", "organizationalPerson", "inetOrgPerson", "mssMailbox")
        ),
        "cn: Camille EXEMPLE",
        "cn: EXEMPLE Camille",
        "displayName: Dr Camille EXEMPLE",
        "sn: EXEMPLE",
        "givenName: Camille",
        f"mail: {DOCTOR}",
        "title:: TcOpZGVjaW4=",
        "employeeNumber: 899900000101",
        "l: LYON",
        "postalCode: 69003",
        "businessCategory: PER",
        "structuralObjectClass: inetOrgPerson",
        "subschemaSubentry: cn=subschema",
    }


async def test_attributes_are_selected(bench: Bench) -> None:
    who = ["ldapsearch", *bench.who(), "-LLL", "-o", "ldif-wrap=no", "-b", BASE, "(sn=exemple)"]
    _, out, _ = await bench.program(*who, "surname", "2.5.4.42", "unheardOf")
    assert out.split("\n", 1)[1].strip() == "sn: EXEMPLE\ngivenName: Camille"
    _, out, _ = await bench.program(*who, "1.1")
    assert out.strip() == f"dn: mail={DOCTOR},{BASE}"
    _, out, _ = await bench.program(*who, "-A", "sn")
    code, out, _ = await bench.program(*who[:1], "-A", *who[1:], "sn")
    assert (code, out.split("\n", 1)[1].strip()) == (0, "sn:")


async def test_starttls(bench: Bench) -> None:
    code, out = await ask(bench, "(sn=exemple)", starttls=True)
    assert (code, found(out)) == (0, [DOCTOR])
    code, out, _ = await bench.program("ldapwhoami", *bench.who(), starttls=True)
    assert (code, out.strip()) == (0, f"u:{DOCTOR}")


async def test_who_am_i(bench: Bench) -> None:
    secret = bench.passwords[DOCTOR]
    for name in (
        DOCTOR,
        DOCTOR.upper(),
        f"mail={DOCTOR},ou=comptes,{BASE}",
        f"MAIL={DOCTOR}, {BASE.upper()}",
    ):
        code, out, err = await bench.program("ldapwhoami", "-D", name, "-w", secret)
        assert (code, out.strip()) == (0, f"u:{DOCTOR}"), err
    code, out, _ = await bench.program("ldapwhoami")
    assert (code, out.strip()) == (0, "anonymous")


@pytest.mark.parametrize(
    ("name", "password", "code", "rule"),
    [
        (DOCTOR, "wrong", 49, "ldap.bind"),
        (f"nobody@{DOMAIN}", "wrong", 49, "ldap.bind"),
        (f"mail={DOCTOR},ou=elsewhere", "right", 49, "ldap.bind"),
        (PATIENT, "right", 50, "ldap.professionals"),
        (PATIENT, "wrong", 49, "ldap.bind"),
    ],
)
async def test_who_may_not_sign_in(bench: Bench, name: str, password: str, code: int, rule: str) -> None:
    secret = bench.passwords[PATIENT if name == PATIENT else DOCTOR] if password == "right" else "wrong"
    status, _, err = await bench.program("ldapwhoami", "-D", name, "-w", secret)
    assert status == code
    assert f"[{rule}]" in err


async def test_anybody_may_see_what_the_server_is(bench: Bench) -> None:
    root = ["ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", "", "(objectClass=*)"]
    code, out, _ = await bench.program(*root, "+")
    assert code == 0
    assert f"namingContexts: {BASE}" in out
    assert "supportedLDAPVersion: 3" in out
    assert "supportedControl: 1.2.840.113556.1.4.319" in out
    assert "1.3.6.1.4.1.1466.20037" not in out, "TLS is on: StartTLS is not to be had"
    code, _, err = await bench.program("ldapsearch", "-LLL", "-b", BASE, "(sn=exemple)")
    assert code == 8
    assert "[ldap.anonymous]" in err


async def test_the_schema_is_told(bench: Bench) -> None:
    code, out, _ = await bench.program(
        "ldapsearch", *bench.who(), "-LLL", "-s", "base", "-b", "cn=subschema", "(objectClass=subschema)", "+"
    )
    assert code == 0
    assert "inetOrgPerson" in out
    assert "rfc822Mailbox" in out


MODIFY = f"dn: mail={DOCTOR},{BASE}\nchangetype: modify\nreplace: sn\nsn: OTHER\n"
ADD = f"dn: mail=x@{DOMAIN},{BASE}\nobjectClass: inetOrgPerson\ncn: X\nsn: X\n"


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (["ldapmodify"], MODIFY),
        (["ldapadd"], ADD),
        (["ldapdelete", f"mail={DOCTOR},{BASE}"], ""),
        (["ldapmodrdn", f"mail={DOCTOR},{BASE}", "mail=y"], ""),
        (["ldapcompare", f"mail={DOCTOR},{BASE}", "sn:EXEMPLE"], ""),
    ],
)
async def test_nothing_can_be_written(bench: Bench, words: list[str], data: str) -> None:
    code, out, err = await bench.program(words[0], *bench.who(), *words[1:], data=data)
    assert code == 53, out + err
    assert "[ldap.read_only]" in out + err


async def test_a_password_cannot_be_changed_here(bench: Bench) -> None:
    code, _, err = await bench.program("ldapexop", *bench.who(), "1.3.6.1.4.1.4203.1.11.1")
    assert code != 0
    assert "Protocol error (2)" in err
    assert "[ldap.extended]" in err


async def test_the_whole_tree_is_not_given(bench: Bench) -> None:
    for filter_ in ("(objectClass=*)", "(mail=*)", "(!(sn=exemple))", "(objectClass=inetOrgPerson)"):
        code, out = await ask(bench, filter_)
        assert code == 11, out
        assert set(found(out)) <= {""}, out
        assert "[ldap.limit]" in out


async def test_a_size_limit(bench: Bench) -> None:
    code, out = await ask(bench, "(l=lyon)", "-z", "2")
    assert code == 4
    assert len(found(out)) == 2


async def test_pages(bench: Bench) -> None:
    code, out = await ask(bench, f"(mail=*{DOMAIN})", "-E", "pr=2/noprompt")
    assert code == 0, out
    assert sorted(found(out)) == sorted([DOCTOR, MARIE, ANDRE, OFFICE, CABINET])


async def test_one_entry_by_its_name(bench: Bench) -> None:
    words = ["ldapsearch", *bench.who(), "-LLL", "-s", "base"]
    code, out, _ = await bench.program(
        *words, "-b", f"mail=secretariat\\2bnord@{DOMAIN},{BASE}", "(objectClass=*)", "ou"
    )
    assert code == 0
    assert "ou: CARDIOLOGIE" in out
    code, out, err = await bench.program(*words, "-b", f"mail=nobody@{DOMAIN},{BASE}")
    assert code == 32
    assert f"Matched DN: {BASE}" in err
    code, _, err = await bench.program(*words, "-b", f"mail=logiciel.marie@{DOMAIN},{BASE}")
    assert code == 32
    code, _, err = await bench.program(*words, "-b", "not a name")
    assert code == 34, err


async def test_a_client_without_a_base_finds_too(bench: Bench) -> None:
    code, out, _ = await bench.program("ldapsearch", *bench.who(), "-LLL", "-b", "", "(sn=exemple)", "mail")
    assert (code, found(out)) == (0, [DOCTOR])


@pytest.mark.package("curl")
async def test_curl(bench: Bench) -> None:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--cacert", str(bench.authority), "-u", f"{DOCTOR}:{bench.passwords[DOCTOR]}",
        f"ldaps://localhost:{bench.server.port}/{BASE}?cn,mail?sub?(sn=exemple)",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ},
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    if process.returncode == 1 and b"not supported" in err:
        pytest.skip("this curl does not speak LDAP")
    assert process.returncode == 0, err
    assert f"mail: {DOCTOR}" in out.decode()


@pytest.mark.parametrize(
    "filter_", ["(mail=discret@{domain})", "(employeeNumber=899900000168)", "(sn=discret)", "(cn=disc*)"]
)
async def test_the_liste_rouge_is_hidden_by_whatever_it_is_asked(bench: Bench, filter_: str) -> None:
    asked = filter_.format(domain=DOMAIN)
    code, out, _ = await bench.program("ldapsearch", *bench.who(), "-LLL", "-b", BASE, asked)
    assert (code, found(out)) == (0, [])


async def test_the_liste_rouge_is_hidden_by_its_name_too(bench: Bench) -> None:
    name = f"mail=discret@{DOMAIN},{BASE}"
    code, _, err = await bench.program(
        "ldapsearch", *bench.who(), "-LLL", "-s", "base", "-b", name, "(objectClass=*)"
    )
    assert code == 32  # noSuchObject
    assert "[ldap.base]" in err
