"""TensorFlow as the project uses it: `from utils.quiet_tensorflow import tf`.

compat.v1 with eager execution off, on 1.15 and 2.x alike, and without the chatter of its
import (FutureWarning, deprecation, cpu_feature_guard), which says nothing to a user.
"""
import contextlib
import os
import sys
import tempfile
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN reorders sums (and announces that on stderr): off, both stacks agree more closely.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tensorflow.compat.v1 as tf

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()
tf.disable_resource_variables()     # ref variables: what 1.15 writes by default


@contextlib.contextmanager
def tflite_chatter_dropped():
    """Make a tf.lite.Interpreter without its notices.

    Those are a deprecation, and the INFO lines that C++ writes to stderr. Everything else
    that lands on stderr meanwhile is passed on.
    """
    sys.stderr.flush()
    true_stderr = os.dup(2)
    with tempfile.TemporaryFile() as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(true_stderr, 2)
            os.close(true_stderr)
            caught.seek(0)
            for line in caught:
                if not line.startswith(b"INFO:"):
                    os.write(2, line)
