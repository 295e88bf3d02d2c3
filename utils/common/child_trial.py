"""A first try of native code on a stranger's file, in a process whose death is no other's.

    python -m utils.common.child_trial          that process; `death_of` starts it

TensorFlow's and TensorFlow Lite's readers take the process down with them on some malformed files.
The other process is a new one, not a fork: a fork has the interpreters of the process that asks
but not their threads, and hangs where it collects one as garbage.
"""
import atexit
import faulthandler
import multiprocessing.spawn
import os
import pickle
import subprocess
import sys
import threading

from utils.common.constants import REPOSITORY
from utils.common.errors import UserError

try:
    import resource
except ImportError:                     # Windows, where the memory has no bound then
    resource = None

LONGEST_S = 60.0                        # of a graph of any size, on a busy machine
IDLE_S = 3.0                            # after which the process ends; a new one takes 1 s
DONE, CANNOT_IMPORT = b".", b"?"        # what it replies; the first also once it has begun


def death_of(function, *args, most_bytes, longest_s=LONGEST_S):
    """How a process dies that calls `function`; None where it does not, whatever is raised.

    A process that has survived is used again. Where it dies of a later file, that is tried once
    more in a new one: the fault may be of the file before.

    Args:
      function: of a module, so that the other process can import it; its args can be pickled.
      most_bytes: that the memory may grow by; without bound on Windows.
      longest_s: that it may take.
    Raises UserError: no other process can be started.
    """
    return _trials().death_of((pickle.dumps((function, args)), most_bytes, longest_s), longest_s)


# The process that asks

_trials_of_this_process = None


def _trials():
    global _trials_of_this_process
    if _trials_of_this_process is None or _trials_of_this_process.asker != os.getpid():
        _trials_of_this_process = _Trials()             # also in a fork: the other is its parent's
        atexit.register(_trials_of_this_process.end)
    return _trials_of_this_process


class _Trials:
    """One process that tries, started when it is needed."""

    def __init__(self):
        self.asker = os.getpid()
        self._process = None
        self._turn = threading.Lock()

    def death_of(self, request, longest_s):
        with self._turn:
            is_used = self._process is not None
            death = self._try(request, longest_s)
            if death is not None and is_used:
                death = self._try(request, longest_s)
            return death

    def end(self):
        """End the process, which waits for a request."""
        if self._process is not None:
            _let_go(self._process)
            self._process = None

    def _try(self, request, longest_s):
        process, self._process = self._process or _started(), None
        try:
            try:
                pickle.dump(request, process.stdin)
                process.stdin.flush()
            except OSError:                             # a closed pipe: it was idle for too long
                pass
            reply, is_too_long = _reply(process, longest_s)
            if reply == DONE:
                self._process = process
                return None
        finally:
            if self._process is None:                   # dead, or this is an interrupt
                process.kill()
                _let_go(process)
        if reply == CANNOT_IMPORT:
            raise _cannot_start(process.args[0], "it imports other modules than this process")
        if is_too_long:
            return "it is not read in %g s" % longest_s
        if process.returncode < 0:
            return "its reader dies of signal %d" % -process.returncode
        return "its reader ends with status %d" % process.returncode


def _started():
    program = multiprocessing.spawn.get_executable()    # not sys.executable within another program
    try:
        process = subprocess.Popen(
            [program, "-m", "utils.common.child_trial"], cwd=REPOSITORY, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,                     # a terminal's Ctrl-C is for the asker
            env=dict(os.environ, CUDA_VISIBLE_DEVICES="-1"))    # a GPU takes addresses without bound
    except (OSError, TypeError) as error:               # no program is known: None
        raise _cannot_start(program, error)
    reply = None
    try:
        reply, _ = _reply(process, LONGEST_S)
    finally:
        if reply != DONE:
            process.kill()
            _let_go(process)
    if reply != DONE:
        raise _cannot_start(program, "it ends with status %d" % process.returncode)
    return process


def _cannot_start(program, why):
    return UserError("cannot start %s, the Python in which a graph is tried before it is used: %s; "
                     "name it by multiprocessing.set_executable()" % (program, why))


def _reply(process, longest_s):
    """(one byte, none where it dies; whether it was killed since that took too long)."""
    is_too_long = threading.Event()

    def kill():
        is_too_long.set()
        process.kill()

    limit = threading.Timer(longest_s, kill)
    limit.start()
    try:
        return process.stdout.read(1), is_too_long.is_set()
    finally:
        limit.cancel()


def _let_go(process):
    try:
        process.stdin.close()
    except OSError:                                     # what it did not read
        pass
    process.stdout.close()
    process.wait()


# The process that tries

def _try_what_is_asked():
    replies = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)                                 # what native code says as it dies
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from utils.common.lean_import import lean_tensorflow
    while True:
        replies.write(DONE)
        replies.flush()
        # It ends this process by a thread of its own, also where native code holds Python's lock.
        faulthandler.dump_traceback_later(IDLE_S, exit=True, file=nowhere)
        try:
            content, most_bytes, longest_s = pickle.load(sys.stdin.buffer)
        except EOFError:                                # the asker has ended
            os._exit(0)
        faulthandler.dump_traceback_later(2 * longest_s, exit=True, file=nowhere)
        try:
            with lean_tensorflow():
                function, args = pickle.loads(content)
        except (ImportError, AttributeError):
            replies.write(CANNOT_IMPORT)
            replies.flush()
            os._exit(1)
        _bound_memory(most_bytes)
        try:
            function(*args)
        except Exception:                               # the asker meets the same, and tells it
            pass


def _bound_memory(most_bytes):
    if resource is None:
        return
    most = _address_space() + most_bytes
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _address_space():
    """Bytes; reads /proc. Without it, none is known and the limit is far off."""
    try:
        with open("/proc/self/statm") as stream:
            return int(stream.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 40


if __name__ == "__main__":
    _try_what_is_asked()
