"""A thread and a short queue for each sink: one that stalls holds up neither voice nor others."""
import collections
import threading

from utils.common.errors import UserError, print_warning

CLOSING_S = 3.0                 # a sink that stalls is given so long at the end


class SinkQueue(object):
    """Passes frames on to a sink in a thread of its own.

    A sink has name, send(frame), reset(), close() and keeps_all. keeps_all is for a recording: its
    queue has no end. The queue of any other holds `capacity` frames; where it is full the oldest
    goes, and num_dropped counts it.
    """

    def __init__(self, sink, capacity=8, warn=print_warning):
        self.sink = sink
        self.num_sent, self.num_dropped, self.num_failed = 0, 0, 0
        self._capacity, self._warn = capacity, warn
        self._frames = collections.deque()
        self._changed = threading.Condition()
        self._is_closing, self._is_reset = False, False
        self._thread = threading.Thread(target=self._run, name="sink " + sink.name)
        self._thread.daemon = True
        self._thread.start()

    def put(self, frame):
        """Never waits."""
        with self._changed:
            if len(self._frames) >= self._capacity and not self.sink.keeps_all:
                self._frames.popleft()
                self.num_dropped += 1
            self._frames.append(frame)
            self._changed.notify()

    def reset(self):
        """Forget the frames that wait, and tell the sink."""
        with self._changed:
            if not self.sink.keeps_all:
                self._frames.clear()
            self._is_reset = True
            self._changed.notify()

    def drain(self, seconds):
        """Send what waits, for so long at most; nothing is put any more."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(max(seconds, 0.0))

    def close(self):
        """Send what waits, then close the sink; UserError where that fails."""
        self.drain(threading.TIMEOUT_MAX if self.sink.keeps_all else CLOSING_S)
        self.sink.close()
        self._thread.join(CLOSING_S)

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._frames or self._is_closing or self._is_reset)
                is_reset, self._is_reset = self._is_reset, False
                frame = self._frames.popleft() if self._frames and not is_reset else None
                if frame is None and not is_reset and self._is_closing:
                    return
            try:
                if is_reset:
                    self.sink.reset()
                elif frame is not None:
                    self.sink.send(frame)
                    self.num_sent += 1
            except (OSError, UserError) as error:
                self.num_failed += 1
                if self.num_failed == 1:
                    self._warn("%s: %s; going on" % (self.sink.name, error))
