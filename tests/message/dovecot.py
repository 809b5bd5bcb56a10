"""Asks Dovecot, the oracle, how it sees messages: its imap program on a private Maildir, over stdin and
stdout, already authenticated. No daemon, no port, nothing outside the given folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.message.replies import read_fetches

IMAP = Path("/usr/lib/dovecot/imap")


class Oracle:
    """Messages in a fresh Maildir; the number of a message is its place, from 1. To be used in a `with`."""

    def __init__(self, messages: list[bytes]) -> None:
        # straight below the system's folder: pytest's own are closed to the user that reads the mail
        self._holder = tempfile.TemporaryDirectory(prefix="oracle-")
        self.folder = folder = Path(self._holder.name)
        maildir = folder / "mail"
        for name in ("cur", "new", "tmp"):
            (maildir / name).mkdir(parents=True)
        for place, data in enumerate(messages):
            (maildir / "cur" / f"{1700000000 + place}.{place:06}.oracle:2,S").write_bytes(data)
        # Dovecot refuses to read mail as root
        uid, gid = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        self.config = folder / "dovecot.conf"
        self.config.write_text(
            f"base_dir = {folder}/run\nstate_dir = {folder}/state\nmail_location = maildir:{maildir}\n"
            f"log_path = /dev/stderr\nprotocols = imap\nssl = no\nmail_uid = {uid}\nmail_gid = {gid}\n"
            "first_valid_uid = 1\nfirst_valid_gid = 1\nmail_fsync = never\n"
        )
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, uid, gid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.cleanup()

    def run(self, commands: list[str]) -> bytes:
        """The whole session: SELECT, the commands one by one, LOGOUT. Standard input stays open until the
        end: Dovecot drops what it has not yet written when its client goes."""
        process = subprocess.Popen(
            [str(IMAP), "-c", str(self.config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "USER": "oracle", "HOME": str(self.folder)},
        )
        with process:
            assert process.stdin is not None and process.stdout is not None
            replies: list[bytes] = []
            for number, command in enumerate(["SELECT INBOX", *commands, "LOGOUT"]):
                tag = b"t%dt" % number
                process.stdin.write(tag + b" " + command.encode() + b"\r\n")
                process.stdin.flush()
                reply = self._until(process.stdout.fileno(), b"\r\n" + tag + b" ")
                assert b"\r\n" + tag + b" OK" in reply, (command, reply[-500:])
                replies.append(reply)
        return b"".join(replies)

    @staticmethod
    def _until(source: int, mark: bytes) -> bytes:
        reply = b""
        pieces = [reply]
        while True:
            piece = os.read(source, 1 << 20)
            assert piece, ("Dovecot ended early", b"".join(pieces)[-500:])
            pieces.append(piece)
            reply = b"".join(pieces[-2:])
            if mark in reply and reply.endswith(b"\r\n"):
                return b"".join(pieces)

    def fetch(self, commands: list[str]) -> dict[int, dict[str, bytes]]:
        return read_fetches(self.run(commands))
