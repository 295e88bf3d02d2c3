"""One line that says how far a run is: rewritten in place on a terminal, now and then elsewhere."""
import time

TERMINAL_INTERVAL_S = 0.2
PLAIN_INTERVAL_S = 10.0


def duration_text(seconds):
    """75 -> '1:15', 3700 -> '1:01:40'."""
    minutes, seconds = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return "%d:%02d:%02d" % (hours, minutes, seconds) if hours else "%d:%02d" % (minutes, seconds)


class ProgressLine(object):
    """Writes the line to `stream` for steps first_step .. total_steps.

    `clock` gives seconds; tests bring their own.
    """

    def __init__(self, stream, first_step, total_steps, num_epochs, clock=time.time):
        self._stream = stream
        self._first_step, self._total_steps = first_step, total_steps
        self._num_epochs = num_epochs
        self._clock = clock
        self._is_terminal = stream.isatty()
        self._start = self._shown = clock()
        self._losses = []               # since the line was last shown
        self._text = ""
        self.num_updates = 0

    def update(self, step, epoch, loss, best_loss=None):
        """Show the line if it is due. `step` steps are done, the last one in epoch `epoch`."""
        self.num_updates += 1
        self._losses.append(loss)
        now = self._clock()
        due_s = TERMINAL_INTERVAL_S if self._is_terminal else PLAIN_INTERVAL_S
        if now - self._shown >= due_s or step == self._total_steps:
            self._show(step, epoch, best_loss, now)

    def _show(self, step, epoch, best_loss, now):
        steps_per_s = (step - self._first_step) / max(now - self._start, 1e-6)
        text = "epoch %d/%d  step %d/%d  loss %.5f%s  %.0f steps/s  %s left" % (
            epoch, self._num_epochs, step, self._total_steps,
            sum(self._losses) / len(self._losses),
            "" if best_loss is None else "  best validation %.5f" % best_loss,
            steps_per_s, duration_text((self._total_steps - step) / max(steps_per_s, 1e-6)))
        if self._is_terminal:
            self._stream.write("\r" + text.ljust(len(self._text)))
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
        self._text, self._shown, self._losses = text, now, []

    def close(self):
        """Leave the line, so that what follows stands on one of its own."""
        if self._is_terminal and self._text:
            self._stream.write("\n")
            self._stream.flush()
