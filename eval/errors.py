"""The error of the evaluation that a user is meant to read."""

from t4vcodec.errors import T4VError


class EvalError(T4VError):
    """Settings that make no sense, or a results file that cannot be used."""
