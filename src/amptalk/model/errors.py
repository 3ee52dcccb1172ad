"""Every error the library raises on purpose, as one tree.

Errors say what was wrong, with which value, what is allowed and what to do.
They are grouped by who can mend them: the caller (`ConfigurationError`), the
moment (`AdmissionError`), a file (`MetricsFileError`) or the machine (`ActionError`).
"""

from __future__ import annotations


class AmptalkError(Exception):
    """Base of every error that AMPTALK raises on purpose."""


class ConfigurationError(AmptalkError, ValueError):
    """A value given by the caller is not allowed; the text names value, range and remedy."""


class ScopeError(ConfigurationError):
    """The scope asked for does not exist here, such as `container` outside one."""


class AdmissionError(AmptalkError):
    """Work was not admitted."""


class NeverFitsError(AdmissionError):
    """The amount asked for is larger than the limit itself: waiting cannot help."""


class AdmissionTimeoutError(AdmissionError, TimeoutError):
    """The work would fit, but did not within the time-out given."""


class NestedAdmissionError(AdmissionError):
    """A job asked for admission while holding one, which could deadlock."""


class MetricsFileError(AmptalkError):
    """A metrics file cannot be read or written; the text names the file and the place in it."""


class ActionError(AmptalkError):
    """An action could not be carried out; its text becomes the detail of the report."""


class JournalError(ActionError):
    """The journal of what outlives the process cannot be kept or read: such changes are not made.

    The text names the folder or file, and what to do.
    """


class LedgerError(AmptalkError):
    """The ledger of shares cannot be used; nothing was changed, and every grant is as it was.

    The text names the directory or file, and what to do.
    """
