"""Which signatures are strong enough, as ``[algorithms]`` of the trust settings says."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from asn1crypto import algos, keys
from pyhanko_certvalidator.policy_decl import AlgorithmUsageConstraint, AlgorithmUsagePolicy

from certs.settings import AlgorithmsSection

_SCHEMES: Final = frozenset({"rsassa_pkcs1v15", "rsassa_pss", "ecdsa", "ed25519", "ed448"})


class Algorithms(AlgorithmUsagePolicy):
    """The accepted digests, schemes and key sizes; whatever is not named is refused."""

    def __init__(self, section: AlgorithmsSection) -> None:
        self.section: Final = section

    def weak_key(self, key: keys.PublicKeyInfo) -> str:
        """Why a key may not be used; "" when it may."""
        kind = str(key.algorithm)
        if kind in ("rsa", "rsassa_pss"):
            floor = self.section.rsa_bits
        elif kind == "ec":
            floor = self.section.ec_bits
        elif kind in ("ed25519", "ed448"):
            return ""
        else:
            return f"a key of the kind {kind} is not accepted"
        return (
            f"a key of {key.bit_size} bits is too small ({kind}, {floor} demanded)"
            if key.bit_size < floor
            else ""
        )

    def weak_signature(self, algorithm: algos.SignedDigestAlgorithm) -> str:
        """Why a signature algorithm is not accepted; "" when it is."""
        name = str(algorithm["algorithm"].native)
        try:
            scheme = algorithm.signature_algo
            digest = "sha512" if scheme in ("ed25519", "ed448") else algorithm.hash_algo
        except ValueError:
            return f"it is signed with {name}, which is not known"
        if scheme not in _SCHEMES:
            return f"it is signed with {name}"
        return "" if digest in self.section.digests else f"it is signed with {digest}"

    def digest_algorithm_allowed(
        self, algo: algos.DigestAlgorithm, moment: datetime | None
    ) -> AlgorithmUsageConstraint:
        """For pyhanko."""
        return AlgorithmUsageConstraint(algo["algorithm"].native in self.section.digests)

    def signature_algorithm_allowed(
        self,
        algo: algos.SignedDigestAlgorithm,
        moment: datetime | None,
        public_key: keys.PublicKeyInfo | None,
    ) -> AlgorithmUsageConstraint:
        """For pyhanko: the signature and the key that made it."""
        why = self.weak_signature(algo) or ("" if public_key is None else self.weak_key(public_key))
        return AlgorithmUsageConstraint(not why, failure_reason=why or None)
