"""Ctrl-C and SIGTERM as a note to stop at the next safe moment."""
import contextlib
import signal
import threading


@contextlib.contextmanager
def stop_signals():
    """Yield a list that gets the name of SIGINT or SIGTERM when it comes.

    A second Ctrl-C interrupts as usual. Outside the main thread signals are left alone.
    """
    came = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def note(number, _):
        if came:
            raise KeyboardInterrupt()
        came.append("Ctrl-C" if number == signal.SIGINT else "SIGTERM")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
