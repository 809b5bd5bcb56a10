"""Settings: one TOML file, ``passerelle.toml`` in the home, read and checked before anything starts.

A configuration that cannot work does not start: every value is checked here, and the message names the
key. Paths are relative to the home.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.ldap import default_base, parse_dn
from gateway.routing import Policy
from store import PasserelleError

FILE_NAME = "passerelle.toml"
DAY_MS = 86_400_000


class SettingsError(PasserelleError):
    """The settings cannot be used; the text names the key."""

    code = 451
    enhanced = "4.3.5"
    fault = "config"


def _address(value: str) -> str:
    if value:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
            raise ValueError("must be host:port")
    return value


def _domain(value: str) -> str:
    value = value.casefold()
    if value and ("@" in value or " " in value or "." not in value):
        raise ValueError("must be a domain name")
    return value


def _url(value: str) -> str:
    if value:
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or " " in value:
            raise ValueError("must be a URL: https://host/path")
    return value


def _dn(value: str) -> str:
    try:
        parse_dn(value)
    except PasserelleError as error:
        raise ValueError(error.peer) from None
    return value


HostPort = Annotated[str, AfterValidator(_address)]
Domain = Annotated[str, AfterValidator(_domain)]
Url = Annotated[str, AfterValidator(_url)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GatewaySection(_Section):
    """Who we are and what we serve."""

    hostname: Domain = Field(min_length=1, description="our name in EHLO, Received and notifications")
    patient_domain: Domain = Field("", description="domain of the patients served here; empty for none")
    hosted_domains: list[Domain] = Field([], description="domains of professionals whose mailboxes are here")
    unlisted: Literal["accept", "refuse"] = Field("accept", description="senders absent from the annuaire")
    message_size: int = Field(
        25 * 1024 * 1024, ge=65536, le=1024**3, description="octets of a message, announced"
    )
    y: Literal["all", "xdm", "none"] = Field("all", description="documents filed into the record")
    quota: int = Field(0, ge=0, description="octets of a patient's mailbox; 0: none")
    smime: Literal["report", "refuse-broken"] = Field(
        "report", description="a message that was altered after it was signed: flagged, or refused"
    )


class PortsSection(_Section):
    """Where we listen; empty: not at all."""

    operators: HostPort = Field("127.0.0.1:2525", description="SMTP between operators: STARTTLS, mutual TLS")
    submission: HostPort = Field("127.0.0.1:4650", description="SMTP submission: implicit TLS, sign-in")
    imap: HostPort = Field("127.0.0.1:9930", description="IMAP: implicit TLS")
    ldap: HostPort = Field("", description="LDAP view of the directory: implicit TLS (ldaps)")
    ldap_starttls: HostPort = Field("", description="the same for clients that begin with StartTLS")
    web: HostPort = Field("", description="patients' pages and calendar feeds: HTTPS (docs/webmail.md)")
    metrics: HostPort = Field("", description="figures for Prometheus: plain HTTP, for a loopback address")
    fhir: HostPort = Field("", description="the professionals' door: FHIR over HTTPS (docs/fhir.md)")


class TlsSection(_Section):
    """Our certificate, for servers and as a client of other operators: PEM, chain included."""

    certificate: str = Field("tls/server.pem", description="our certificate and its intermediates")
    key: str = Field("tls/server.key", description="its private key, sealed (`passerelle certs protect`)")
    client_certificate: str = Field("", description="another one to show when relaying; empty: the same")
    client_key: str = Field("", description="its private key")
    passphrase: str = Field(
        "",
        description="what opens the private keys: `file:PATH`, `env:NAME` or `credential:NAME` (systemd); "
        "empty: derived from master.key",
    )


class SmimeSection(_Section):
    """The certificate that signs our receipts and reports; without it they are not signed."""

    certificate: str = Field("", description="PEM, its intermediates included; for mail, with our address")
    key: str = Field("", description="its private key, sealed like that of `[tls]`, or a `pkcs11:` URI")


class RelaySection(_Section):
    """Mail that leaves for other operators."""

    routes: dict[str, HostPort] = Field({}, description="domain to host:port, instead of its MX")
    lifetime_hours: int = Field(48, ge=1, description="how long to try before the sender is told")
    concurrency: int = Field(10, ge=1, le=200, description="domains sent to at the same time")


class AnnuaireSection(_Section):
    """The directory."""

    history_days: int = Field(3650, ge=1, description="how long what the annuaire said before is kept")


class WhitelistSection(_Section):
    """The list of authorised domains: who must have signed it, where it is fetched, how old it may be."""

    signer_cn: str = Field("", description="common name of the signer's certificate")
    signer_ou: str = Field("", description="its organisational unit")
    url: Url = Field("", description="where it is published; empty: it is imported by hand")
    refresh_hours: int = Field(4, ge=1, le=168, description="how often it is fetched")
    warn_days: int = Field(2, ge=1, description="a list not confirmed for so long is used with a warning")
    max_age_days: int = Field(7, ge=0, description="after that nobody is authorised; 0: never")
    keep_days: int = Field(730, ge=1, description="how long past versions stay readable")


class FhirSection(_Section):
    """The FHIR API of the Annuaire Santé, which keeps the directory fresh between two extractions."""

    url: Url = Field("https://gateway.api.esante.gouv.fr/fhir/v2", description="base URL of the API")
    key_file: str = Field("", description="file that holds the API key, alone; empty: the API is not used")
    ca_file: str = Field("", description="PEM of who may vouch for its server; empty: the roots of trust/")
    refresh_hours: int = Field(6, ge=0, le=168, description="how often it is asked; 0: only by hand")


class RulesSection(_Section):
    """The writing rules, where the scheme leaves a choice."""

    dispensations: Literal["off", "required"] = Field(
        "off",
        description="whether a patient writes first to any pharmacy, or where a dispensation of less than a "
        "year is on record (`passerelle patient dispensation import`)",
    )


class LdapSection(_Section):
    """The LDAP view of the directory, where `ports.ldap` or `ports.ldap_starttls` is given."""

    base: Annotated[str, AfterValidator(_dn)] = Field(
        "", description="name of the top of the tree; empty: `ou=annuaire` below the hostname's `dc=`"
    )
    entries: int = Field(200, ge=1, le=500, description="most entries that one search gives")


class PatientsSection(_Section):
    """The life of patients' profiles."""

    automatic: bool = Field(
        True,
        description="each night profiles are opened six weeks after the notice, and archives that ended go",
    )
    night_hour: int = Field(3, ge=0, le=23, description="from this hour on in Paris")
    leap_days: int = Field(
        3,
        ge=2,
        le=60,
        description="a clock so far ahead of the last night opens nothing; see docs/patients.md",
    )
    code_days: int = Field(90, ge=1, le=366, description="how long the provisional code of a notice is good")


