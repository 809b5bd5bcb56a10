"""Refusals of the patients' room."""

from __future__ import annotations

from store.errors import Fault, InvalidInputError, NotFoundError, PasserelleError


class UnknownPatientError(NotFoundError):
    """No profile has this INS."""

    def __init__(self) -> None:
        super().__init__("patient.unknown", "no profile has this INS", fault="config")


class TransitionError(PasserelleError):
    """The profile is not in a state where this may happen."""

    code = 550
    enhanced = "5.7.1"
    fault: Fault = "config"


class PersonsFileError(InvalidInputError):
    """A file of insured persons cannot be taken."""

    fault: Fault = "config"


class DispensationsFileError(InvalidInputError):
    """A file of dispensations cannot be taken."""

    fault: Fault = "config"


class ClockError(PasserelleError):
    """The clock cannot be right: nothing is notified or opened by it."""

    fault: Fault = "config"


class CampaignError(PasserelleError):
    """A campaign of notices cannot begin or go on."""

    fault: Fault = "config"


class CredentialError(PasserelleError):
    """An app password cannot be made or withdrawn."""

    fault: Fault = "config"


class GuardianError(PasserelleError):
    """A representation cannot begin, end or be handed over as asked; or an item be hidden or shown."""

    fault: Fault = "config"
