"""Keeps libraries that write straight to the terminal from doing so."""

import os
import sys
from contextlib import contextmanager


@contextmanager
def quiet_libraries():
    """Sends file descriptor 2 nowhere: TensorFlow's messages about processors and missing GPUs,
    and what decoders say about damaged pictures, do not pass through Python.

    Yields:
        A text stream that still leads to where descriptor 2 led before.
    """
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        with os.fdopen(os.dup(saved), "w") as stream:
            yield stream
    finally:
        os.dup2(saved, 2)
        os.close(saved)
