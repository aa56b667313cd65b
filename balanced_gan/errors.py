"""The one exception that a user's mistake raises, and how to tell that memory ran out."""

_OUT_OF_MEMORY = (
    "OOM when allocating",  # TensorFlow; Keras wraps the exception in one of its own
    "Status: 1, message: could not create",  # oneDNN
    "out of memory",  # Pillow
    "Insufficient memory",  # OpenCV
)


class InputError(ValueError):
    """The user's input cannot be used; the message says why, in a sentence or two.

    The command line prints only the message and exits with status 1.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of any library says that there was not enough memory."""
    return isinstance(error, MemoryError) or any(each in str(error) for each in _OUT_OF_MEMORY)
