"""The errors of ghmpp: one root, and each error also derives from the builtin that fits."""

from __future__ import annotations


class GhmppError(Exception):
    """Root of every error that ghmpp raises on purpose."""


class UsageError(GhmppError, TypeError):
    """Something is used as what it is not: a number as a text, or a program as a function."""


class ModelError(GhmppError, ValueError):
    """A declared model is wrong or incomplete: shapes, names, tables, structure."""


class EvidenceError(GhmppError, ValueError):
    """Evidence does not fit the model: unknown variable or state, wrong shape, NaN."""


class UnknownStateError(EvidenceError, KeyError):
    """Evidence names a state that its variable does not have; the message lists those it has."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # a KeyError would put its message in quotes


class ImpossibleEvidenceError(EvidenceError):
    """Evidence has probability zero under the model; the message names where it arose.

    Attributes
    ----------
    rows
        Indices of the impossible rows in the batch.
    """

    def __init__(self, message: str, rows: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.rows = rows


class QueryError(GhmppError, ValueError):
    """A query names something that the model does not have, or asks for what it cannot give."""


class ResourceError(GhmppError, MemoryError):
    """A run would need more memory than allowed; the message gives both numbers."""


class PrecisionError(GhmppError, ArithmeticError):
    """A number leaves the range of its precision; the message says what to use instead."""


class TreewidthError(ResourceError):
    """The cliques of a model need more memory than allowed; the message names the largest."""


class FormatError(GhmppError, ValueError):
    """A file cannot be read as what it should be: wrong version, broken, unknown format.

    Attributes
    ----------
    path
        The file; None where the message alone says it.
    line, column
        Where in the file, from 1; None where unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.path = path
        self.line = line
        self.column = column


class CertificateError(GhmppError, ValueError):
    """A certificate cannot be made, or belongs to another model or other tensors; says where."""


class MissingFolderError(GhmppError, FileNotFoundError):
    """A file is to be written into a folder that does not exist."""


class FolderExistsError(GhmppError, FileExistsError):
    """A folder is to be written where one with other content is."""


class ConversionError(GhmppError, ValueError):
    """A networkx graph or pgmpy model cannot be turned into a ghmpp model, or the reverse."""


class LearningError(GhmppError, RuntimeError):
    """Learning cannot go on: training diverged, or a fit broke its own rules (a bug in ghmpp)."""


class ScheduleError(GhmppError, RuntimeError):
    """A schedule breaks its own rules: a bug in ghmpp, reported with the schedule printed."""


class VerificationError(GhmppError, AssertionError):
    """An engine disagrees with an independent one; the message is the whole report."""


class ParityError(VerificationError):
    """An exported file disagrees with its network by more than is allowed."""


class DenoiserError(GhmppError, ValueError):
    """A denoiser is none: wrong shapes, NaN, or means that follow another noise convention."""


class MissingDependencyError(GhmppError, ImportError):
    """An optional package is needed; the message says how to install it."""


class NormalizationWarning(UserWarning):
    """Conditional probabilities did not sum to one and were divided by their sums."""


class GuaranteeWarning(UserWarning):
    """An iteration may have several fixed points or not converge; the message has the number."""
