"""How codes leave: files, a real SMTP server, a command; nothing of them in logs or in `ps`."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from patients.sender import ChannelSender, CommandSender, FileSender, SenderError, SmtpSender
from patients.signin.contacts import Destination
from patients.signin.courier import Courier
from patients.signin.texts import Text, code_text, notice_text

FR, EN = code_text("sign-in", "482913", 10)


class Taken:
    """A handler of aiosmtpd that keeps messages, or refuses them."""

    def __init__(self, reply: str = "250 OK") -> None:
        self.reply = reply
        self.messages: list[Any] = []

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        assert envelope.rcpt_tos == ["marie@example.org"]
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.reply


async def test_by_smtp() -> None:
    taken = Taken()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(taken, hostname="relay.example"), "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        sender = SmtpSender("127.0.0.1", port, "codes@mon.example", tls="none")
        await sender.send("email", "marie@example.org", FR, EN)
        [message] = taken.messages
        text = message.get_content()
        assert text.index("Votre code pour vous connecter : 482913.") < text.index(
            "Your code to sign in: 482913."
        )
        assert message["Auto-Submitted"] == "auto-generated"
        assert "482913" not in message["Subject"]
        taken.reply = "550 no"
        with pytest.raises(SenderError) as refused:
            await sender.send("email", "marie@example.org", FR, EN)
        assert refused.value.rule == "signin.relay"
        assert "marie" not in str(refused.value) and "482913" not in str(refused.value)
        with pytest.raises(SenderError):  # it offers no STARTTLS: nothing is said in clear
            await SmtpSender("127.0.0.1", port, "codes@mon.example").send(
                "email", "marie@example.org", FR, EN
            )
        assert len(taken.messages) == 2
    finally:
        server.close()
        await server.wait_closed()
    with pytest.raises(SenderError, match=r"signin\.relay"):
        await sender.send("email", "marie@example.org", FR, EN)
    with pytest.raises(SenderError, match=r"signin\.channel"):
        await sender.send("sms", "+33612345678", FR, EN)


async def test_into_files(tmp_path: Path) -> None:
    sender = FileSender(tmp_path / "codes")
    await sender.send("email", "marie@example.org", FR, EN)
    await sender.send("sms", "+33612345678", FR, EN)
    files = sorted((tmp_path / "codes").iterdir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o600]
    said = [json.loads(path.read_text()) for path in files]
    assert [one["channel"] for one in said] == ["email", "sms"]
    assert said[0]["fr"] == FR and said[0]["en"] == EN


async def test_by_a_command(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        f"import sys, pathlib; pathlib.Path({str(out)!r}).write_text(repr((sys.argv[1:], sys.stdin.read())))"
    )
    await CommandSender([sys.executable, "-c", script, "gateway"]).send("sms", "+33612345678", FR, EN)
    assert out.read_text() == repr((["gateway"], f"+33612345678\n{FR}\n{EN}\n"))
    for command, seconds, reason in (
        ([sys.executable, "-c", "import sys; sys.exit(3)"], 30, "status 3"),
        ([str(tmp_path / "nothing")], 30, "does not start"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], 0.3, "in time"),
    ):
        with pytest.raises(SenderError, match=reason):
            await CommandSender(command, seconds=seconds).send("sms", "+33612345678", FR, EN)


async def test_a_failure_is_logged_without_what_and_to_whom(capsys: pytest.CaptureFixture[str]) -> None:
    courier = Courier(ChannelSender(None, None))
    courier.send([Destination("email", "marie@example.org")], Text(FR, EN))
    await courier.drain()
    told = capsys.readouterr()
    assert "code_not_sent" in told.out + told.err
    assert "marie" not in told.out + told.err and "482913" not in told.out + told.err


def test_texts_tell_no_health() -> None:
    for text in (
        *code_text("activation", "ABCD-EFGH-JKMN", 45),
        *notice_text("reset"),
        *notice_text("password"),
    ):
        assert "santé" not in text and "health" not in text
        assert len(text) <= 320  # two SMS
