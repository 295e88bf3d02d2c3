"""TensorFlow 2.x imported part by part, each when its public name is first asked for.

`import tensorflow.compat.v1` imports all that has a public name: data sets, Keras's layers, TPUs,
1300 modules that the animation has no use for, in half of a second and 100 MB. The packages of
the public interface are generated files that say where each name comes from. Here those files
are read, and not run.
"""
import importlib
import importlib.util
import os
import re
import sys
import types

ORIGIN = re.compile(r"^from (tensorflow[\w.]*) import (\w+)(?: as (\w+))?", re.MULTILINE)
INTERFACE = "tensorflow._api."          # the packages whose files are generated
OURS = "utils.common.quiet_tensorflow"


def import_by_name():
    """Import utils.common.quiet_tensorflow so; returns whether that could be done.

    Not where TensorFlow is imported already, or 1.x, or has plugins, which its own package
    loads; nor where a trial fails. Then nothing of this is left: it can be imported plainly.
    """
    if "tensorflow" in sys.modules or OURS in sys.modules:
        return False
    found = importlib.util.find_spec("tensorflow")
    folder = found and found.origin and os.path.dirname(found.origin)
    if not folder or not os.path.isdir(os.path.join(folder, "_api", "v2")) or _has_plugins(folder):
        return False
    try:
        root = sys.modules["tensorflow"] = _package("tensorflow", folder)
        sys.modules["tensorflow.compat"] = root.compat
        sys.modules["tensorflow.compat.v1"] = root.compat.v1
        os.environ["TF2_BEHAVIOR"] = "1"            # as TensorFlow's own package has it
        _try(importlib.import_module(OURS).tf)
    except Exception:                               # whatever another version does
        for name in ("tensorflow", "tensorflow.compat", "tensorflow.compat.v1", OURS):
            sys.modules.pop(name, None)
        return False
    return True


class _PublicNames(types.ModuleType):
    """A package of the public interface, whose names are imported when first asked for."""

    def __getattr__(self, name):
        if "_origins" not in self.__dict__:
            with open(self.__file__, encoding="utf-8") as stream:
                self._origins = {public or own: (module, own)
                                 for module, own, public in ORIGIN.findall(stream.read())}
        if name not in self._origins:
            raise AttributeError("module %r has no attribute %r" % (self.__name__, name))
        module, own = self._origins[name]
        if module.startswith(INTERFACE):
            folder = os.path.join(os.path.dirname(sys.modules["tensorflow"].__file__),
                                  *module.split(".")[1:])
            value = _package("%s.%s" % (module, own), os.path.join(folder, own))
        else:
            value = getattr(importlib.import_module(module), own)
        setattr(self, name, value)
        return value


def _package(name, folder):
    """The _PublicNames of a package, which is not imported."""
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]))
    module.__class__ = _PublicNames
    return module


def _has_plugins(folder):
    """Whether devices from elsewhere belong to the installation at `folder`."""
    return ("TF_PLUGGABLE_DEVICE_LIBRARY_PATH" in os.environ
            or os.path.isdir(os.path.join(os.path.dirname(folder), "tensorflow-plugins")))


def _try(tf):
    """Build a little graph of what works by side effects of imports: variables and operators."""
    tf.Variable                                     # the import makes tf.get_variable whole
    with tf.Graph().as_default():
        rows = tf.placeholder(tf.float32, [None, 2])
        with tf.variable_scope("trial"):
            scale = tf.get_variable("scale", [2], initializer=tf.ones_initializer())
        1.0 - rows[:, tf.newaxis] * scale / 2.0 + tf.matmul(rows, rows, transpose_b=True)
        tf.assign_sub(scale, -scale.read_value())
