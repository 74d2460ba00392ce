"""What this package raises."""

from __future__ import annotations

from t4vcodec.errors import T4VError


class ImportanceError(T4VError):
    """Settings or files of importance make no sense; the message says what to do."""
