"""The submission port: TLS both ways, EXTERNAL, PLAIN, LOGIN, and how often one may fail."""

from __future__ import annotations

import base64

import pytest
from smtp_support import Client, World

from gateway.smtp import Limits

pytestmark = pytest.mark.wire
GOOD = base64.b64encode(b"\0dr@pro.example\0correct horse").decode()
BAD = base64.b64encode(b"\0dr@pro.example\0wrong horse").decode()
MAIL = "MAIL FROM:<dr@pro.example>"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def ready(here: World, name: str | None = None, *, implicit: bool = True, **options: object) -> Client:
    server = await here.submission(implicit_tls=implicit, **options)
    client = await here.raw_client(server, here.context(name) if implicit else None)
    client.ehlo = await client.greet(None if implicit else here.context(name))  # type: ignore[attr-defined]
    return client


@pytest.mark.parametrize("implicit", [True, False])
async def test_mail_needs_authentication(here: World, implicit: bool) -> None:
    client = await ready(here, implicit=implicit)
    assert "250 AUTH PLAIN LOGIN" in client.ehlo.splitlines()  # type: ignore[attr-defined]
    assert await client.say(MAIL) == "530 5.7.0 authentication required"
    assert await client.say(f"AUTH PLAIN {GOOD}") == "235 2.7.0 authentication successful"
    assert await client.say(f"AUTH PLAIN {GOOD}") == "503 5.5.1 already authenticated"
    assert "AUTH" not in await client.say("EHLO again.example")
    assert await client.say(MAIL) == "250 2.1.0 sender OK"
    assert (await client.say("RCPT TO:<p1@patient.example>")).startswith("250")
    assert (await client.say("DATA")).startswith("354")
    assert (await client.say("Subject: x\r\n\r\n.")).startswith("250")
    envelope, origin, _ = here.router.accepted[0]
    assert (envelope.protocol, origin.kind, origin.address) == ("ESMTPSA", "professional", "dr@pro.example")
    assert origin.tls.startswith("TLSv1.3")
    assert origin.peer == "127.0.0.1"


async def test_no_authentication_in_clear(here: World) -> None:
    server = await here.submission()
    client = await here.raw_client(server)
    assert "AUTH" not in await client.greet()
    assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("530 5.7.0")


async def test_plain_and_login_dialogues(here: World) -> None:
    client = await ready(here)
    assert await client.say("AUTH PLAIN") == "334 "
    assert (await client.say(GOOD)).startswith("235")
    client = await ready(here)
    assert await client.say("AUTH LOGIN") == "334 " + b64("Username:")
    assert await client.say(b64("dr@pro.example")) == "334 " + b64("Password:")
    assert (await client.say(b64("correct horse"))).startswith("235")
    client = await ready(here)
    assert await client.say(f"auth login {b64('dr@pro.example')}") == "334 " + b64("Password:")
    assert (await client.say(b64("correct horse"))).startswith("235")


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["AUTH"], "501 5.5.4 syntax: AUTH mechanism [initial-response]"),
        (["AUTH PLAIN a b"], "501 5.5.4 syntax: AUTH mechanism [initial-response]"),
        (["AUTH CRAM-MD5"], "504 5.5.4 mechanism not offered [auth.syntax]"),
        (["AUTH EXTERNAL ="], "535 5.7.8 no client certificate was shown [sender.certificate]"),
        (["AUTH PLAIN !!!"], "501 5.5.2 response is not base64 [auth.syntax]"),
        (["AUTH PLAIN " + b64("no nul")], "501 5.5.2 malformed PLAIN response [auth.syntax]"),
        (
            ["AUTH PLAIN " + base64.b64encode(b"\0\xff\0x").decode()],
            "501 5.5.2 response is not UTF-8 [auth.syntax]",
        ),
        (["AUTH PLAIN", "*"], "501 5.5.2 authentication cancelled [auth.syntax]"),
        (["AUTH PLAIN " + b64("\0\0")], "535 5.7.8 credentials invalid [auth.failed]"),
        (["AUTH PLAIN " + BAD], "535 5.7.8 credentials invalid [auth.failed]"),
        (
            ["AUTH PLAIN " + b64("boss@pro.example\0dr@pro.example\0correct horse")],
            "535 5.7.8 credentials invalid [auth.failed]",
        ),
    ],
)
async def test_what_is_wrong_is_refused(here: World, lines: list[str], answer: str) -> None:
    client = await ready(here)
    told = ""
    for line in lines:
        told = await client.say(line)
    assert told == answer
    assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("235")


async def test_three_failures_end_the_session(here: World) -> None:
    client = await ready(here, limits=Limits(auth_failures=3, linger=0.1))
    for _ in range(2):
        assert (await client.say(f"AUTH PLAIN {BAD}")).startswith("535")
    await client.send(f"AUTH PLAIN {BAD}\r\nAUTH PLAIN {GOOD}\r\n".encode())
    assert await client.rest() == (
        b"535 5.7.8 credentials invalid [auth.failed]\r\n421 4.7.0 too many authentication failures\r\n"
    )


async def test_external_by_certificate(here: World) -> None:
    client = await ready(here, "doctor")
    assert "250 AUTH EXTERNAL PLAIN LOGIN" in client.ehlo  # type: ignore[attr-defined]
    assert await client.say(f"AUTH EXTERNAL {b64('boss@pro.example')}") == (
        "535 5.7.8 the certificate does not open that mailbox [sender.identity]"
    )
    assert await client.say("AUTH EXTERNAL") == "334 "
    assert (await client.say("")).startswith("235")
    assert await client.say(MAIL) == "250 2.1.0 sender OK"


@pytest.mark.parametrize("name", ["stranger", "revoked", "hospital-auth"])
async def test_external_with_a_bad_or_useless_certificate(here: World, name: str) -> None:
    client = await ready(here, name)
    offered = "EXTERNAL" in client.ehlo  # type: ignore[attr-defined]
    assert offered == (name == "hospital-auth")
    told = await client.say("AUTH EXTERNAL =")
    assert told.startswith("535 5.7.8")
    rules = {
        "stranger": "sender.certificate",
        "revoked": "sender.revoked",
        "hospital-auth": "sender.identity",
    }
    assert told.endswith(f"[{rules[name]}]")
    assert (await client.say(f"AUTH PLAIN {GOOD}")).startswith("235")
