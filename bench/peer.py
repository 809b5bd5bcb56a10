"""The peer (Postfix, OpenDKIM, Dovecot), when its set-up folder is at hand; see docs/performance.md.

The folder holds ``start.sh``, ``stop.sh`` and ``mkpki.sh``, which read their settings from the
environment. ``start.sh`` installs Debian's packages and needs root.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.scene import _free_ports
from bench.target import Target

PASSWORD = "secret"
_START_S = 900.0


def address(number: int) -> str:
    """The mail address of mailbox ``number`` at the peer."""
    return f"{number:015d}@patient.example"


def _environment(base: Path, **more: object) -> dict[str, str]:
    return {**os.environ, "B": str(base), **{name: str(value) for name, value in more.items()}}


def dkim_key(scripts: Path, base: Path) -> Path:
    """The key whose public half the peer under ``base`` will know; made when it is not there."""
    subprocess.run(
        [scripts.resolve() / "mkpki.sh"], env=_environment(base), check=True, stdout=subprocess.DEVNULL
    )
    return base / "pki" / "dkim.key"


@contextlib.contextmanager
def serving(
    scripts: Path, base: Path, boxes: int, *, milter: bool, key_type: str = "rsa2048"
) -> Iterator[Target]:
    """The peer runs within the block, all of it under ``base``.

    :param milter: OpenDKIM verifies what comes in.
    """
    scripts = scripts.resolve()
    smtp, imap = _free_ports(2)
    kind = "ec" if key_type == "p256" else "rsa"
    environment = _environment(
        base,
        USERS=boxes,
        PASSWORD=PASSWORD,
        MILTER=int(milter),
        KEYTYPE=kind,
        SMTP_PORT=smtp,
        IMAPS_PORT=imap,
    )
    with (base.parent / "peer.log").open("ab") as log:
        subprocess.run(
            [scripts / "start.sh"],
            env=environment,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=_START_S,
        )
    try:
        names = ["postfix", "dovecot"] + ["opendkim"] * milter
        roots = tuple(int((base / "run" / f"{name}.pid").read_text()) for name in names)
        queue = base / "postfix" / "queue"
        yield Target(
            name="peer, DKIM verified" if milter else "peer, without DKIM",
            smtp=("127.0.0.1", smtp),
            imap=("127.0.0.1", imap),
            certificate=base / "pki" / f"client-{kind}.pem",
            key=base / "pki" / f"client-{kind}.key",
            authorities=base / "pki" / "ca.pem",
            address=address,
            boxes=boxes,
            password=PASSWORD,
            roots=roots,
            folder=base,
            queues=tuple(queue / name for name in ("maildrop", "incoming", "active", "deferred")),
        )
    finally:
        subprocess.run([scripts / "stop.sh"], env=environment, check=False, stdin=subprocess.DEVNULL)
        time.sleep(0.2)
