"""Of the process in which a stranger's graph is tried: how it dies, and that nobody else suffers."""
import multiprocessing
import multiprocessing.spawn
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from utils.common import child_trial
from utils.common.child_trial import death_of
from utils.common.constants import REPOSITORY
from utils.common.errors import UserError

MOST_BYTES = 1 << 30
needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")


def _nothing():
    pass


def _raise():
    raise ValueError("as a reader of files does")


def _die(number):
    os.kill(os.getpid(), number)


def _die_the_second_time():
    if os.environ.get("IS_SPOILED"):
        _die(signal.SIGSEGV)
    os.environ["IS_SPOILED"] = "1"


def _end(status):
    os._exit(status)


def _hold(num_bytes):
    try:
        np.ones(num_bytes, np.int8)
    except MemoryError:
        os._exit(3)


def _chatter():
    os.write(1, b"to be heard by none\n")
    os.write(2, b"to be heard by none\n")


def _tell_process(path):
    with open(path, "w") as stream:
        stream.write("%d %s" % (os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"]))


def _number_of_process(tmp_path):
    place = str(tmp_path / "process")
    assert death_of(_tell_process, place, most_bytes=MOST_BYTES) is None
    with open(place) as stream:
        return int(stream.read().split()[0])


def _is_running(pid):
    try:
        with open("/proc/%d/stat" % pid) as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _is_gone_within(pid, longest_s):
    started_s = time.monotonic()
    while _is_running(pid) and time.monotonic() < started_s + longest_s:
        time.sleep(0.05)
    return not _is_running(pid)


@pytest.mark.parametrize("function, args", [(_nothing, ()), (_raise, ()), (_chatter, ())])
def test_what_survives_and_what_raises_has_no_death(function, args, capfd):
    assert death_of(function, *args, most_bytes=MOST_BYTES) is None
    assert capfd.readouterr() == ("", "")


@needs_signals
def test_a_death_is_told_and_the_next_is_tried_in_a_new_process():
    assert death_of(_die, signal.SIGSEGV, most_bytes=MOST_BYTES) == "its reader dies of signal 11"
    assert death_of(_nothing, most_bytes=MOST_BYTES) is None
    assert death_of(_end, 7, most_bytes=MOST_BYTES) == "its reader ends with status 7"


@needs_signals
def test_what_dies_of_the_file_before_is_tried_in_a_new_process():
    assert death_of(_die_the_second_time, most_bytes=MOST_BYTES) is None
    assert death_of(_die_the_second_time, most_bytes=MOST_BYTES) is None


def test_what_takes_too_long_is_ended():
    assert death_of(_nothing, most_bytes=MOST_BYTES) is None        # imports this file
    started_s = time.monotonic()
    assert (death_of(time.sleep, 60, most_bytes=MOST_BYTES, longest_s=0.5) ==
            "it is not read in 0.5 s")
    assert time.monotonic() - started_s < 30


@pytest.mark.skipif(child_trial.resource is None, reason="Windows has no bound on memory")
def test_memory_has_a_bound_that_no_file_before_changes():
    bound = MOST_BYTES // 4
    for _ in range(3):
        assert death_of(_hold, bound // 2, most_bytes=bound) is None
    assert death_of(_hold, 2 * bound, most_bytes=bound) == "its reader ends with status 3"


def test_it_is_used_again_and_sees_no_gpu(tmp_path):
    first = _number_of_process(tmp_path)
    assert _number_of_process(tmp_path) == first != os.getpid()
    assert (tmp_path / "process").read_text().split()[1] == "-1"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_it_ends_when_idle_and_with_the_process_that_asks(tmp_path):
    first = _number_of_process(tmp_path)
    assert _is_gone_within(first, 4 * child_trial.IDLE_S)
    assert _number_of_process(tmp_path) != first

    program = ("import os, sys, signal\n"
               "from utils.common.child_trial import death_of\n"
               "from tests.common.test_child_trial import _tell_process\n"
               "death_of(_tell_process, sys.argv[1], most_bytes=1 << 30)\n"
               "print('told', flush=True)\n"
               "if sys.argv[2] == 'killed': os.kill(os.getpid(), signal.SIGKILL)\n")
    for way in ("killed", "ends"):
        place = str(tmp_path / way)
        said = subprocess.run([sys.executable, "-c", program, place, way], cwd=REPOSITORY,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert (said.stdout, said.stderr) == (b"told\n", b"")
        assert _is_gone_within(int((tmp_path / way).read_text().split()[0]), 2)


@needs_signals
def test_the_interrupt_of_a_terminal_is_not_for_it(tmp_path):
    first = _number_of_process(tmp_path)
    assert os.getpgid(first) != os.getpgid(0)


@needs_signals
def test_an_interrupt_of_the_one_that_asks_leaves_it_in_order():
    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt):
            death_of(time.sleep, 60, most_bytes=MOST_BYTES)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert death_of(_nothing, most_bytes=MOST_BYTES) is None


def test_threads_ask_the_same_process_in_turn(tmp_path):
    places = [tmp_path / name for name in "abc"]
    for place in places:
        place.mkdir()
    numbers = []
    threads = [threading.Thread(target=lambda place=place: numbers.append(
        _number_of_process(place))) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 3 and len(set(numbers)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_has_a_process_of_its_own(tmp_path):
    ours = _number_of_process(tmp_path)
    theirs, here = multiprocessing.get_context("fork").Pipe(False)
    child = multiprocessing.get_context("fork").Process(
        target=lambda: here.send(_number_of_process(tmp_path)))
    child.start()
    assert theirs.poll(60) and theirs.recv() != ours
    child.join(60)
    assert child.exitcode == 0 and _number_of_process(tmp_path) == ours


def test_without_another_python_it_says_what_to_do(monkeypatch):
    child_trial._trials().end()
    for program, why in (("/no/such/python", "No such file"), ("/bin/false", "status 1")):
        monkeypatch.setattr(multiprocessing.spawn, "_python_exe", program)
        with pytest.raises(UserError, match="cannot start %s.*%s.*set_executable" % (program, why)):
            death_of(_nothing, most_bytes=MOST_BYTES)


def test_what_it_cannot_import_is_no_fault_of_the_file():
    code = compile("def hidden(): pass", "hidden", "exec")
    module = type(sys)("no_such_module_of_ours")
    exec(code, module.__dict__)
    sys.modules[module.__name__] = module
    try:
        with pytest.raises(UserError, match="imports other modules"):
            death_of(module.hidden, most_bytes=MOST_BYTES)
    finally:
        del sys.modules[module.__name__]
    assert death_of(_nothing, most_bytes=MOST_BYTES) is None
