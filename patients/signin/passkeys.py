"""Passkeys (W3C WebAuthn level 2): the two ceremonies. A passkey stands for password and code together.

The authenticator must have verified its user (screen lock, fingerprint): that is the second factor. No
attestation is asked for. Loaded by what serves web pages only: the library behind it is heavy.
"""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

import msgspec
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from patients.signin import passkey_store
from patients.signin.activation import Answer
from patients.signin.desk import Begun, SignedIn
from patients.signin.keys import new_token
from patients.signin.sessions import Lifetimes, Session, stepped_up
from patients.signin.throttle import network
from store import Store, now_ms

_ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
#: A browser's answer is no longer than this (octets of JSON).
LARGEST: Final = 64 * 1024


class RelyingParty(msgspec.Struct, frozen=True):
    """Who we are to browsers: the domain that passkeys are for, and the origins of our pages."""

    rp_id: str
    origins: list[str]
    name: str = "Mon espace santé"


class Ceremony(msgspec.Struct, frozen=True):
    """An answer, the token of the flow, and the options for the browser (JSON)."""

    begun: Begun
    options: str = ""


class Passkeys:
    """The ceremonies over a store."""

    def __init__(self, store: Store, party: RelyingParty, lifetimes: Lifetimes) -> None:
        self._store = store
        self._party = party
        self._lifetimes = lifetimes

    async def begin_registration(self, session: Session) -> Ceremony:
        """Options for ``navigator.credentials.create``, for somebody who stepped up just now."""
        if not stepped_up(session, now_ms()):
            return Ceremony(Begun("", Answer("refused")))
        token, challenge = new_token(), secrets.token_bytes(32)
        owner = await self._store.awrite(
            passkey_store.begin_passkey,
            token=token,
            challenge=challenge,
            ins=session.ins,
            session_id=session.session_id,
        )
        if owner is None:
            return Ceremony(Begun("", Answer("refused")))
        options = generate_registration_options(
            rp_id=self._party.rp_id,
            rp_name=self._party.name,
            user_id=owner.user_handle,
            user_name=owner.identifier,  # what the device shows to choose by: no name, no matricule
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in owner.credentials],
            supported_pub_key_algs=_ALGORITHMS,
        )
        return Ceremony(Begun(token, Answer("ok")), options_to_json(options))

    async def register(self, session: Session, token: str, response: str, name: str) -> Answer:
        """The browser's answer (JSON): keep the passkey under ``name``."""
        held = await self._store.awrite(passkey_store.take_challenge, token=token, registration=True)
        if held is None or held.session_id != session.session_id:
            return Answer("over")
        parsed = _json(response)
        if parsed is None:
            return Answer("wrong")
        try:
            # WebAuthn level 2 §7.1
            verified = verify_registration_response(
                credential=parsed,
                expected_challenge=held.challenge,
                expected_rp_id=self._party.rp_id,
                expected_origin=self._party.origins,
                require_user_verification=True,
                supported_pub_key_algs=_ALGORITHMS,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            return Answer("wrong")
        number = await self._store.awrite(
            passkey_store.add_passkey,
            ins=held.ins,
            credential=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            backed_up=verified.credential_backed_up,
            name=name,
        )
        return Answer("ok" if number is not None else "wrong")

    async def begin_sign_in(self, source: str) -> Ceremony:
        """Options for ``navigator.credentials.get``: the same for everybody, no credential is named."""
        token, challenge = new_token(), secrets.token_bytes(32)
        wait = await self._store.awrite(
            passkey_store.begin_ceremony, token=token, challenge=challenge, source=network(source)
        )
        if wait:
            return Ceremony(Begun("", Answer("wait", wait_ms=wait)))
        options = generate_authentication_options(
            rp_id=self._party.rp_id,
            challenge=challenge,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return Ceremony(Begun(token, Answer("ok")), options_to_json(options))

    async def sign_in(
        self, token: str, response: str, *, device_token: str = "", device_label: str = ""
    ) -> SignedIn | Answer:
        """The browser's answer (JSON): the session, or ``refused``, whatever is wrong with it."""
        held = await self._store.awrite(passkey_store.take_challenge, token=token, registration=False)
        parsed = _json(response)
        if held is None or parsed is None:
            return Answer("refused")
        try:
            credential = parse_authentication_credential_json(parsed)
        except (WebAuthnException, ValueError, KeyError, TypeError):
            return Answer("refused")
        known = await self._store.aread(passkey_store.held_passkey, credential.raw_id)
        # WebAuthn level 2 §7.2 step 6: the credential is that of the user whom the authenticator names
        if known is None or credential.response.user_handle != known.user_handle:
            return Answer("refused")
        try:
            # WebAuthn level 2 §7.2; the counter is judged below, once the signature is known to be good
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=held.challenge,
                expected_rp_id=self._party.rp_id,
                expected_origin=self._party.origins,
                credential_public_key=known.public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            return Answer("refused")
        if went_back(known.sign_count, verified.new_sign_count):
            await self._store.awrite(passkey_store.mark_cloned, passkey_id=known.passkey_id)
            return Answer("refused")
        session_token, device_token = new_token(), device_token[:64] or new_token()
        opened = await self._store.awrite(
            passkey_store.enter_passkey,
            credential=credential.raw_id,
            seen_count=known.sign_count,
            sign_count=verified.new_sign_count,
            session_token=session_token,
            device_token=device_token,
            device_label=device_label,
            lifetimes=self._lifetimes,
        )
        return SignedIn(opened, session_token, device_token) if opened else Answer("refused")


def went_back(kept: int, given: int) -> bool:
    """Whether a signature counter did not grow (WebAuthn level 2 §6.1.1); 0: there is none."""
    return (kept > 0 or given > 0) and given <= kept


def _json(text: str) -> dict[str, Any] | None:
    if len(text) > LARGEST:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
