"""On Ctrl-C and other signals, finishes the batch, saves and stops."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def finish_batch_on_interrupt(ask_to_stop: Callable[[], None]) -> Iterator[None]:
    """Calls `ask_to_stop` on the first Ctrl-C (or SIGTERM), so that the batch is finished. A second
    one stops at once.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    # The signals sent when a window is closed: SIGBREAK on Windows, SIGHUP elsewhere.
    closed = [getattr(signal, name) for name in ("SIGBREAK", "SIGHUP") if hasattr(signal, name)]
    # A signal that `nohup` has switched off stays off.
    closed = [number for number in closed if signal.getsignal(number) != signal.SIG_IGN]
    numbers += closed
    # Save all handlers before replacing the first one, because a signal may arrive in between.
    before = {number: signal.getsignal(number) for number in numbers}

    def restore():
        for number, handler in before.items():
            # None: the handler was not installed from Python, so Python cannot restore it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def ask(number, frame):
        ask_to_stop()
        if number in closed:  # writing to a closed terminal would be an error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        restore()
        # The signal may have interrupted a write to the same stream, as after Ctrl-S.
        with suppress(RuntimeError):
            print("\nFinishing this batch and saving...", file=sys.stderr)

    try:
        for number in numbers:
            signal.signal(number, ask)
        yield
    finally:
        restore()
