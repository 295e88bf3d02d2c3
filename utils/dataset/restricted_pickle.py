"""Pickles of numpy arrays and plain containers, and of nothing else.

A pickle can name any function and have it called while it loads. This reader admits what the
published data files consist of (arrays, their scalars and dtypes, dict, list, tuple, set,
numbers, text) and refuses the rest by name. It reads Python 2's pickles and those written
under either layout of numpy (numpy.core, numpy._core).
"""
import collections
import pickle

import numpy as np

from utils.common.errors import UserError

GIT_LFS_MARK = b"version https://git-lfs"


def _latin1_bytes(text, encoding):
    """What Python 2 array data calls as _codecs.encode; here it can do that one thing."""
    if encoding != "latin1":
        raise pickle.UnpicklingError("text encoded as %s" % encoding)
    return text.encode("latin1")


def _no_bytes():
    """What protocols 0 to 2 call as bytes() for an empty one; never with a size."""
    return b""


_NUMPY = {
    "ndarray": np.ndarray,
    "dtype": np.dtype,
    # Private to numpy and moved between its versions, so asked of the objects themselves.
    "_reconstruct": np.zeros(1).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
}
_NUMPY_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
_PYTHON = {
    ("_codecs", "encode"): _latin1_bytes,
    ("collections", "OrderedDict"): collections.OrderedDict,
}
_PYTHON.update({(module, name): kind
                for module in ("builtins", "__builtin__")
                for name, kind in (("set", set), ("frozenset", frozenset), ("dict", dict),
                                   ("list", list), ("tuple", tuple), ("complex", complex),
                                   ("bytes", _no_bytes))})


class _RestrictedUnpickler(pickle.Unpickler):

    def find_class(self, module, name):
        if module in _NUMPY_MODULES and name in _NUMPY:
            return _NUMPY[name]
        if name == "_frombuffer" and module in ("numpy.core.numeric", "numpy._core.numeric"):
            return np.zeros(1).__reduce_ex__(5)[0]      # protocol 5 alone, Python 3.8 on
        if (module, name) in _PYTHON:
            return _PYTHON[module, name]
        raise UserError("names %s.%s; only numpy arrays and plain containers are read, since a "
                        "pickle could run any code" % (module, name))


def load_pickle(path):
    """The content of the pickle at `path`; text of a Python 2 pickle is read as latin-1.

    Raises UserError: missing, truncated, no pickle, or naming anything but numpy arrays and
    plain containers.
    """
    try:
        stream = open(path, "rb")
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    with stream:
        if stream.read(len(GIT_LFS_MARK)) == GIT_LFS_MARK:
            raise UserError("%s is a Git-LFS pointer, not the file itself; run `git lfs pull` "
                            "where it comes from" % path)
        stream.seek(0)
        try:
            return _RestrictedUnpickler(stream, encoding="latin1").load()
        except UserError as error:
            raise UserError("%s %s" % (path, error))
        except Exception as error:      # a damaged pickle can raise whatever it happens to hit
            raise UserError("%s is truncated or no pickle (%s: %s); copy it again"
                            % (path, type(error).__name__, error))
