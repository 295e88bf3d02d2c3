"""tf.lite.Interpreter beside a thread that looks at frames, as a profiler and Dask's workers have.

TensorFlow 1.15 counts the references to its inner object before it runs, and raises where there is
one too many: an array might be a view of its memory. Who looks at this thread's frames holds such a
reference for as long as it looks. No array here is such a view, so it is tried again.
"""
import functools
import time

import numpy as np

from utils.common.quiet_tensorflow import tf

TOLD = "reference to internal data"
NUM_TRIES, PAUSE_S = 1000, 0.001


def tflite_interpreter(**options):
    """tf.lite.Interpreter(**options), whose methods wait until it may run. It raises as that one."""
    return _patient(tf.lite.Interpreter)(**options)


def allocate(interpreter):
    """The tensors of a tf.lite.Interpreter; its inputs are zeros, else it runs on stray memory."""
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))


def run_once(interpreter):
    """A first run, on zeros. On a malformed file it raises, or takes the process down."""
    allocate(interpreter)
    interpreter.invoke()


@functools.lru_cache(maxsize=None)
def _patient(kind):
    return type("Interpreter", (kind,), {name: _tried_again(getattr(kind, name)) for name in (
        "allocate_tensors", "invoke", "resize_tensor_input")})


def _tried_again(method):
    @functools.wraps(method)
    def call(*args, **kwargs):
        for _ in range(NUM_TRIES):
            try:
                return method(*args, **kwargs)
            except RuntimeError as error:
                if TOLD not in str(error):
                    raise
            time.sleep(PAUSE_S)
        return method(*args, **kwargs)

    return call
