"""TensorFlow imported without the packages that it looks for and a run here never uses."""
import contextlib
import gc
import sys

from utils.common.tensorflow_by_name import import_by_name

# Each is imported where it can be found, and nothing of ours goes by it: HDF5, pictures and
# scipy for Keras; Keras itself, which TensorFlow 2.16 and later import without being asked.
LEFT_OUT = ("h5py", "keras", "matplotlib", "pandas", "PIL", "scipy")
if sys.version_info < (3, 8):           # TensorFlow 1.15, which does without these, too
    LEFT_OUT += ("requests", "tensorflow_estimator")


@contextlib.contextmanager
def lean_tensorflow():
    """For the time of a block, utils.common.quiet_tensorflow and what it is asked for are imported
    in less time; for scripts that own their process.

    LEFT_OUT cannot be imported in the block, but for those that are imported already; later they
    can. TensorFlow 1.15 is without HDF5, pictures and Estimators for good, then, and 2.x without
    Keras and training. So do not use this where others use those.
    """
    absent = [name for name in LEFT_OUT if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))           # None: "no such module"
    try:
        with _no_garbage_collection():
            if not import_by_name():
                import utils.common.quiet_tensorflow    # noqa: F401
            yield
    finally:
        for name in absent:
            if sys.modules.get(name, name) is None:
                del sys.modules[name]


@contextlib.contextmanager
def _no_garbage_collection():
    """A hundred thousand new objects that all stay are not searched for garbage, then or later."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if hasattr(gc, "freeze"):               # from Python 3.7 on
            gc.freeze()
        if was_on:
            gc.enable()
