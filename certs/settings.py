"""What is demanded of certificates: one file, ``trust.toml`` in the trust folder.

Absent, it means production. ``mode = "demo"`` is for the demonstration and for tests with test
certificates; only there may the floors of production be lowered. :func:`TrustSettings.relaxations` names
everything in which a home asks less than production does, for `passerelle doctor`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from certs.errors import TrustError
from certs.identity import Category
from certs.verdict import Purpose

FILE_NAME: Final = "trust.toml"
Digest = Literal["sha1", "sha224", "sha256", "sha384", "sha512"]
_RSA_BITS: Final = 2048
_EC_BITS: Final = 256
_STRONG: Final = frozenset({"sha256", "sha384", "sha512"})


def _sha256(value: str) -> str:
    folded = value.replace(":", "").lower()
    if len(folded) != 64 or set(folded) - set("0123456789abcdef"):
        raise ValueError("must be the sha256 of a certificate, 64 hexadecimal digits")
    return folded


def _oid(value: str) -> str:
    parts = value.split(".")
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError("must be an object identifier in dotted form")
    return value


Oid = Annotated[str, AfterValidator(_oid)]


class TrustSection(BaseModel):
    """A table of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RootsSection(TrustSection):
    """The roots that ``roots/`` may hold."""

    sha256: list[Annotated[str, AfterValidator(_sha256)]] = Field(
        [], description="fingerprints; when given, another certificate in roots/ stops the start"
    )


class PoliciesSection(TrustSection):
    """The initial values of RFC 5280 §6.1.1 (c) to (g)."""

    accepted: list[Oid] = Field([], description="policies for any purpose; empty accepts all")
    client: list[Oid] = Field([], description="for client certificates, instead of the above")
    server: list[Oid] = Field([], description="for server certificates")
    sign: list[Oid] = Field([], description="for signatures")
    explicit: bool = Field(
        False, description="one policy must hold through the path even when all are accepted"
    )
    inhibit_mapping: bool = Field(False, description="policies may not be mapped")
    inhibit_any: bool = Field(False, description="anyPolicy counts for nothing")

    def wanted(self, purpose: Purpose) -> frozenset[str]:
        """The accepted policies; empty accepts any."""
        own = {"client": self.client, "server": self.server, "sign": self.sign}.get(purpose)
        return frozenset(own or self.accepted)


class CategoriesSection(TrustSection):
    """Product categories (G01) of holders' certificates."""

    accepted: list[Category] | None = Field(
        None, description="prod, test, unknown (not stated); by default all but test, in demo mode all"
    )


class AlgorithmsSection(TrustSection):
    """What signs certificates and lists."""

    digests: list[Digest] = Field(["sha256", "sha384", "sha512"], description="digests of signatures")
    rsa_bits: int = Field(_RSA_BITS, ge=512, description="smallest RSA key")
    ec_bits: int = Field(_EC_BITS, ge=160, description="smallest elliptic curve")


class RevocationSection(TrustSection):
    """How the status of a certificate is found out."""

    prefer: Literal["crl", "ocsp"] = Field("crl", description="what is asked first; the other tells the rest")
    staleness_s: int = Field(0, ge=0, description="seconds a list is believed past its nextUpdate")
    clock_tolerance_s: int = Field(300, ge=0, le=3600, description="how far our clock may be behind a list's")
    freshest: Literal["use", "require"] = Field(
        "use", description="delta lists: used when held, or required where a list names one"
    )


class OcspSection(TrustSection):
    """How responders are asked (OCSP)."""

    ask: bool = Field(True, description="false: never ask; answers that peers staple are still taken")
    wait_s: int = Field(5, ge=1, le=60, description="seconds that a peer waits for a responder at most")
    hash: Literal["sha1", "sha256"] = Field(
        "sha1", description="names the certificate in a question; sha1 is the one every responder knows"
    )
    nonce: Literal["none", "offered", "required"] = Field(
        "none", description="offered: an answer without it is taken too; required: it is not"
    )
    get: bool = Field(True, description="short questions go by GET, which caches may answer")
    without_next_update_s: int = Field(
        600, ge=0, le=86_400, description="seconds an answer that has no nextUpdate is believed"
    )
    failure_s: int = Field(60, ge=1, description="seconds until a question that failed is asked again")
    pause_s: int = Field(
        30, ge=1, le=3600, description="seconds a responder is left alone after three failures in a row"
    )
    responders: dict[str, str] = Field(
        {}, description="authority's CN = URL of its responder, instead of the one certificates name"
    )


class ListsSection(TrustSection):
    """How revocation lists are fetched."""

    fetch: bool = Field(True, description="the back process fetches; false: lists are imported by hand")
    urls: list[str] = Field([], description="where lists are, beside the places that certificates name")
    every_minutes: int = Field(60, ge=1, description="how often each place is asked")
    before_minutes: int = Field(240, ge=0, description="asked at the latest so long before nextUpdate")
    max_mib: int = Field(64, ge=1, le=256, description="the largest list taken")


