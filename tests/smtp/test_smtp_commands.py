"""MAIL and RCPT lines: addresses, parameters, and what the refusals say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.address import AddressError, domain_of, parse_path
from gateway.smtp.params import ParameterError, parse_mail, parse_rcpt, xtext_decode, xtext_encode
from store.errors import PasserelleError

GOOD_PATHS = [
    ("<>", ""),
    ("<a@b>", "a@b"),
    ("<a.b+c@d-e.example>", "a.b+c@d-e.example"),
    ("<Dr.X@Hopital.EXAMPLE>", "Dr.X@Hopital.EXAMPLE"),
    ('<"a b"@c.example>', '"a b"@c.example'),
    ('<"a\\"b"@c.example>', '"a\\"b"@c.example'),
    ('<"plain"@c.example>', "plain@c.example"),
    ('<"pl\\ain"@c.example>', "plain@c.example"),
    ('<"a@b"@c.example>', '"a@b"@c.example'),
    ('<"a>b"@c.example>', '"a>b"@c.example'),
    ('<""@c.example>', '""@c.example'),
    ("<@relay.example,@two.example:a@b.example>", "a@b.example"),
    ("<Postmaster>", "postmaster"),
    ("<279035121518989@patient.example>", "279035121518989@patient.example"),
    (f"<{'l' * 64}@x.example>", f"{'l' * 64}@x.example"),
]
BAD_PATHS = [
    "",
    "a@b",
    "<a@b",
    "<a@>",
    "<@b>",
    "<a b@c>",
    "<.a@c>",
    "<a.@c>",
    "<a..b@c>",
    "<a@-c>",
    "<a@c->",
    "<a@c..d>",
    "<a@c.>",
    "<a@.c>",
    "<a@[127.0.0.1]>",
    "<a@[IPv6:::1]>",
    "<a@b@c>",
    "<a\t@c>",
    '<"a@c>',
    '<"a"b@c>',
    '<"a\x01"@c>',
    "<nobody>",
    "<@relay:>",
    "<@relay a@b>",
    "<a@b_c.example>",
    f"<{'l' * 65}@x.example>",
    f"<a@{'d' * 256}>",
    f"<{'l' * 60}@{'d' * 200}.example>",
    "<<a@b>>",
]


@pytest.mark.parametrize(("text", "address"), GOOD_PATHS)
def test_good_paths(text: str, address: str) -> None:
    assert parse_path(text + " SIZE=1", utf8=False) == (address, " SIZE=1")


@pytest.mark.parametrize("text", BAD_PATHS)
def test_bad_paths(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_path(text, utf8=True)
    assert caught.value.code == 553


def test_utf8_addresses_need_smtputf8() -> None:
    assert parse_path("<zoé@hôpital.example>", utf8=True)[0] == "zoé@hôpital.example"
    with pytest.raises(AddressError) as caught:
        parse_path("<zoé@example.com>", utf8=False)
    assert (caught.value.code, caught.value.enhanced) == (553, "5.6.7")
    for hidden in ("\u202e", "\u200b", "\u00a0", "\u0085"):
        with pytest.raises(AddressError):
            parse_path(f"<a{hidden}@example.com>", utf8=True)


def test_mail_keeps_the_case_of_values() -> None:
    command = parse_mail(
        "FROM:<a@b.example> size=42 body=8bitmime RET=hdrs ENVID=QQ+3D31aB AUTH=<>".replace(
            "AUTH=<>", "AUTH=+3C+3E"
        )
    )
    assert (command.address, command.size, command.body) == ("a@b.example", 42, "8BITMIME")
    assert (command.ret, command.envid, command.auth) == ("HDRS", "QQ+3D31aB", "+3C+3E")
    assert parse_mail("from: <> SMTPUTF8").smtputf8
    assert parse_mail("FROM:<zoé@a.example> SIZE=1 smtputf8").address == "zoé@a.example"


def test_rcpt_keeps_the_case_of_orcpt() -> None:
    command = parse_rcpt("TO:<x@y.example> notify=delay,Success ORCPT=rfc822;Bob+2BX@Example.COM")
    assert (command.address, command.notify) == ("x@y.example", "SUCCESS,DELAY")
    assert command.orcpt == "rfc822;Bob+2BX@Example.COM"
    assert parse_rcpt("TO:<x@y.example> NOTIFY=never").notify == "NEVER"
    assert parse_rcpt("TO:<é@y.example> ORCPT=utf-8;é@y.example", utf8=True).orcpt == "utf-8;é@y.example"


@pytest.mark.parametrize(
    ("line", "code", "enhanced"),
    [
        ("", 501, "5.5.4"),
        ("<a@b>", 501, "5.5.4"),
        ("TO:<a@b>", 501, "5.5.4"),
        ("FROM:<a@b> SIZE", 501, "5.5.4"),
        ("FROM:<a@b> SIZE=x", 501, "5.5.4"),
        ("FROM:<a@b> SIZE=-1", 501, "5.5.4"),
        ("FROM:<a@b> SIZE=" + "9" * 21, 501, "5.5.4"),
        ("FROM:<a@b> SIZE=1 size=2", 501, "5.5.4"),
        ("FROM:<a@b> BODY=BINARYMIME", 501, "5.5.4"),
        ("FROM:<a@b> BODY", 501, "5.5.4"),
        ("FROM:<a@b> SMTPUTF8=1", 501, "5.5.4"),
        ("FROM:<a@b> RET=ALL", 501, "5.5.4"),
        ("FROM:<a@b> ENVID=a=b", 501, "5.5.4"),
        ("FROM:<a@b> ENVID=a+b", 501, "5.5.4"),
        ("FROM:<a@b> ENVID=a+0Db", 501, "5.5.4"),
        ("FROM:<a@b> ENVID=" + "e" * 101, 501, "5.5.4"),
        ("FROM:<a@b> AUTH=", 501, "5.5.4"),
        ("FROM:<a@b> =x", 501, "5.5.4"),
        ("FROM:<a@b> MT-PRIORITY=3", 555, "5.5.4"),
        ("FROM:<a@b> NOTIFY=NEVER", 555, "5.5.4"),
        ("FROM:<a@b>SIZE=1", 501, "5.5.4"),
        ("FROM:<a@>", 553, "5.1.7"),
        ("FROM:<postmaster>", 553, "5.1.7"),
        ("FROM:<é@b>", 553, "5.6.7"),
        ('FROM:<"> SMTPUTF8 é"@b>', 553, "5.6.7"),
    ],
)
def test_bad_mail(line: str, code: int, enhanced: str) -> None:
    with pytest.raises(PasserelleError) as caught:
        parse_mail(line)
    assert (caught.value.code, caught.value.enhanced) == (code, enhanced)
    assert caught.value.peer.isascii()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("TO:<>", 553),
        ("FROM:<a@b>", 501),
        ("TO:<a@b> NOTIFY=", 501),
        ("TO:<a@b> NOTIFY=NEVER,SUCCESS", 501),
        ("TO:<a@b> NOTIFY=SUCCESS,SUCCESS", 501),
        ("TO:<a@b> NOTIFY=SOMETIMES", 501),
        ("TO:<a@b> ORCPT=rfc822", 501),
        ("TO:<a@b> ORCPT=rfc822;", 501),
        ("TO:<a@b> ORCPT=;x", 501),
        ("TO:<a@b> ORCPT=rfc822;a+2", 501),
        ("TO:<a@b> ORCPT=rfc822;a+2b", 501),
        ("TO:<a@b> ORCPT=rfc822;é@x", 501),
        ("TO:<a@b> ORCPT=rfc822;" + "x" * 500, 501),
        ("TO:<a@b> SIZE=1", 555),
    ],
)
def test_bad_rcpt(line: str, code: int) -> None:
    with pytest.raises(PasserelleError) as caught:
        parse_rcpt(line)
    assert caught.value.code == code


def test_parameters_need_ehlo() -> None:
    with pytest.raises(ParameterError) as caught:
        parse_mail("FROM:<a@b> SIZE=1", extended=False)
    assert caught.value.code == 555
    assert parse_mail("FROM:<a@b>", extended=False).address == "a@b"


@given(st.text(max_size=30))
def test_xtext_round_trip(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    assert xtext_decode(xtext_encode(clean)) == clean


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60), st.booleans())
def test_any_text_is_parsed_or_refused_and_what_is_parsed_is_stable(text: str, utf8: bool) -> None:
    for candidate in (text, f"<{text}>", f"<{text}@b.example>", f'<"{text}"@b.example>'):
        try:
            address, _ = parse_path(candidate, utf8=utf8)
        except AddressError:
            continue
        assert len(address.encode()) <= 256
        assert utf8 or address.isascii()
        if "@" in address:
            assert parse_path(f"<{address}>", utf8=utf8) == (address, "")
            assert domain_of(address) == address.rpartition("@")[2].casefold()


@given(st.text(alphabet=st.sampled_from('<>@";=. abSIZERTNOFY\\+,:éENVDCP1'), max_size=80))
def test_any_command_line_gets_an_answer(text: str) -> None:
    for parse in (parse_mail, parse_rcpt):
        for line in (text, f"FROM:{text}", f"TO:<a@b> {text}", f"FROM:<a@b> {text}"):
            try:
                parse(line)
            except PasserelleError as error:
                assert error.reply.isascii()
                assert error.code in (501, 553, 555)
