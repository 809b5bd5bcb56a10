"""Browser tests share the patients' site with ``tests/webmail``, and one way to open a browser."""

from __future__ import annotations

from tests.browser.browser_kit import chromium
from tests.webmail.conftest import alice, site, web_space

__all__ = ["alice", "chromium", "site", "web_space"]