class SigninSection(_Section):
    """Activation and sign-in of patients; see docs/patients.md."""

    origin: Url = Field("", description="address of the patients' pages, `https://host`; passkeys are for it")
    terms: str = Field(
        "1", min_length=1, max_length=32, description="version of the terms of use that are to be accepted"
    )
    idle_minutes: int = Field(15, ge=1, le=1440, description="how long an unused session lasts")
    session_hours: int = Field(12, ge=1, le=168, description="how long any session lasts")
    sender: Literal["none", "smtp", "file"] = Field(
        "none", description="how codes go by e-mail; `file`: into run/codes of the home, for a demo"
    )
    relay: HostPort = Field("", description="the SMTP relay that takes codes")
    relay_tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="how it is spoken to; `none`: only on a loopback address"
    )
    relay_ca: str = Field("", description="PEM of who may vouch for the relay; empty: the system's roots")
    relay_user: str = Field("", description="who we are to it; empty: nobody")
    relay_password_file: str = Field("", description="file that holds the password, alone")
    from_address: str = Field("", description="what codes come from")
    sms_command: list[str] = Field(
        [], description="program and arguments that send an SMS: number, then text on its standard input"
    )


class WebSection(_Section):
    """The patients' pages, where `ports.web` is given; see docs/webmail.md."""

    guest: bool = Field(True, description="whether strangers may look around with sample data")
    help_phone: str = Field("3422", max_length=32, description="who is called for help")


