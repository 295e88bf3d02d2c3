"""Tasks in processes of their own: what happens to one, even its death, is no other's matter."""
import collections
import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import sys
import threading
import traceback

from utils.common.errors import END_SIGNALS, UserError

PATIENCE_S = 5.0                        # for a process that is told to end
NO_MORE = None                          # in place of a task
NUM_TRIES = 2                           # for what took long to make and whose process was killed

# kind: "progress", "done" (value: what the function returned), "failed" (value: one line) or
# "again" (value: one line on how its process died).
Event = collections.namedtuple("Event", "number kind value")


def run_tasks(function, tasks, num_processes, num_tries=1):
    """Yield Events while `function(report, *task)` runs for each of `tasks`, in processes.

    Every task yields any number of "progress" events (what the function gave to
    `report(value)`) and then one "done" or "failed". A process does one task after another; one
    that dies is replaced. Its task then yields "again" and waits for its next try, or "failed"
    after the last one. Leaving the loop early ends them.

    Args:
      function: of a module (processes are spawned: nothing is inherited but the arguments).
      tasks: list of tuples of arguments, picklable.
      num_processes: how many at a time.
      num_tries: for a task whose process dies; an error is not tried again.
    """
    context = multiprocessing.get_context("spawn")
    waiting = collections.deque(enumerate(tasks))
    tries_left = [num_tries] * len(tasks)
    workers = {}                        # connection: [process, number of the task it is at]

    def start():
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(function, theirs))
        process.start()
        theirs.close()
        workers[ours] = [process, None]
        give(ours)

    def give(connection):
        number, task = waiting.popleft() if waiting else (None, NO_MORE)
        workers[connection][1] = number
        connection.send(task)

    try:
        while waiting or any(number is not None for _, number in workers.values()):
            while waiting and len(workers) < num_processes:
                start()
            for connection in multiprocessing.connection.wait(list(workers)):
                process, number = workers[connection]
                try:
                    kind, value = connection.recv()
                except (EOFError, OSError):         # the process is gone
                    process.join()
                    connection.close()
                    del workers[connection]
                    if number is not None:
                        tries_left[number] -= 1
                        if tries_left[number]:
                            waiting.append((number, tasks[number]))
                        yield Event(number, "again" if tries_left[number] else "failed",
                                    _how_it_ended(process.exitcode))
                    continue
                if kind != "progress":
                    give(connection)
                yield Event(number, kind, value)
        for process, _ in workers.values():         # all have been told that there is no more
            process.join(PATIENCE_S)
    finally:
        for process, _ in workers.values():
            process.terminate()
        for connection, (process, _) in workers.items():
            process.join(PATIENCE_S)
            connection.close()          # ends what is left of it, see _receive
            process.join()


def _how_it_ended(exit_code):
    if exit_code is not None and exit_code < 0:
        return ("its process was killed by signal %d (out of memory?); try fewer at a time"
                % -exit_code)
    return "its process ended with exit code %s" % exit_code


def _work(function, connection):
    # Ctrl-C reaches every process of a terminal; the one that started these decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in END_SIGNALS:                      # so that files are removed
        signal.signal(number, lambda number, frame: sys.exit(1))
    tasks = queue.Queue()
    threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()
    for task in iter(tasks.get, NO_MORE):
        connection.send(outcome_of(function, task,
                                   lambda value: connection.send(("progress", value))))


def outcome_of(function, task, report):
    """("done", what `function` returned) or ("failed", one line) of one task, whatever it does."""
    try:
        return "done", function(report, *task)
    except UserError as error:
        return "failed", " ".join(str(error).split())
    except Exception as error:          # one task's bug must not stop the others: told, by name
        place = traceback.extract_tb(sys.exc_info()[2])[-1]
        return "failed", "unexpected %s: %s (%s line %d)" % (
            type(error).__name__, " ".join(str(error).split()), os.path.basename(place[0]),
            place[1])


def _receive(connection, tasks):
    """Take in tasks; end this process when the one that started it is gone, however it went."""
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)
