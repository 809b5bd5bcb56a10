"""What the tests of this room share beside the fixtures."""

from __future__ import annotations

from collections.abc import Callable

from certs import TrustSettings, TrustStore

NOW = 1_790_000_000_000  # the PKI's present: nothing here depends on the day tests run

Load = Callable[..., TrustStore]


def demanding(**sections: object) -> TrustSettings:
    """The settings of a demonstration's trust folder, with other values."""
    return TrustSettings.model_validate({"mode": "demo", **sections})
