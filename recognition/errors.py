"""The one error of this folder."""

from t4vcodec.errors import T4VError


class RecognitionError(T4VError):
    """A recognizer, data set or study that cannot be used; one line that says what would do."""
