"""Memory-mapped files that the system has none of in memory. For Linux."""
import ctypes
import mmap
import os

MADV_DONTNEED = 4


def forget(arrays, paths):
    """Have no page of the files at `paths` in memory, which `arrays` are views of, of any strides."""
    madvise = libc_function("madvise", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for array in arrays:                        # a page that is mapped is kept
        if madvise(*pages_of(array) + (MADV_DONTNEED,)):
            raise OSError(ctypes.get_errno(), "madvise")
    for path in paths:
        with open(str(path), "rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def pages_of(array):
    """(address, bytes) from the page on in which an array begins, to the end of the array."""
    address = array.__array_interface__["data"][0]
    end = address + array.itemsize + sum((size - 1) * stride for size, stride in zip(
        array.shape, array.strides))
    begin = address // mmap.PAGESIZE * mmap.PAGESIZE
    return begin, end - begin


def libc_function(name, *types):
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    function.argtypes = types
    return function