class NoticesSection(_Section):
    """E-mails that tell a patient, without any content, that there is something new; see docs/activity.md.

    They go the way that codes go: the sender of `[signin]`.
    """

    enabled: bool = Field(True, description="whether they are sent, where `signin.sender` is given")
    quiet_minutes: int = Field(10, ge=0, le=1440, description="from the first news to the notice")
    hours_between: int = Field(4, ge=0, le=168, description="least time between two notices to one person")
    hour: int = Field(8, ge=0, le=23, description="of daily and weekly notices, in Paris")
    look_seconds: int = Field(30, ge=1, le=3600, description="how often the gateway looks for news")


class FranceconnectSection(_Section):
    """Sign-in by FranceConnect, or any OpenID provider that gives the same identity."""

    issuer: Url = Field("", description="the provider; empty: not used")
    client_id: str = Field("", description="who we are to it")
    secret_file: str = Field("", description="file that holds our secret, alone")
    redirect_uri: Url = Field("", description="the page of ours that it sends browsers back to")
    acr: list[Literal["eidas1", "eidas2", "eidas3"]] = Field(
        ["eidas1", "eidas2", "eidas3"], min_length=1, description="levels of identification accepted"
    )
    ca_file: str = Field("", description="PEM of who may vouch for its server; empty: the system's roots")


class ProsanteSection(_Section):
    """Pro Santé Connect: whose access tokens open the professionals' door besides certificates."""

    issuer: Url = Field("", description="the provider, as its tokens name it; empty: certificates only")
    audiences: list[str] = Field([], description="names of ours that `aud` of a token may hold")
    clients: list[str] = Field([], description="software (`azp`) whose tokens are taken without our audience")
    acr: list[str] = Field(
        ["eidas1", "eidas2", "eidas3"], description="levels of identification accepted; empty: any"
    )
    bound: bool = Field(False, description="only tokens bound to the client's certificate (RFC 8705)")
    client_id: str = Field("", description="who we are when we ask about opaque tokens (RFC 7662)")
    secret_file: str = Field("", description="file that holds our secret for that, alone")
    ca_file: str = Field("", description="PEM of who may vouch for its server; empty: the system's roots")


class FhirDoorSection(_Section):
    """The professionals' door (port `fhir`)."""

    base: Url = Field("", description="its URL as clients know it, with /fhir; empty: as they ask for it")
    regulation: list[str] = Field(
        [], description="Struct_IdNat of the SAMU structures whose physicians may regulate"
    )
    unlisted: Literal["accept", "refuse"] = Field(
        "refuse", description="professionals without an activity in a loaded annuaire"
    )
    document_size: int = Field(
        20 * 1024 * 1024, ge=65536, le=256 * 1024**2, description="octets of a document that is published"
    )
    page: int = Field(100, ge=1, le=1000, description="results of one page, at most")


class RunSection(_Section):
    """Processes and logs."""

    fronts: int = Field(
        0, ge=0, le=64, description="processes that serve ports; 0: one per processor, at most 4"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least event that is logged"
    )
    log_format: Literal["text", "json"] = Field("text", description="for people or for machines")
    database: str = Field("", description="SQLAlchemy URL of a PostgreSQL; empty: SQLite in the home")


