"""Damaged files, thousands of them: each is read, or refused in a line, soon and in little memory."""
import contextlib
import os
import signal
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.helpers.damage import EDITS, damaged
from utils.common.errors import UserError

resource = pytest.importorskip("resource")      # Windows has none

LONGEST_S, STOPPED_S = 5.0, 60          # of one file: of the processor's time; of the clock's
MOST_BYTES = 300 << 20                  # by which all of a test's files may raise the memory
LONGEST_LINE = 1000

FEW = settings(max_examples=200, deadline=None, derandomize=True, database=None,
               suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
FEWER = settings(FEW, max_examples=100)     # of what is no format of ours, or another form of one
MANY = settings(FEW, max_examples=5000, derandomize=False)


def one_line(line):
    assert "\n" not in line and len(line) < LONGEST_LINE, line


def read_or_refused(path, read):
    """The UserError's line, or None; what is read is sound, and neither takes long."""
    def stopped(signum, frame):
        raise AssertionError("%s is not read in %d s" % (path, STOPPED_S))
    earlier, start_s = signal.signal(signal.SIGALRM, stopped), time.process_time()
    signal.alarm(STOPPED_S)
    try:
        with np.errstate(all="ignore"):
            read(path)
    except UserError as error:
        assert os.path.splitext(path.name)[0] in str(error)
        one_line(str(error))
        return str(error)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)
        assert time.process_time() - start_s < LONGEST_S
    return None


@contextlib.contextmanager
def little_memory():
    def peak_bytes():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    before = peak_bytes()
    yield
    assert peak_bytes() - before < MOST_BYTES


def fuzz(folder, make, read, how_many, fewest_refused=0.2):
    """Damage a file over and over; a good part of the files must be refused.

    Args:
      make: called with `folder`; gives (file name, content) of a whole file.
      read: called with the path of each; what it returns does not matter.
      how_many: FEW, FEWER, MANY or other settings of hypothesis.
      fewest_refused: share of the files.
    """
    file_name, content = make(folder)
    path = folder / ("damaged_" + file_name)
    extension, refused = os.path.splitext(file_name)[1], []

    @how_many
    @given(edits=EDITS)
    def check(edits):
        if path.exists():
            path.unlink()           # ext4 is slow to cut a file short and write it again
        path.write_bytes(damaged(content, extension, edits))
        refused.append(read_or_refused(path, read) is not None)
    with little_memory():
        check()
    assert fewest_refused <= np.mean(refused) <= 1, np.mean(refused)
