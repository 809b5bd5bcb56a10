"""Real clients against the running server: imaplib, aioimaplib, mbsync and curl."""

from __future__ import annotations

import asyncio
import hashlib
import imaplib
import random
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import aioimaplib
import pytest
from imap_support import PASSWORD, USER, Bench, simple_message

from store import mail as mailboxes

NASTY = [
    simple_message(1),
    b"Subject: no final newline\r\n\r\nlast line",
    b"Subject: eight bit \xe9\xe8\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n\xe9t\xe9\r\n",
    b"Subject: empty body\r\n\r\n",
    b"Subject: header only\r\n",
    b"no header at all",
    b"Subject: dots\r\n\r\n.\r\n..\r\n{5}\r\n* BYE\r\n",
    b"Subject: =?utf-8?q?sant=C3=A9?=\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"
    b"--B\r\n\r\none\r\n--B\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntwo\r\n--B--\r\n",
    b"Subject: long line\r\n\r\n" + b"x" * 100_000 + b"\r\n",
]
PREFIX = b"Return-Path: <a@hop.example>\r\nReceived: from a by b; Mon, 2 Nov 2026 10:00:00 +0100\r\n"


def stored_bytes(bench: Bench, folder_id: int) -> list[bytes]:
    """What the store serves for each message of a folder: prefix and raw body, in UID order."""
    from gateway.message import decode_meta

    def read(connection: object) -> list[bytes]:
        out = []
        for entry in mailboxes.entries(connection, bench.box_id, folder_id):
            message = bench.store.messages(connection, bench.box_id, [entry.message_id])[entry.message_id]
            body = b"".join(bench.store.open_body(message).chunks())
            out.append(decode_meta(message.meta).prefix + body)
            assert len(out[-1]) == entry.size
        return out

    return bench.store.read(read)


async def test_imaplib(bench: Bench) -> None:
    for raw in NASTY:
        await bench.adeliver(raw, prefix=PREFIX)

    def session() -> None:
        with imaplib.IMAP4_SSL("localhost", bench.port, ssl_context=bench.client_context) as client:
            with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
                client.login(USER, "wrong")
            client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            assert client.select()[1] == [str(len(NASTY)).encode()]
            assert client.untagged_responses["UIDVALIDITY"]
            status, data = client.search(None, "ALL")
            assert status == "OK" and data[0].split() == [str(n + 1).encode() for n in range(len(NASTY))]
            for number, raw in enumerate(NASTY, 1):
                status, data = client.fetch(str(number), "(UID FLAGS RFC822.SIZE BODY.PEEK[])")
                assert data[0][1] == PREFIX + raw
                size = re.search(rb"RFC822\.SIZE (\d+)", data[0][0])
                assert size and int(size[1]) == len(PREFIX + raw)
            status, data = client.fetch("1:*", "(ENVELOPE BODYSTRUCTURE)")
            assert status == "OK"
            assert client.store("1:2", "+FLAGS", r"(\Seen $Label)")[0] == "OK"
            assert client.copy("1:2", "Archives")[0] == "OK"
            assert client.uid("MOVE", "3", "Archives")[0] == "OK"
            assert (
                client.append("Archives", r"(\Draft)", imaplib.Time2Internaldate(1_700_000_000), NASTY[7])[0]
                == "OK"
            )
            assert client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")[0] == "OK"
            assert client.expunge()[1] == [b"3", b"1"]  # the MOVE told of the 3
            assert client.create('"nouveau dossier"')[0] == "OK"
            assert client.list()[0] == "OK"
            assert client.status("Archives", "(MESSAGES UIDNEXT)")[1] == [b"Archives (MESSAGES 4 UIDNEXT 5)"]
            assert client.namespace()[1] == [b'(("" "/")) NIL NIL']
            assert client.unselect()[0] == "OK"
            client.select("Archives", readonly=True)
            assert client.fetch("4", "(INTERNALDATE BODY[])")[1][0][1] == NASTY[7]

    await asyncio.to_thread(session)
    assert stored_bytes(bench, 4)[:2] == [PREFIX + raw for raw in NASTY[:2]]