class Settings(_Section):
    """Everything in ``passerelle.toml``."""

    gateway: GatewaySection
    ports: PortsSection = PortsSection()
    tls: TlsSection = TlsSection()
    smime: SmimeSection = SmimeSection()
    relay: RelaySection = RelaySection()
    annuaire: AnnuaireSection = AnnuaireSection()
    whitelist: WhitelistSection = WhitelistSection()
    fhir: FhirSection = FhirSection()
    rules: RulesSection = RulesSection()
    ldap: LdapSection = LdapSection()
    patients: PatientsSection = PatientsSection()
    signin: SigninSection = SigninSection()
    web: WebSection = WebSection()
    notices: NoticesSection = NoticesSection()
    franceconnect: FranceconnectSection = FranceconnectSection()
    prosante: ProsanteSection = ProsanteSection()
    fhir_door: FhirDoorSection = FhirDoorSection()
    run: RunSection = RunSection()

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if not self.gateway.patient_domain and not self.gateway.hosted_domains:
            raise ValueError("gateway: give patient_domain or hosted_domains, else there is nobody to serve")
        if self.gateway.patient_domain in self.gateway.hosted_domains:
            raise ValueError("gateway: a domain is the patients' or the professionals', not both")
        age = self.whitelist
        if age.max_age_days and age.warn_days > age.max_age_days:
            raise ValueError(
                "whitelist: warn_days is more than max_age_days, so the warning would never come"
            )
        if bool(self.tls.client_certificate) != bool(self.tls.client_key):
            raise ValueError("tls: client_certificate and client_key go together")
        if bool(self.smime.certificate) != bool(self.smime.key):
            raise ValueError("smime: certificate and key go together")
        kind, _, name = self.tls.passphrase.partition(":")
        if self.tls.passphrase and (kind not in ("file", "env", "credential") or not name):
            raise ValueError("tls: passphrase must be file:PATH, env:NAME or credential:NAME")
        self._signin_consistent()
        taken = [port for port in self.ports.model_dump().values() if port]
        fixed = [port for port in taken if not port.endswith(":0")]
        if len(set(fixed)) != len(fixed):
            raise ValueError("ports: two services on one port")
        return self

    def _signin_consistent(self) -> None:
        wanted, provider = self.signin, self.franceconnect
        if wanted.sender == "smtp" and not (wanted.relay and wanted.from_address):
            raise ValueError("signin: sender smtp needs relay and from_address")
        host = wanted.relay.rpartition(":")[0]
        if wanted.relay and wanted.relay_tls == "none" and host not in ("127.0.0.1", "::1", "[::1]"):
            raise ValueError("signin: relay_tls none is for a relay on a loopback address")
        if bool(wanted.relay_user) != bool(wanted.relay_password_file):
            raise ValueError("signin: relay_user and relay_password_file go together")
        if provider.issuer and not (provider.client_id and provider.secret_file and provider.redirect_uri):
            raise ValueError("franceconnect: issuer needs client_id, secret_file and redirect_uri")
        tokens = self.prosante
        if tokens.issuer and not (tokens.audiences or tokens.clients):
            raise ValueError(
                "prosante: issuer needs audiences or clients, else any software's token would do"
            )
        if bool(tokens.client_id) != bool(tokens.secret_file):
            raise ValueError("prosante: client_id and secret_file go together")

    def policy(self) -> Policy:
        """The part that routing asks for."""
        return Policy(
            hostname=self.gateway.hostname,
            system_address=self.system_address,
            patient_domain=self.gateway.patient_domain,
            hosted=frozenset(self.gateway.hosted_domains),
            unlisted=self.gateway.unlisted,
            size_limit=self.gateway.message_size,
            whitelist_max_age=self.whitelist.max_age_days * DAY_MS,
            y=self.gateway.y,
            smime=self.gateway.smime,
            dispensations=self.rules.dispensations,
        )

    @property
    def ldap_base(self) -> str:
        """The name of the top of the LDAP tree."""
        return self.ldap.base or default_base(self.gateway.hostname)

    @property
    def system_address(self) -> str:
        """Where the gateway's own notifications come from."""
        domain = self.gateway.patient_domain or self.gateway.hosted_domains[0]
        return f"postmaster@{domain}"


def load_settings(home: Path) -> Settings:
    """Read and check ``passerelle.toml``.

    :raises SettingsError: missing, not TOML, an unknown key, or a value that cannot be.
    """
    path = home / FILE_NAME
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            "settings.missing", f"{path} is missing: make a home with `passerelle init`"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("settings.syntax", f"{path} is not TOML: {error}") from None
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{where}: {first['msg']}" if where else first["msg"]
        raise SettingsError("settings.value", f"{path}: {message}") from None
