"""Tasks on Dask's distributed scheduler: what worker_processes does, on many computers.

A worker, which is a process, has one task at a time, and Dask is told which worker takes it. So
a worker that dies takes no other task with it. Every worker is checked before its first task: it
must have this version of the program and see the same files.

Dask sends functions and arguments as pickles. Whoever reaches its ports runs any code there.
"""
import collections
import contextlib
import functools
import logging
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import warnings

from tqdm import tqdm

try:
    from multiprocessing import resource_tracker
except ImportError:                     # before Python 3.8
    resource_tracker = None

from utils.common.errors import UserError
from utils.common.program import sha256_of_program, versions_of
from utils.common.worker_processes import Event, outcome_of

LOCAL = "local"                         # a scheduler of this run's own, and workers on this computer
POLL_S = 0.5                            # between two looks at which workers there are
RESULT_S = 10.0                         # for a result to come from a worker that is done
TELL_AFTER_S = 10.0                     # of waiting for a worker
# A network file system may show a new file this late: NFS keeps a folder in mind for 30 s.
SEEN_WITHIN_S = 40.0
PACKAGES = ("numpy", "tensorflow", "tensorflow-cpu", "distributed")     # that decide on results
CHECK = None                            # in place of a task's number

# What a worker imported: files that changed since are not what it runs.
_PROGRAM = sha256_of_program()
_one_at_a_time = threading.Lock()       # a worker may have several threads, and our tasks print


def runner_on(scheduler, files):
    """run_tasks of worker_processes, to be called with the same arguments, on Dask's workers.

    num_processes is how many workers at most are used at a time; None: all. A task whose worker
    is gone is tried num_tries times, or once more than Dask's
    distributed.scheduler.allowed-failures where that is more. There are no "progress" events.

    Args:
      scheduler: LOCAL, or an address as tcp://host:8786, or tls:// by Dask's settings.
      files: paths that every worker must see, with the size they have here.
    It warns on stderr of workers that are waited for, and of those that can take no part. The
    runner raises UserError where distributed is absent, the scheduler cannot be reached or is
    gone, or no worker can take part.
    """
    return functools.partial(_run_tasks, scheduler, files)


def _run_tasks(scheduler, files, function, tasks, num_processes, num_tries=1):
    if not tasks:
        return
    distributed = _distributed()
    with _logs_dropped(), _client(distributed, scheduler, num_processes, len(tasks)) as client:
        run = _Run(client, scheduler, files, function, tasks, num_processes,
                   max(num_tries, 1 + _allowed_failures()))
        try:
            for event in run.events():
                yield event
        finally:
            run.cancel()


class _Run(object):
    """Tasks that wait, and the one that each worker is at."""

    def __init__(self, client, scheduler, files, function, tasks, num_at_once, num_tries):
        self._client, self._scheduler = client, scheduler
        self._function, self._tasks, self._num_at_once = function, tasks, num_at_once
        self._expected = (_PROGRAM, versions_of(*PACKAGES),
                          {os.path.abspath(path): _size(path) for path in files})
        self._waiting = collections.deque(range(len(tasks)))
        self._tries_left = [num_tries] * len(tasks)
        self._at_work = {}              # address of a worker: (future, number or CHECK)
        self._misfits = {}              # address: None for one that fits, or what is wrong
        self._untold = []               # lines on workers that do not fit
        self._changed = threading.Event()
        self._idle_since_s, self._told_idle = time.monotonic(), False

    def events(self):
        looked_s, workers = 0.0, {}
        while self._waiting or any(number is not CHECK for _, number in self._at_work.values()):
            self._changed.clear()
            if time.monotonic() - looked_s >= POLL_S:
                looked_s, workers = time.monotonic(), self._workers(workers)
            for event in self._ended(workers):
                yield event
            self._give(workers)
            self._tell(workers)
            self._changed.wait(POLL_S)

    def cancel(self):
        """Let Dask forget what is under way; what a worker is at by now, it ends by itself."""
        with contextlib.suppress(Exception):        # the scheduler may be gone
            self._client.cancel([future for future, _ in self._at_work.values()])

    def _workers(self, before):
        """{address: status} of the workers there are; what there was where nobody answers."""
        if self._client.status == "closed":
            raise UserError("the scheduler %s is gone; start it again, then run the same command: "
                            "it goes on" % self._scheduler)
        try:
            found = self._client.scheduler_info()["workers"]
        except Exception:               # while the client connects again; there are many kinds
            return before
        self._misfits = {address: line for address, line in self._misfits.items()
                         if address in found}       # a new process may take an address later
        # Releases before 2022.4 do not tell whether a worker is paused.
        return {address: info.get("status", "running") for address, info in found.items()}

    def _ended(self, workers):
        for address, (future, number) in list(self._at_work.items()):
            outcome = self._outcome(address, future, address in workers)
            if outcome is None:
                continue
            del self._at_work[address]
            kind, value = outcome
            if number is CHECK:
                if kind != "again":
                    self._misfits[address] = value
                if kind != "again" and value:
                    self._untold.append("the worker %s takes no part: %s" % (address, value))
                continue
            if kind == "again":
                self._tries_left[number] -= 1
                if self._tries_left[number]:
                    self._waiting.append(number)
                else:
                    kind = "failed"
            yield Event(number, kind, value)

    def _outcome(self, address, future, is_there):
        """(kind, value) of what a worker was at, or None where it is still at it."""
        gone = "again", ("its worker %s is gone (killed, out of memory, or its time is over)"
                         % address)
        if future.status == "finished":
            try:
                return future.result(timeout=RESULT_S)
            except Exception:           # the worker went before the result came
                return None if is_there else gone
        if future.status == "error":
            error = future.exception()
            if type(error).__name__ == "KilledWorker":
                return gone
            return "failed", "Dask could not run it: %s: %s" % (
                type(error).__name__, " ".join(str(error).split()))
        if future.status in ("cancelled", "lost") or not is_there:
            with contextlib.suppress(Exception):
                self._client.cancel([future])
            return gone
        return None

    def _give(self, workers):
        for address, status in workers.items():
            if address in self._at_work or status != "running":
                continue
            if address not in self._misfits:
                self._submit(address, CHECK, _misfit, self._expected + (SEEN_WITHIN_S,))
            elif self._misfits[address] is None and self._waiting and not self._is_full():
                while self._untold:
                    _warn(self._untold.pop())
                number = self._waiting.popleft()
                self._submit(address, number, self._function, self._tasks[number])

    def _is_full(self):
        numbers = [number for _, number in self._at_work.values() if number is not CHECK]
        return self._num_at_once is not None and len(numbers) >= self._num_at_once

    def _submit(self, address, number, function, task):
        # As bytes, so that the scheduler need not be able to import the function.
        future = self._client.submit(
            _by_value(), pickle.dumps((function, task), protocol=4), number is CHECK,
            workers=[address], allow_other_workers=False, pure=False)
        future.add_done_callback(lambda _: self._changed.set())
        self._at_work[address] = future, number

    def _tell(self, workers):
        """Say once why nothing goes on, or raise UserError where nothing ever will."""
        if self._at_work:
            self._idle_since_s = time.monotonic()
            return
        misfits = [line for address, line in self._misfits.items() if address in workers and line]
        if workers and len(misfits) == len(workers):
            raise UserError("none of the %d workers of %s can take part; the first: %s"
                            % (len(workers), self._scheduler, misfits[0]))
        if self._waiting and not self._told_idle and (
                time.monotonic() - self._idle_since_s > TELL_AFTER_S):
            self._told_idle = True
            _warn("%s; waiting (Ctrl-C ends it)" % (
                "no worker takes a task: %s" % ", ".join(
                    "%s is %s" % one for one in sorted(workers.items())[:3])
                if workers else "no worker has joined the scheduler %s" % self._scheduler))


