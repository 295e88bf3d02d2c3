"""A first try of native code on a stranger's file, in a process whose death is no other's."""
import faulthandler
import os
import select
import signal
import sys
import time
import warnings

import numpy as np

try:
    import resource
except ImportError:                     # Windows, which has no fork either
    resource = None

LONGEST_S = 60.0                        # of a graph of any size, on a busy machine


def death_of(function, most_bytes, longest_s=LONGEST_S):
    """How a forked process dies that calls `function`; None where it does not, whatever is raised.

    TensorFlow's and TensorFlow Lite's readers take the process down with them on some malformed
    files. The fork shares all memory and takes some hundredths of a second. Without fork
    (Windows) nothing is tried.

    Args:
      most_bytes: that the memory may grow by.
      longest_s: that it may take.
    """
    if not hasattr(os, "fork"):
        return None
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of locks that other threads hold. Here nothing waits for any.
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        _try(function, most_bytes, reading, writing)
    os.close(writing)                   # it is readable once the child is gone
    started_s = time.monotonic()
    try:
        waiting = select.poll()         # select takes no descriptor above 1023
        waiting.register(reading, select.POLLIN)
        waiting.poll(int(1000 * longest_s))
        if time.monotonic() - started_s >= longest_s:
            os.kill(pid, signal.SIGKILL)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(reading)
        status = os.waitpid(pid, 0)[1]
    if not os.WIFSIGNALED(status):
        return None
    if os.WTERMSIG(status) == signal.SIGKILL and time.monotonic() - started_s >= longest_s:
        return "it is not read in %g s" % longest_s
    return "its reader dies of signal %d" % os.WTERMSIG(status)


def allocate(interpreter):
    """The tensors of a tf.lite.Interpreter; its inputs are zeros, else it runs on stray memory."""
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))


def run_once(interpreter):
    """What can go wrong with a tf.lite.Interpreter, for `death_of`."""
    interpreter.allocate_tensors()
    interpreter.invoke()


def _try(function, most_bytes, reading, writing):
    """In the child: call function() and end, by no code of the parent's."""
    try:
        os.close(reading)
        faulthandler.disable()          # a test's, which would tell of a death that is no fault
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):       # what native code says as it dies
            os.dup2(nowhere, descriptor)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = _address_space() + most_bytes
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        function()
    except BaseException:               # the parent meets the same, and tells it
        pass
    finally:
        os._exit(0)


def _address_space():
    """Bytes; reads /proc. Without it, none is known and the limit is far off."""
    try:
        with open("/proc/self/statm") as stream:
            return int(stream.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 40
