"""The one exception that a user's mistake raises."""


class InputError(ValueError):
    """The user's input cannot be used; the message is one sentence that says why.

    The command line prints only the message and exits with status 1.
    """
