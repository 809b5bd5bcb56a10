"""Decision tables: the second model of the rules, written as rows of text and read by a machine.

A cell is a value, several with ``|`` between, or ``*`` for any. Every combination of facts must meet
exactly one row: a table that is silent on a case, or says two things, fails its test by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Columns and rows; the last cell of a row is its outcome: ``accept rule`` or ``code rule``."""

    columns: list[str]
    rows: list[tuple[list[frozenset[str] | None], str]]

    def outcome(self, facts: Mapping[str, str]) -> str:
        """The outcome of the one row that meets ``facts``."""
        values = [facts[column] for column in self.columns]
        met = [
            outcome
            for cells, outcome in self.rows
            if all(cell is None or value in cell for cell, value in zip(cells, values, strict=True))
        ]
        assert len(met) == 1, f"{len(met)} rows for {dict(facts)}: {met}"
        return met[0]


def table(text: str) -> Table:
    """Read a table: a header of names, then rows; ``=>`` before the outcome."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    columns = lines[0].split("=>")[0].split()
    rows = []
    for line in lines[1:]:
        cells, outcome = line.split("=>")
        found = [None if cell == "*" else frozenset(cell.split("|")) for cell in cells.split()]
        assert len(found) == len(columns), line
        rows.append((found, " ".join(outcome.split())))
    return Table(columns, rows)


PATIENT_WRITES = table(
    """
  acts patient trusted wrote right  holder          mailbox  officine feed        => outcome
  no   *       *       *     *      *               *        *        *           => 550 patient.acting
  yes  yes     *       *     *      *               *        *        *           => 550 patient.to_patient
  yes  no      no      yes   *      *               *        *        *           => 550 reply.domain_gone
  yes  no      no      no    *      *               *        *        *           => 550 patient.outside
  yes  no      yes     *     open   same            *        *        *           => accept reply.contacted
  yes  no      yes     *     open   other|left|both *        yes      none|within => accept reply.pharmacy
  yes  no      yes     *     closed *               *        yes      none|within => accept reply.pharmacy
  yes  no      yes     *     open   other|both      *        no       *           => 550 reply.holder_changed
  yes  no      yes     *     open   other|both      *        yes      nothing     => 550 reply.holder_changed
  yes  no      yes     *     open   left            *        no       *           => 550 reply.not_practising
  yes  no      yes     *     open   left            *        yes      nothing     => 550 reply.not_practising
  yes  no      yes     yes   closed *               *        no       *           => 550 reply.ended
  yes  no      yes     yes   closed *               *        yes      nothing     => 550 reply.ended
  yes  no      yes     no    closed *               *        yes      nothing     => 550 reply.pharmacy
  yes  no      yes     no    closed *               another  no       *           => 550 reply.other_mailbox
  yes  no      yes     no    closed *               this     no       *           => 550 reply.never_contacted
    """
)

# names: whom the list names the certificate for; "us" is the domain of the patients served here
OPERATOR_SENDER = table(
    """
  tls certificate path list   allowed domain annuaire    standing unlisted => outcome
  no  *           *    *      *       *      *           *        *        => 530 sender.tls
  yes unsure      *    *      *       *      *           *        *        => 451 sender.revocation_unknown
  yes revoked     *    *      *       *      *           *        *        => 550 sender.revoked
  yes bad|none    *    *      *       *      *           *        *        => 550 sender.certificate
  yes good        *    absent *       *      *           *        *        => 451 sender.whitelist
  yes good        *    usable no      *      *           *        *        => 550 sender.whitelist
  yes good        null usable yes     *      *           *        *        => accept sender.whitelist
  yes good        some usable yes     us     *           *        *        => 550 sender.whitelist
  yes good        some usable yes     theirs listed      *        *        => accept sender.annuaire
  yes good        some usable yes     theirs off|nowhere left     *        => 550 sender.annuaire
  yes good        some usable yes     theirs off         other    *        => 550 sender.annuaire
  yes good        some usable yes     theirs nowhere     other    refuse   => 550 sender.annuaire
  yes good        some usable yes     theirs nowhere     other    accept   => accept sender.annuaire
    """
)

SUBMITTING_SENDER = table(
    """
  signed card     standing owns mismatch box    space     => outcome
  no     *        *        *    *        *      *         => 530 sender.signed_in
  yes    opposed  *        *    *        *      *         => 550 sender.card
  yes    good|none left    *    *        *      *         => 550 sender.annuaire
  yes    good|none other   no   *        *      *         => 550 sender.identity
  yes    good|none other   yes  yes      *      *         => 550 sender.identity
  yes    good|none other   yes  no       closed *         => 550 sender.closed
  yes    good|none other   yes  no       open   suspended => 450 sender.suspended
  yes    good|none other   yes  no       open   in_use    => accept sender.closed
    """
)

PATIENT_RECIPIENT = table(
    """
  valid state                 room => outcome
  no    *                     *    => 550 recipient.invalid
  yes   none|known|notified   *    => 550 recipient.unknown
  yes   opposed               *    => 550 recipient.opposed
  yes   closed|deleted        *    => 550 recipient.closed
  yes   suspended             *    => 450 recipient.suspended
  yes   opened|activated      no   => 452 recipient.quota
  yes   opened|activated      yes  => accept recipient.open
    """
)

HOSTED_RECIPIENT = table(
    """
  exists open room => outcome
  no     *    *    => 550 recipient.unknown
  yes    no   *    => 550 recipient.closed
  yes    yes  no   => 452 recipient.quota
  yes    yes  yes  => accept recipient.open
    """
)

AUTHORSHIP = table(
    """
  authors from_allowed path    agrees  report => outcome
  wrong   *            *       *       *      => 550 sender.identity
  one     no           *       *       *      => 550 sender.identity
  one     yes          null    *       no     => 550 sender.identity
  one     yes          null    *       yes    => accept sender.identity
  one     yes          address no      *      => 550 sender.identity
  one     yes          address from|by *      => accept sender.identity
    """
)