def _warn(line):
    tqdm.write("warning: %s" % line, file=sys.stderr)     # beside a bar that the caller shows


def _by_value():
    """A function that cloudpickle sends as it stands: a nested one."""
    def run(payload, is_check):
        import pickle
        try:
            function, task = pickle.loads(payload)
        except ImportError as error:
            return ("done" if is_check else "failed"), (
                "it cannot import this program (%s); start it with PYTHONPATH=<the program's "
                "folder>" % error)
        from utils.common.dask_workers import run_task
        return run_task(function, task, is_check)
    return run


def run_task(function, task, is_check):
    """On a worker: an outcome, as outcome_of."""
    if is_check:
        return "done", function(*task)
    with _one_at_a_time:
        return outcome_of(function, task, lambda value: None)


def _misfit(program, versions, sizes, patience_s):
    """On a worker: why it can take no part, or None.

    Args:
      program, versions: what the run itself has.
      sizes: {path: bytes} of files that are to be seen.
      patience_s: how long they may take to appear.
    """
    if program != _PROGRAM:
        return "it runs another version of this program; bring it up to date and start it anew"
    own = versions_of(*PACKAGES)
    if own != versions:
        return "it has %s where this run has %s; install the same" % tuple(
            ", ".join("%s %s" % (name, found[name] or "absent") for name in sorted(versions)
                      if own[name] != versions[name]) for found in (own, versions))
    end_s = time.monotonic() + patience_s
    while True:
        unseen = [path for path, num_bytes in sizes.items() if _size(path) != num_bytes]
        if not unseen:
            return None
        if time.monotonic() > end_s:
            return ("it does not see %s as this computer does; workers need the same files "
                    "under the same paths, on a shared file system" % unseen[0])
        time.sleep(0.5)


def _size(path):
    try:
        os.listdir(os.path.dirname(path) or os.curdir)      # makes a network file system look anew
        return os.path.getsize(path)
    except OSError:
        return None


# ---- Dask's side

def _distributed():
    """The module; UserError that says what to install."""
    try:
        import distributed
    except ImportError:
        raise UserError("--scheduler needs the package distributed "
                        "(pip install -r requirements-cluster.txt)")
    return distributed


def _allowed_failures():
    import dask
    return dask.config.get("distributed.scheduler.allowed-failures", 3)


@contextlib.contextmanager
def _client(distributed, scheduler, num_processes, num_tasks):
    """A Client of the scheduler that is named, or of one that ends with the block."""
    with contextlib.ExitStack() as stack:
        if scheduler == LOCAL:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dask-"))
            with _interrupts_held():
                scheduler = stack.enter_context(distributed.LocalCluster(
                    n_workers=min(num_processes, num_tasks), threads_per_worker=1, processes=True,
                    memory_limit=0, dashboard_address=None, local_directory=folder,
                    silence_logs=logging.CRITICAL))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")     # of versions: the workers' check tells it
                client = stack.enter_context(distributed.Client(scheduler))
        except Exception as error:      # of the network, of TLS, of another release: many kinds
            raise UserError("cannot reach the scheduler %s: %s; is it started, and is this its "
                            "address?" % (scheduler, str(error) or type(error).__name__))
        yield client


@contextlib.contextmanager
def _interrupts_held():
    """Threads and processes that are started here never see Ctrl-C; this thread does afterwards.

    Ctrl-C reaches every process of a terminal; the one that started the others decides.
    """
    if not hasattr(signal, "pthread_sigmask"):      # Windows
        yield
        return
    if resource_tracker:
        resource_tracker.ensure_running()           # which would end the mask as it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _logs_dropped():
    """Dask logs every lost connection to stderr, where our own lines would drown."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
