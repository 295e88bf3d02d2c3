"""TensorFlow as the project uses it: `from utils.common.quiet_tensorflow import tf`.

compat.v1 with eager execution off, on 1.15 and 2.x alike, and without the chatter of its
import (FutureWarning, deprecation, cpu_feature_guard), which says nothing to a user.
"""
import contextlib
import os
import warnings

from utils.common.dropped_lines import stderr_lines_dropped

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN reorders sums (and announces that on stderr): off, both stacks agree more closely.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tensorflow.compat.v1 as tf
    from tensorflow.core.protobuf.config_pb2 import CallableOptions

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()
tf.disable_resource_variables()     # ref variables: what 1.15 writes by default


def prepared_call(session, feeds, fetches, target):
    """A function of one array for each tensor of `feeds`, of its very type: runs the op `target`
    and returns the values of `fetches`.

    session.run's checks of what it is fed and asked for take a fifth of a small training step;
    so do those of session.make_callable, where there are feeds.
    """
    if not hasattr(session, "_make_callable_from_options"):     # private: it may go
        return lambda *arrays: session.run(fetches + [target], dict(zip(feeds, arrays)))[:-1]
    return session._make_callable_from_options(CallableOptions(
        feed=[tensor.name for tensor in feeds], fetch=[tensor.name for tensor in fetches],
        target=[target.name]))


@contextlib.contextmanager
def tflite_chatter_dropped():
    """Make a tf.lite.Interpreter without its notices.

    Those are a deprecation, and the INFO lines that C++ writes to stderr.
    """
    with warnings.catch_warnings(), stderr_lines_dropped(b"INFO:"):
        warnings.simplefilter("ignore")
        yield
