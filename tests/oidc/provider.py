"""Starts npm's oidc-provider (provider.mjs beside this file) for tests that need a real OpenID provider."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SECRET = "un secret de quarante lettres pour le test"
REDIRECT = "https://mon.example/retour"


def node_modules(repository: Path) -> Path:
    """The provider's packages, installed by the project's script; skipped aloud where there is no npm."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing (Debian packages nodejs and npm)")
    run = subprocess.run(
        [repository / "scripts" / "node-tools"], capture_output=True, text=True, check=False, timeout=300
    )
    if run.returncode:
        pytest.skip(f"oidc-provider could not be installed: {run.stderr.strip()[-200:]}")
    return repository / run.stdout.strip()


@contextmanager
def running(repository: Path, modules: Path, **given: Any) -> Iterator[str]:
    """The provider, told what provider.mjs reads; gives its issuer."""
    said = {"secret": SECRET, "redirect": REDIRECT, "accounts": {}, "acr": "eidas1"} | given
    process = subprocess.Popen(
        ["node", repository / "tests" / "oidc" / "provider.mjs", modules, json.dumps(said)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    with process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
