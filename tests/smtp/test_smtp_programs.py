"""Programs that others wrote, against our ports: smtplib, aiosmtplib, swaks, openssl s_client."""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
from pathlib import Path

import aiosmtplib
import pytest
from smtp_support import World

from gateway.smtp import Limits
from tests.corpus import nasty_messages

pytestmark = pytest.mark.wire
ME, P1 = "dr@hopital.example", "p1@patient.example"
NASTY = {
    "empty": b"",
    "only a dot": b".\r\n",
    "dots": b"Subject: x\r\n\r\n.\r\n..\r\n...\r\n.a\r\n",
    "8-bit and NUL": b"Subject: \xc3\xa9\r\n\r\n\x00\xff\xfe\r\n",
    "no header": b"just text\r\n",
    "long line": b"Subject: x\r\n\r\n" + b"y" * 100_000 + b"\r\n",
    "many empty lines": b"\r\n" * 50_000,
    "deep": b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(200)
    ),
}


async def run(*words: str, data: bytes = b"") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(data), 30)
    assert process.returncode is not None
    return process.returncode, out.decode("utf-8", "replace")


async def test_smtplib_sends_the_nasty_ones_byte_for_byte(here: World) -> None:
    server = await here.serve(limits=Limits())
    # DATA cannot carry a message without a final line end: smtplib adds it.
    bodies = [*NASTY.values(), *nasty_messages().values()]
    bodies = [body if body.endswith(b"\r\n") else body + b"\r\n" for body in bodies]

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
            client.starttls(context=here.context())
            for body in bodies:
                client.sendmail(ME, [P1], body, mail_options=["BODY=8BITMIME"])

    await asyncio.to_thread(send)
    assert here.router.digests() == [hashlib.sha256(body).hexdigest() for body in bodies]


async def test_bdat_carries_the_nasty_ones_without_adding_anything(here: World) -> None:
    server = await here.serve(limits=Limits())
    client = await here.client(server)
    bodies = [*NASTY.values(), *nasty_messages().values()]
    assert any(not body.endswith(b"\r\n") for body in bodies)
    for body in bodies:
        cut = len(body) * 2 // 3
        await client.send(
            f"MAIL FROM:<{ME}> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<{P1}>\r\nBDAT {cut}\r\n".encode()
            + body[:cut]
            + b"BDAT %d LAST\r\n" % (len(body) - cut)
            + body[cut:]
        )
        assert [(await client.reply())[:3] for _ in range(4)] == ["250"] * 4
    assert here.router.digests() == [hashlib.sha256(body).hexdigest() for body in bodies]


async def test_aiosmtplib(here: World) -> None:
    server = await here.serve()
    async with aiosmtplib.SMTP(
        hostname="127.0.0.1", port=server.port, start_tls=True, tls_context=here.context()
    ) as client:
        errors, told = await client.sendmail(
            ME,
            [P1, "p9@patient.example"],
            NASTY["dots"],
            mail_options=["RET=HDRS", "ENVID=aB"],
            rcpt_options=["NOTIFY=FAILURE"],
        )
    assert told.startswith("2.0.0 OK, trace")
    assert errors["p9@patient.example"].code == 550
    assert here.router.bodies() == [NASTY["dots"]]
    assert here.router.accepted[0][0].envid == "aB"


@pytest.mark.package("swaks")
async def test_swaks_to_both_ports(here: World, tmp_path: Path) -> None:
    operators = await here.serve()
    submission = await here.submission(implicit_tls=True)
    certificate, key = (str(path) for path in here.pki.paths("hospital"))
    common = ["swaks", "--server", "127.0.0.1", "--from", ME, "--helo", "mx.hopital.example", "--to", P1]
    code, out = await run(
        *common,
        "--port",
        str(operators.port),
        "--tls",
        "--tls-cert",
        certificate,
        "--tls-key",
        key,
        "--body",
        "bonjour",
    )
    assert code == 0, out
    code, out = await run(
        *common,
        "--port",
        str(operators.port),
        "--tls",
        "--tls-cert",
        certificate,
        "--tls-key",
        key,
        "--to",
        "p9@patient.example",
    )
    assert code == 24, out  # no recipient was accepted
    assert "550 5.1.1 no such patient [recipient.unknown]" in out
    code, out = await run(*common, "--port", str(operators.port))
    assert code == 23, out
    assert "530 5.7.0 must issue a STARTTLS command first" in out
    secret = ["--auth", "PLAIN", "--auth-user", "dr@pro.example", "--auth-password", "correct horse"]
    code, out = await run(
        *common, "--port", str(submission.port), "--tls-on-connect", *secret, "--body", "salut"
    )
    assert code == 0, out
    assert [body.split(b"\r\n\r\n", 1)[1].strip() for body in here.router.bodies()] == [b"bonjour", b"salut"]
    assert [envelope.protocol for envelope, _, _ in here.router.accepted] == ["ESMTPS", "ESMTPSA"]


@pytest.mark.package("openssl")
@pytest.mark.parametrize("name", ["hospital", "revoked"])
async def test_openssl_s_client(here: World, name: str) -> None:
    server = await here.serve()
    certificate, key = (str(path) for path in here.pki.paths(name))
    lines = (
        f"MAIL FROM:<{ME}>\r\nRCPT TO:<{P1}>\r\nDATA\r\n".encode()
        + b"Subject: s\r\n\r\nbody\r\n.\r\nquit\r\n"
    )
    code, out = await run(
        *["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{server.port}"],
        *["-cert", certificate, "-key", key, "-quiet", "-ign_eof", "-name", "mx.example"],
        data=b"EHLO mx.example\r\n" + lines,
    )
    if name == "hospital":
        assert code == 0, out
        assert "250 2.0.0 OK, trace" in out
        assert here.router.bodies() == [b"Subject: s\r\n\r\nbody\r\n"]
    else:
        assert "[sender.revoked]" in out
        assert here.router.accepted == []


@pytest.mark.package("openssl")
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
async def test_old_tls_is_refused(here: World, version: str) -> None:
    server = await here.serve()
    code, out = await run(
        *["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{server.port}"],
        *[version, "-cipher", "ALL:@SECLEVEL=0"],
    )
    assert code != 0, out
    assert here.router.accepted == []