async def test_aioimaplib(bench: Bench) -> None:
    await bench.adeliver(NASTY[0], prefix=PREFIX)
    client = aioimaplib.IMAP4_SSL("localhost", bench.port, ssl_context=bench.client_context)
    await client.wait_hello_from_server()
    assert (await client.login(USER, PASSWORD)).result == "OK"
    assert client.has_capability("IDLE") and client.has_capability("UIDPLUS")
    assert (await client.select("INBOX")).result == "OK"
    answer = await client.uid("fetch", "1", "(FLAGS BODY.PEEK[])")
    assert bytes(answer.lines[1]) == PREFIX + NASTY[0]
    pushing = await client.idle_start(timeout=20)
    await bench.adeliver(NASTY[1])
    assert b"2 EXISTS" in await client.wait_server_push()
    client.idle_done()
    await asyncio.wait_for(pushing, 5)
    answer = await client.append(NASTY[6], "INBOX", flags=r"\Seen")
    assert answer.result == "OK" and "APPENDUID" in answer.lines[-1].decode()
    assert (await client.uid("store", "1", r"+FLAGS (\Deleted)")).result == "OK"
    assert (await client.expunge()).result == "OK"
    assert (await client.search("ALL")).lines[0] == b"1 2"
    assert (await client.move("1", "Archives")).result == "OK"
    assert (await client.logout()).result == "OK"
    assert stored_bytes(bench, 4) == [NASTY[1]]


class Mbsync:
    """Debian's isync between the server and a Maildir, both ways."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.maildir = folder / "maildir"
        self.maildir.mkdir()
        self.config = folder / "mbsyncrc"
        self.config.write_text(
            f'IMAPAccount passerelle\nHost localhost\nPort {bench.port}\nUser {USER}\nPass "{PASSWORD}"\n'
            f"SSLType IMAPS\nCertificateFile {bench.certificate}\n\n"
            "IMAPStore far\nAccount passerelle\n\n"
            f"MaildirStore near\nPath {self.maildir}/\nInbox {self.maildir}/INBOX\nSubFolders Verbatim\n\n"
            "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\n"
            "SyncState *\nCopyArrivalDate yes\n"
        )

    async def run(self) -> None:
        program = shutil.which("mbsync")
        assert program
        process = await asyncio.create_subprocess_exec(
            program,
            "-c",
            str(self.config),
            "-a",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
        assert process.returncode == 0, output.decode("utf-8", "replace")

    def files(self, folder: str = "INBOX") -> dict[str, Path]:
        """SHA-256 of the content → file."""
        return {
            hashlib.sha256(_plain(path.read_bytes())).hexdigest(): path
            for place in ("cur", "new")
            for path in (self.maildir / folder / place).iterdir()
        }


def _plain(octets: bytes) -> bytes:
    """A message with Unix line ends and without mbsync's own mark, as it lies in the Maildir."""
    octets = octets.replace(b"\r\n", b"\n")
    return re.sub(rb"^X-TUID: [^\n]*\n", b"", octets, flags=re.MULTILINE)


def _digests(messages: list[bytes]) -> set[str]:
    return {hashlib.sha256(_plain(message)).hexdigest() for message in messages}


