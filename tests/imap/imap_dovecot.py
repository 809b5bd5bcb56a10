"""A private Dovecot on stdin and stdout, already authenticated, with folders as ours: "/" between levels."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

IMAP = "/usr/lib/dovecot/imap"


def dovecot(messages: list[bytes], commands: list[str]) -> list[tuple[bytes, str]]:
    """SELECT INBOX, then each command: (all it brought, status of its tagged answer). Blocking."""
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        folder = Path(name)
        maildir = folder / "mail" / "INBOX"
        for place in ("cur", "new", "tmp"):
            (maildir / place).mkdir(parents=True)
        for number, data in enumerate(messages):
            (maildir / "cur" / f"{1700000000 + number}.{number:06}.test:2,").write_bytes(data)
        uid, gid = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        config = folder / "dovecot.conf"
        config.write_text(
            f"base_dir = {folder}/run\nstate_dir = {folder}/state\n"
            f"mail_location = maildir:{folder}/mail:LAYOUT=fs:INBOX={maildir}\n"
            f"log_path = /dev/null\nprotocols = imap\nssl = no\nmail_uid = {uid}\nmail_gid = {gid}\n"
            "first_valid_uid = 1\nfirst_valid_gid = 1\nmail_fsync = never\n"
            "namespace inbox {\n  inbox = yes\n  separator = /\n}\n"
        )
        if os.geteuid() == 0:  # Dovecot refuses to read mail as root
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, uid, gid)
        with subprocess.Popen(
            [IMAP, "-c", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "USER": "test", "HOME": name},
        ) as process:
            out = [_ask(process, f"c{n}", command) for n, command in enumerate(["SELECT INBOX", *commands])]
            _ask(process, "end", "LOGOUT")
        return out[1:]


def _ask(process: subprocess.Popen[bytes], tag: str, command: str) -> tuple[bytes, str]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{tag} {command}\r\n".encode())
    process.stdin.flush()
    start = b"\r\n" + tag.encode() + b" "
    reply = b"\r\n"
    while not (start in reply and reply.endswith(b"\r\n")):
        piece = os.read(process.stdout.fileno(), 1 << 20)
        assert piece, "Dovecot ended early"
        reply += piece
    body, _, last = reply.rpartition(start)
    return body.removeprefix(b"\r\n") + b"\r\n", last.split(b" ")[0].decode()
