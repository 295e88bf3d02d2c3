"""Tasks in processes of their own: what happens to one, even its death, is no other's matter."""
import collections
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import traceback

from utils.errors import UserError

PATIENCE_S = 5.0                        # for a process that is told to end

# kind: "progress", "done" (value: what the function returned) or "failed" (value: one line).
Event = collections.namedtuple("Event", "number kind value")


def run_tasks(function, tasks, num_processes):
    """Yield Events while `function(report, *task)` runs for each of `tasks`, in processes.

    Every task yields any number of "progress" events (what the function gave to
    `report(value)`) and then one "done" or "failed". Leaving the loop early ends the processes.

    Args:
      function: of a module (processes are spawned: nothing is inherited but the arguments).
      tasks: list of tuples of arguments, picklable.
      num_processes: how many at a time.
    """
    context = multiprocessing.get_context("spawn")
    waiting = collections.deque(enumerate(tasks))
    running = {}                        # connection: (task's number, process)
    try:
        while waiting or running:
            while waiting and len(running) < num_processes:
                number, task = waiting.popleft()
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(function, task, theirs))
                process.start()
                theirs.close()
                running[ours] = number, process
            for connection in multiprocessing.connection.wait(list(running)):
                number, process = running[connection]
                try:
                    kind, value = connection.recv()
                except EOFError:
                    process.join()
                    kind, value = "failed", _how_it_ended(process.exitcode)
                if kind != "progress":
                    del running[connection]
                    connection.close()
                    process.join(PATIENCE_S)
                yield Event(number, kind, value)
    finally:
        for _, process in running.values():
            process.terminate()
        for connection, (_, process) in running.items():
            process.join(PATIENCE_S)
            connection.close()          # ends what is left of it, see _end_with_parent
            process.join()


def _how_it_ended(exit_code):
    if exit_code is not None and exit_code < 0:
        return ("its process was killed by signal %d (out of memory?); try fewer --processes"
                % -exit_code)
    return "its process ended with exit code %s" % exit_code


def _work(function, task, connection):
    # Ctrl-C reaches every process of a terminal; the one that started these decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))    # so that files are removed
    threading.Thread(target=_end_with_parent, args=(connection,), daemon=True).start()
    try:
        outcome = "done", function(lambda value: connection.send(("progress", value)), *task)
    except UserError as error:
        outcome = "failed", " ".join(str(error).split())
    except Exception as error:          # one task's bug must not stop the others: told, by name
        place = traceback.extract_tb(sys.exc_info()[2])[-1]
        outcome = "failed", "unexpected %s: %s (%s line %d)" % (
            type(error).__name__, " ".join(str(error).split()), os.path.basename(place[0]),
            place[1])
    connection.send(outcome)


def _end_with_parent(connection):
    """End this process when the one that started it is gone, however it went."""
    try:
        connection.recv()               # nothing is ever sent: this returns when it is closed
    except (EOFError, OSError):
        os._exit(1)
