"""The one error of this folder."""

from t4vcodec.errors import T4VError


class MediaError(T4VError):
    """A source that cannot be read, or a target that cannot be written; one line that says what would do."""
