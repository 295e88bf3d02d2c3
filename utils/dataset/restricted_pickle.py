"""Pickles of numpy arrays and plain containers, and of nothing else.

A pickle can name any function and have it called while it loads. This reader admits what the
published data files consist of (arrays, their scalars and dtypes, dict, list, tuple, set,
numbers, text) and refuses the rest by name. It reads Python 2's pickles and those written
under either layout of numpy (numpy.core, numpy._core).

Nothing of numpy's own is called with what a file says: its dtypes take a state that turns bytes
into pointers. Arrays are made here, of plain dtypes, and no other object's state is set.
"""
import collections
import functools
import os
import pickle
import re
import struct

import numpy as np

from utils.common.errors import UserError

GIT_LFS_MARK = b"version https://git-lfs"
PLAIN_DTYPE = re.compile(r"[<>|=]?([?bBhHiIlLqQefdgFDG]|b1|[iu][1248]|f(2|4|8|12|16)|c(8|16|24|32)"
                         r"|[SUa]\d{0,9})$")
OBJECT_DTYPE = re.compile(r"[|]?O[48]?$")
BYTE_ORDERS = ("<", ">", "|", "=")
LARGEST_ITEM_BYTES = 1 << 20                # of a text in an array
# A file may have the same bytes copied over and over, by few bytes of its own for each copy.
COPIES, SPARE_BYTES, BYTES_A_MEMBER = 16, 16 << 20, 8


def _latin1_bytes(reader, text, encoding):
    """What Python 2 array data calls as _codecs.encode; here it can do that one thing."""
    if encoding != "latin1":
        raise pickle.UnpicklingError("text encoded as %s" % encoding)
    return _as_bytes(reader, text)


def _no_bytes(reader):
    """What protocols 0 to 2 call as bytes() for an empty one; never with a size."""
    return b""


class _ArrayName(object):
    """numpy.ndarray where a file names it; it only ever stands in _reconstruct's arguments."""


class _Dtype(object):
    """numpy.dtype: `dtype`, of numbers, truth values, texts, or of objects."""

    def __init__(self, code, align=False, copy=False):
        if isinstance(code, bytes):
            code = code.decode("ascii")
        if code == "O" or OBJECT_DTYPE.match(code):
            self.dtype = np.dtype(object)
        elif PLAIN_DTYPE.match(code):
            self.dtype = np.dtype(code.replace("a", "S"))
        else:
            raise pickle.UnpicklingError("arrays of %.40r" % code)
        if self.dtype.itemsize > LARGEST_ITEM_BYTES:
            raise pickle.UnpicklingError("arrays of %.40r" % code)

    def set_state(self, state):
        byte_order, others = state[1], state[2:5]
        if isinstance(byte_order, bytes):
            byte_order = byte_order.decode("ascii")
        if byte_order not in BYTE_ORDERS or any(part is not None for part in others):
            raise pickle.UnpicklingError("arrays of records")
        self.dtype = self.dtype.newbyteorder(byte_order)


def _as_bytes(reader, raw):
    if not isinstance(raw, (str, bytes, bytearray)):
        raise pickle.UnpicklingError("bytes made of a %s" % type(raw).__name__)
    reader.spend(len(raw))
    return raw.encode("latin1") if isinstance(raw, str) else bytes(raw)


def _container(kind):
    def made(reader, *members):
        for member in members:
            reader.spend(BYTES_A_MEMBER * len(member))
        return kind(*members)
    return made


def _complex(reader, *parts):
    return complex(*parts)


def _dtype(reader, *arguments):
    return _Dtype(*arguments)


def _reconstruct(reader, subtype, shape, code):
    """An array to be filled by its state, as numpy's own; `subtype` is a plain array."""
    if not isinstance(subtype, _ArrayName):
        raise pickle.UnpicklingError("a kind of array")
    return np.zeros(0)


def _scalar(reader, dtype, raw=None):
    plain = _plain(dtype)
    if raw is None or not plain.itemsize:
        return plain.type()
    return np.frombuffer(_as_bytes(reader, raw), plain, 1)[0]


def _frombuffer(reader, raw, dtype, shape, order):
    return np.frombuffer(_as_bytes(reader, raw), _plain(dtype)).copy().reshape(shape, order=order)


def _plain(dtype):
    if dtype.dtype.hasobject:
        raise pickle.UnpicklingError("objects made of bytes")
    return dtype.dtype


