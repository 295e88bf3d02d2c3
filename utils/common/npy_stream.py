"""A .npy file written piece by piece, so that its array is never held; read as a memory map."""
import struct

import numpy as np

HEADER_BYTES = 128                      # of .npy format 1.0, here of fixed size


def write_npy(path, pieces, dtype, row_shape=()):
    """Write `pieces`, an iterable of arrays [n, *row_shape], one after another. Returns the rows.

    dtype: as .npy has it, with the byte order ("<f4"). OSError where the disk is full.
    """
    num_rows = 0
    with open(path, "wb") as stream:
        stream.write(_header(dtype, (0,) + tuple(row_shape)))
        for piece in pieces:
            stream.write(np.ascontiguousarray(piece, dtype=dtype).tobytes())
            num_rows += len(piece)
        stream.seek(0)
        stream.write(_header(dtype, (num_rows,) + tuple(row_shape)))
    return num_rows


def _header(dtype, shape):
    text = "{'descr': %r, 'fortran_order': False, 'shape': %r, }" % (dtype, shape)
    size = HEADER_BYTES - 10
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", size)
            + (text.ljust(size - 1) + "\n").encode("ascii"))


def read_npy(path, dtype, row_shape=()):
    """The array [rows, *row_shape] at `path`, memory-mapped; None if it holds no such array."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:       # absent, cut short, overwritten: a damaged header raises a dozen kinds
        return None
    whole = array.dtype == np.dtype(dtype) and array.shape[1:] == tuple(row_shape)
    return array if whole and array.ndim == 1 + len(row_shape) else None