class TrustSettings(TrustSection):
    """Everything in ``trust.toml``."""

    mode: Literal["production", "demo"] = Field("production", description="demo admits test certificates")
    roots: RootsSection = RootsSection()
    policies: PoliciesSection = PoliciesSection()
    categories: CategoriesSection = CategoriesSection()
    algorithms: AlgorithmsSection = AlgorithmsSection()
    revocation: RevocationSection = RevocationSection()
    ocsp: OcspSection = OcspSection()
    lists: ListsSection = ListsSection()

    @model_validator(mode="after")
    def _floors(self) -> TrustSettings:
        if self.mode == "demo":
            return self
        if "test" in self.accepted_categories:
            raise ValueError('categories.accepted: test certificates are for mode = "demo" only')
        weak = sorted(set(self.algorithms.digests) - _STRONG)
        if weak:
            raise ValueError(f'algorithms.digests: {weak[0]} is for mode = "demo" only')
        if self.algorithms.rsa_bits < _RSA_BITS or self.algorithms.ec_bits < _EC_BITS:
            raise ValueError(
                f"algorithms: RSA below {_RSA_BITS} and curves below {_EC_BITS} bits are for demo"
            )
        return self

    @property
    def accepted_categories(self) -> frozenset[Category]:
        """The product categories that may be believed."""
        if self.categories.accepted is not None:
            return frozenset(self.categories.accepted)
        return frozenset({"prod", "unknown", "test"} if self.mode == "demo" else {"prod", "unknown"})

    def demands(self) -> str:
        """What is demanded here, in one line."""
        keys = f"RSA {self.algorithms.rsa_bits}, EC {self.algorithms.ec_bits} bits"
        roots = f"{len(self.roots.sha256)} pinned roots" if self.roots.sha256 else "any root in roots/"
        policies = self.policies
        named = policies.accepted or policies.client or policies.server or policies.sign
        return (
            f"{self.mode}: {roots}; {'named' if named else 'any'} policies; categories "
            f"{', '.join(sorted(self.accepted_categories))}; {', '.join(self.algorithms.digests)}; {keys}; "
            f"revocation by {self.revocation.prefer} first, hard-fail"
        )

    def relaxations(self) -> list[str]:
        """What is asked less than in production, each with its key; empty when nothing is."""
        found: list[str] = []
        if self.mode != "production":
            found.append('mode = "demo": the floors of production may be lowered')
        if "test" in self.accepted_categories:
            found.append(
                "categories: certificates of the test category are accepted, production refuses them"
            )
        weak = sorted(set(self.algorithms.digests) - _STRONG)
        if weak:
            found.append(f"algorithms.digests: {', '.join(weak)} accepted, production refuses it")
        if self.algorithms.rsa_bits < _RSA_BITS:
            found.append(f"algorithms.rsa_bits = {self.algorithms.rsa_bits}, production demands {_RSA_BITS}")
        if self.algorithms.ec_bits < _EC_BITS:
            found.append(f"algorithms.ec_bits = {self.algorithms.ec_bits}, production demands {_EC_BITS}")
        if self.revocation.staleness_s:
            found.append(
                f"revocation.staleness_s = {self.revocation.staleness_s}: lists are believed past their end"
            )
        return found


def load_trust_settings(folder: Path) -> TrustSettings:
    """Read and check ``folder``/trust.toml; production's values when there is none.

    :raises TrustError: not TOML, an unknown key, or a value that cannot be; the text names the key.
    """
    path = folder / FILE_NAME
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return TrustSettings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TrustError(f"{FILE_NAME} is not TOML: {error}") from None
    except OSError as error:
        raise TrustError(f"{FILE_NAME} cannot be read: {error.strerror}") from None
    try:
        return TrustSettings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{where}: {first['msg']}" if where else first["msg"]
        raise TrustError(f"{FILE_NAME}: {message}") from None


def trust_settings_text(mode: str = "production", given: Mapping[str, object] | None = None) -> str:
    """A ``trust.toml`` with every key at its default, commented out but for the mode and what is given.

    :param given: values by section and key: ``{"lists.fetch": False}``.
    """
    given = given or {}
    lines = [
        "# What is demanded of certificates. What is commented out has the value shown.",
        "",
        f"# {TrustSettings.model_fields['mode'].description}",
        f'mode = "{mode}"',
    ]
    for name, field in TrustSettings.model_fields.items():
        section = field.annotation
        if not (isinstance(section, type) and issubclass(section, TrustSection)):
            continue
        lines += ["", f"# {(section.__doc__ or '').splitlines()[0]}", f"[{name}]"]
        for key, value in section.model_fields.items():
            where = f"{name}.{key}"
            line = f"{key} = {_toml(given.get(where, value.default))}"
            lines += [f"# {value.description}", line if where in given else f"# {line}"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if value is None:
        return "…"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else f'"{value}"'
