"""The one base of every error that a user is meant to read."""


class T4VError(Exception):
    """A problem that the caller can mend: one line that says what is wrong and what would do.

    The command line prints it and exits with code 2. Every error this package documents is a subclass.
    """