def _set_array_state(reader, array, state):
    """Fill what _reconstruct gave; numpy checks the number of bytes, or of objects."""
    _, shape, dtype, is_fortran, raw = (0,) + tuple(state) if len(state) == 4 else state
    if dtype.dtype.hasobject != isinstance(raw, list):
        raise pickle.UnpicklingError("objects made of bytes")
    if isinstance(raw, list):
        reader.spend(BYTES_A_MEMBER * len(raw))
    shape = tuple(int(size) for size in shape)
    values = raw if isinstance(raw, list) else _as_bytes(reader, raw)
    if min(shape, default=0) < 0 or len(shape) > 32:
        raise pickle.UnpicklingError("an array of shape %.40r" % (shape,))
    count = 1
    for size in shape:
        count *= size                       # a Python number: it never overflows
    if len(values) != count * (1 if isinstance(raw, list) else dtype.dtype.itemsize):
        raise pickle.UnpicklingError("an array of shape %.40r with %d bytes" % (
            shape, len(values)))
    array.__setstate__((1, shape, dtype.dtype, bool(is_fortran), values))


# By name: functions whose first argument is the reader.
_NUMPY = {"dtype": _dtype, "_reconstruct": _reconstruct, "scalar": _scalar}
_NUMPY_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
_PYTHON = {
    ("_codecs", "encode"): _latin1_bytes,
    ("collections", "OrderedDict"): _container(collections.OrderedDict),
}
_PYTHON.update({(module, kind.__name__): _container(kind)
                for module in ("builtins", "__builtin__")
                for kind in (set, frozenset, dict, list, tuple)})
_PYTHON.update({(module, name): function for module in ("builtins", "__builtin__")
                for name, function in (("complex", _complex), ("bytes", _no_bytes))})


class _Whole(object):
    """A file whose end is an error wherever it comes; no more than it has is ever asked for."""

    def __init__(self, stream):
        self._stream = stream
        self._num_bytes = os.fstat(stream.fileno()).st_size

    def read(self, num_bytes):
        if num_bytes > self._num_bytes - self._stream.tell():
            raise EOFError("it ends in the middle")
        return self._stream.read(num_bytes)

    def readline(self):
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            raise EOFError("it ends in the middle")
        return line


class _RestrictedUnpickler(pickle._Unpickler):      # C's own lets nobody see a state that is set
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream, num_bytes):
        super(_RestrictedUnpickler, self).__init__(stream, encoding="latin1")
        self._left_bytes = COPIES * num_bytes + SPARE_BYTES

    def spend(self, num_bytes):
        """Called with what is about to be copied."""
        self._left_bytes -= num_bytes
        if self._left_bytes < 0:
            raise pickle.UnpicklingError("the same bytes over and over")

    def find_class(self, module, name):
        if module in _NUMPY_MODULES and name == "ndarray":
            return _ArrayName()
        function = _PYTHON.get((module, name))
        if module in _NUMPY_MODULES:
            function = _NUMPY.get(name)
        elif name == "_frombuffer" and module in ("numpy.core.numeric", "numpy._core.numeric"):
            function = _frombuffer                  # protocol 5 alone, Python 3.8 on
        if function is not None:
            return functools.partial(function, self)
        raise UserError("names %s.%s; only numpy arrays and plain containers are read, since a "
                        "pickle could run any code" % (module, name))

    def load_build(self):
        """Set the state of an array or a dtype that was made here."""
        state = self.stack.pop()
        built = self.stack[-1]
        if type(built) is np.ndarray:
            _set_array_state(self, built, state)
        elif type(built) is _Dtype:
            built.set_state(state)
        else:
            raise pickle.UnpicklingError("the state of a %s" % type(built).__name__)

    dispatch[pickle.BUILD[0]] = load_build

    def load_bytearray8(self):
        num_bytes, = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(num_bytes)))    # Python's makes room before it looks

    if hasattr(pickle, "BYTEARRAY8"):                   # from Python 3.8 on
        dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


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
            return _RestrictedUnpickler(_Whole(stream), os.path.getsize(path)).load()
        except UserError as error:
            raise UserError("%s %s" % (path, error))
        except Exception as error:      # a damaged pickle can raise whatever it happens to hit
            raise UserError("%s is truncated or no pickle (%s: %s); copy it again"
                            % (path, type(error).__name__, error))
