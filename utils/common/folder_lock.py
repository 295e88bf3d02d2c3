"""A lock on a folder: one process at a time writes there.

The lock is the operating system's own, on the file .lock in the folder: flock on Unix, a locked
byte (msvcrt) on Windows. The system releases it when the process ends, however it ends, so a
killed process never leaves a lock that holds. The file says who holds the lock, for the message
to the next process. Where neither lock exists (some network drives), the process that the file
names counts as the holder while it is alive on this computer.
"""
import contextlib
import datetime
import errno
import json
import os
import platform
import time

from utils.common.errors import UserError
from utils.common.files import make_folder, process_is_alive

try:
    import fcntl
except ImportError:                     # Windows
    fcntl = None
try:
    import msvcrt
except ImportError:                     # Unix
    msvcrt = None

LOCK_NAME = ".lock"
LOCKED_BYTE = 1 << 20                   # beyond the text: Windows lets nobody read a locked byte
READ_TRIES, READ_PAUSE_S = 10, 0.05     # a new holder writes its name just after it locks
HELD_BY_ANOTHER = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)

_held_here = set()                      # lock files held by this process


@contextlib.contextmanager
def folder_lock(folder, program, advice):
    """Hold `folder` for writing. It is made if need be, and removed again if it stays empty.

    Args:
      program: name of the script, for the message to a second process.
      advice: what that second process can do instead, for the same message.
    Raises UserError where another process holds the folder, or where nothing can be written.
    """
    was_there = os.path.isdir(folder)
    make_folder(folder)
    path = os.path.join(folder, LOCK_NAME)
    handle = _acquire(folder, path, advice)
    _held_here.add(os.path.realpath(path))
    try:
        _write_holder(folder, handle, program)
        yield
    finally:
        _held_here.discard(os.path.realpath(path))
        _release(path, handle)
        if not was_there:
            with contextlib.suppress(OSError):      # not empty
                os.rmdir(folder)


def _acquire(folder, path, advice):
    """A handle on the lock file at `path`, locked; UserError where another process has it."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise UserError("cannot write to the folder %s: %s; %s"
                            % (folder, error.strerror, advice))
        try:
            if not _is_locked(path, handle):
                raise UserError("%s is in use: %s is writing there; %s"
                                % (folder, _holder_text(path), advice))
            # The holder before may have removed the file after it was opened here.
            if _is_the_file(path, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_locked(path, handle):
    """Whether this process has the lock now."""
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if msvcrt:
            os.lseek(handle, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            return True
    except OSError as error:
        if error.errno in HELD_BY_ANOTHER:
            return False
    return not _holder_is_alive(path)


def _is_the_file(path, handle):
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except OSError:                                 # removed
        return False


def _write_holder(folder, handle, program):
    holder = {"program": program, "pid": os.getpid(), "host": platform.node(),
              "since": datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")}
    try:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(holder).encode("ascii"))
    except OSError as error:
        raise UserError("cannot write to the folder %s: %s; free the space or choose another "
                        "place" % (folder, error.strerror))


def _holder(path):
    """What the lock file says: a dictionary of program, pid, host, since; None if nothing."""
    try:
        with open(path, encoding="ascii") as stream:
            holder = json.load(stream)
        return {"program": str(holder["program"]), "pid": int(holder["pid"]),
                "host": str(holder["host"]), "since": str(holder["since"])}
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _holder_text(path):
    for _ in range(READ_TRIES):
        holder = _holder(path)
        if holder:
            return "%(program)s (process %(pid)d on %(host)s, since %(since)s)" % holder
        time.sleep(READ_PAUSE_S)
    return "another process"


def _holder_is_alive(path):
    """Whether the process that the lock file names runs on this computer."""
    holder = _holder(path)
    if holder is None or holder["host"] != platform.node():
        return False
    if holder["pid"] == os.getpid():                # or an earlier process had this number
        return os.path.realpath(path) in _held_here
    return os.name != "nt" and process_is_alive(holder["pid"])     # Windows cannot tell


def _release(path, handle):
    # Unix removes the file while it is still locked, so that nobody locks it in between. Windows
    # removes no open file: there it goes after closing, unless another process has opened it.
    if not msvcrt:
        with contextlib.suppress(OSError):
            os.remove(path)
    os.close(handle)
    if msvcrt:
        with contextlib.suppress(OSError):
            os.remove(path)
