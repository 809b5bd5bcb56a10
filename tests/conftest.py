"""Shared by all tests: programs of Debian's packages are skipped aloud where they are missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

# program looked for -> Debian package that holds it
PACKAGES = {
    "swaks": "swaks",
    "mbsync": "isync",
    "openssl": "openssl",
    "curl": "curl",
    "ldapsearch": "ldap-utils",
    "dovecot": "dovecot-imapd",
    "postgres": "postgresql-15",
    "softhsm2-util": "softhsm2",
    "xmllint": "libxml2-utils",
    "pdftotext": "poppler-utils",
    "qpdf": "qpdf",
    "formail": "procmail",
    "unzip": "unzip",
    "chromium": "chromium",
}
_ELSEWHERE = ["/usr/sbin", "/usr/lib/postgresql/15/bin"]


def find_program(name: str) -> str | None:
    """The path of a program, also where Debian keeps servers."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_ELSEWHERE]))


#: Their clock is read when tests are collected, and foreign responders answer with that of the machine: they
#: run before the two are further apart than clocks may be (five minutes).
_AT_ONCE = ("test_certs_ocsp", "test_certs_attacks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.path.name.startswith(_AT_ONCE))
    for item in items:
        for marker in item.iter_markers("package"):
            name = str(marker.args[0])
            if find_program(name) is None:
                package = PACKAGES.get(name, name)
                item.add_marker(pytest.mark.skip(reason=f"{name} is missing (Debian package {package})"))


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parent.parent