@pytest.mark.package("mbsync")
async def test_mbsync_both_ways(bench: Bench, tmp_path: Path) -> None:
    bodies = [raw for raw in NASTY if b"\r\n\r\n" in raw]  # mbsync passes over one without a body
    bodies.append(
        b"Subject: big\r\n\r\n"
        + random.Random(5).randbytes(700_000).hex("\n", 30).encode().replace(b"\n", b"\r\n")
    )
    for raw in bodies:
        await bench.adeliver(raw, prefix=PREFIX)
    await bench.adeliver(simple_message(50), folder_id=4, flags=mailboxes.SEEN | mailboxes.FLAGGED)
    sync = Mbsync(bench, tmp_path)
    # Down: every message arrives byte for byte (but for the Maildir's line ends), with its flags.
    await sync.run()
    assert set(sync.files()) == _digests(stored_bytes(bench, 1)) and len(sync.files()) == len(bodies)
    archived = next(iter(sync.files("Archives").values()))
    assert archived.name.endswith(":2,FS")
    assert (sync.maildir / "Envoy&AOk-s").is_dir()
    # Nothing changed: nothing moves.
    before = bench.store.read(mailboxes.box_by_id, bench.box_id).modseq
    await sync.run()
    assert bench.store.read(mailboxes.box_by_id, bench.box_id).modseq == before
    # Up: a flag, a removal, a new message, a new folder.
    files = list(sync.files().items())
    (seen_digest, seen), (gone_digest, gone) = files[0], files[1]
    target = seen.parent.parent / "cur" / (seen.name.split(":2,")[0] + ":2,RS")
    seen.rename(target)
    gone.rename(gone.parent.parent / "cur" / (gone.name.split(":2,")[0] + ":2,ST"))
    fresh = b"Subject: fresh\n\nwritten here\n"
    (sync.maildir / "INBOX" / "new" / "1700000000.1.test").write_bytes(fresh)
    for name in ("cur", "new", "tmp"):
        (sync.maildir / "Dossier &AOk-t&AOk-" / name).mkdir(parents=True)
    (sync.maildir / "Dossier &AOk-t&AOk-" / "cur" / "1700000001.1.test:2,F").write_bytes(fresh)
    await sync.run()
    served = stored_bytes(bench, 1)
    entries = bench.store.read(mailboxes.entries, bench.box_id, 1)
    by_digest = {
        hashlib.sha256(_plain(raw)).hexdigest(): entry for raw, entry in zip(served, entries, strict=True)
    }
    assert by_digest[seen_digest].flags == mailboxes.SEEN | mailboxes.ANSWERED
    assert gone_digest not in by_digest
    assert hashlib.sha256(fresh).hexdigest() in by_digest
    made = bench.store.read(mailboxes.folder_by_name, bench.box_id, "Dossier été")
    assert made is not None
    assert bench.store.read(mailboxes.entries, bench.box_id, made.folder_id)[0].flags == mailboxes.FLAGGED
    # Down again: a change of flags and a removal on the server reach the Maildir.
    uids = [entry.uid for entry in entries]
    place = {"box_id": bench.box_id, "folder_id": 1}
    write = bench.store.awrite
    await write(mailboxes.change_flags, uids=uids[:1], mode="add", flags=mailboxes.FLAGGED, **place)
    await write(mailboxes.change_flags, uids=uids[1:2], mode="add", flags=mailboxes.DELETED, **place)
    await write(mailboxes.expunge, uids=uids[1:2], **place)
    await sync.run()
    await sync.run()
    served = stored_bytes(bench, 1)
    assert set(sync.files()) == _digests(served)
    assert "F" in sync.files()[next(iter(_digests(served[:1])))].name.split(":2,")[1]


@pytest.mark.package("curl")
async def test_curl(bench: Bench, tmp_path: Path) -> None:
    await bench.adeliver(NASTY[8], prefix=PREFIX)
    program = shutil.which("curl")
    assert program

    def curl(*arguments: str) -> bytes:
        return subprocess.run(
            [program, "-sS", "--cacert", str(bench.certificate), "-u", f"{USER}:{PASSWORD}", *arguments],
            check=True,
            capture_output=True,
            timeout=30,
        ).stdout

    upload = tmp_path / "upload"
    upload.write_bytes(NASTY[0])
    base = f"imaps://localhost:{bench.port}"
    assert await asyncio.to_thread(curl, f"{base}/INBOX;UID=1") == PREFIX + NASTY[8]
    assert b"INBOX" in await asyncio.to_thread(curl, base)
    assert await asyncio.to_thread(curl, f"{base}/INBOX?ALL") == b"* SEARCH 1\r\n"
    await asyncio.to_thread(curl, "-T", str(upload), f"{base}/Archives")
    assert stored_bytes(bench, 4) == [NASTY[0]]
    assert ssl.OPENSSL_VERSION
