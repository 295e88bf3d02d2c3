"""Ctrl-C, SIGTERM and a closed terminal as a note to stop at the next safe moment."""
import contextlib
import signal
import threading

from utils.common.errors import END_SIGNALS


@contextlib.contextmanager
def stop_signals():
    """Yield a list that gets the name of SIGINT, SIGTERM or SIGHUP when it comes.

    A second Ctrl-C interrupts as usual. Outside the main thread signals are left alone, and so is
    SIGHUP where it is ignored (nohup).
    """
    came = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def note(number, _):
        if came:
            raise KeyboardInterrupt()
        came.append("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)

    numbers = [signal.SIGINT] + [number for number in END_SIGNALS if number == signal.SIGTERM
                                 or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
