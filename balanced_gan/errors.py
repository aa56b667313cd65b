"""The one exception that a user's mistake raises."""


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one sentence that says what.

    The command line prints the message alone and exits with status 1.
    """
