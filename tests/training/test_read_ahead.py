"""utils/training/read_ahead.py: the rows asked for are those that are read, and only where needed."""
import collections
import ctypes
import mmap
import os
import time

import numpy as np
import pytest

from tests.helpers.cold_files import forget, libc_function, pages_of
from utils.training import read_ahead
from utils.training.batches import Batches
from utils.training.read_ahead import MANY_WAITS, STEPS_AHEAD, STEPS_ON, ReadAhead

NUM_FRAMES, CONSECUTIVE = 6000, 2
Subject = collections.namedtuple("Subject", "name windows targets mask valid")
needs_advice = pytest.mark.skipif(read_ahead._posix_madvise() is None,
                                  reason="this system takes no advice on memory")


def _mapped(path, array):
    np.save(str(path), array)
    with open(str(path), "rb") as stream:
        os.fsync(stream.fileno())
    return np.load(str(path), mmap_mode="r")


@pytest.fixture
def impatient(monkeypatch):
    """No step is waited for; each has to wait for the disk."""
    waits = iter(range(0, 10 ** 9, MANY_WAITS))
    monkeypatch.setattr(read_ahead, "_num_waits", lambda: next(waits))
    monkeypatch.setattr(read_ahead, "PATIENCE_STEPS", 1)


@pytest.fixture
def subjects(tmp_path):
    """Two, of mapped files; windows share their rows, as the cache writes them."""
    random, found = np.random.RandomState(0), []
    for name in "ab":
        rows = _mapped(tmp_path / (name + "_rows.npy"),
                       random.randn(NUM_FRAMES + 15, 29).astype(np.float32))
        windows = np.lib.stride_tricks.as_strided(
            rows, (NUM_FRAMES, 16, 29), rows.strides[:1] + rows.strides, writeable=False)
        targets = _mapped(tmp_path / (name + "_targets.npy"),
                          random.rand(NUM_FRAMES, 52).astype(np.float32))
        found.append(Subject(name, windows, targets, np.ones(52, np.float32),
                             np.ones(NUM_FRAMES, bool)))
    return found


def _pages(array):
    """bool: which pages of an array are in memory."""
    begin, num_bytes = pages_of(array)
    held = ctypes.create_string_buffer(-(-num_bytes // mmap.PAGESIZE))
    mincore = libc_function("mincore", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
    assert mincore(begin, num_bytes, held) == 0
    return np.frombuffer(held.raw, np.uint8) & 1 == 1


def _is_there_within(arrays, longest_s=20):
    started_s = time.monotonic()
    while time.monotonic() < started_s + longest_s:
        if all(_pages(array).all() for array in arrays):
            return True
        time.sleep(0.01)
    return False


@needs_advice
@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="files are forgotten on Linux only")
def test_the_rows_asked_for_come_and_no_others(subjects, tmp_path):
    forget([array for subject in subjects for array in (subject.windows, subject.targets)],
           list(tmp_path.iterdir()))
    if any(_pages(subject.targets).mean() > 0.1 for subject in subjects):
        pytest.skip("this disk's files cannot be forgotten: is it memory?")
    asked = ReadAhead([[subject.windows for subject in subjects],
                       [subject.targets for subject in subjects]], CONSECUTIVE)
    places = [(0, 0), (1, 1234), (0, 3000), (1, NUM_FRAMES - CONSECUTIVE)]
    asked.ask(*np.array(places).T)
    assert _is_there_within([array[first:first + CONSECUTIVE] for subject, first in places
                             for array in (subjects[subject].windows, subjects[subject].targets)])
    for subject in subjects:
        assert _pages(subject.targets).mean() < 0.1 and _pages(subject.windows).mean() < 0.1


def test_batches_are_the_same_with_it_and_ask_for_what_they_read(subjects, monkeypatch, impatient):
    plain = Batches(subjects, 64, CONSECUTIVE)
    plain._read_ahead._advise = None
    ahead = Batches(subjects, 64, CONSECUTIVE)
    asked, advised = [], []
    ahead._read_ahead._advise = lambda *what: advised.append(what)
    ask = ahead._read_ahead.ask
    monkeypatch.setattr(ahead._read_ahead, "ask",
                        lambda *places: asked.append(places) or ask(*places))
    num_steps = ahead.steps_per_epoch
    for step in range(num_steps):
        for found, expected in zip(ahead.of_step(step)[:2], plain.of_step(step)[:2]):
            np.testing.assert_array_equal(found, expected)
    assert len(asked) == num_steps and len(advised) == num_steps * 64 * 2
    for step, places in enumerate(asked):
        np.testing.assert_array_equal(places, plain._places(plain._indices_of_step(step)))


@needs_advice
def test_it_is_silent_until_the_waits_go_on(subjects, monkeypatch):
    waits = [0]
    monkeypatch.setattr(read_ahead, "_num_waits", lambda: waits[0])
    monkeypatch.setattr(read_ahead, "PATIENCE_STEPS", 3)
    asked = ReadAhead([[subject.targets for subject in subjects]], CONSECUTIVE)
    for more in (0, MANY_WAITS - 1, MANY_WAITS, MANY_WAITS, MANY_WAITS - 1):
        waits[0] += more
        assert not asked.steps_to_ask(1, 10000)
    waits[0] += MANY_WAITS
    assert asked.steps_to_ask(2, 10000) == range(2, 2 + STEPS_AHEAD)
    assert asked.steps_to_ask(3, 10000) == range(2 + STEPS_AHEAD, 3 + STEPS_AHEAD)
    for step in range(4, 2 + STEPS_ON):
        assert len(asked.steps_to_ask(step, 10000)) == 1
    assert not asked.steps_to_ask(2 + STEPS_ON, 10000)
    waits[0] += MANY_WAITS                      # by then some were not asked for
    assert asked.steps_to_ask(20 + STEPS_ON, 10000) == range(20 + STEPS_ON,
                                                             20 + STEPS_ON + STEPS_AHEAD)


@needs_advice
def test_it_asks_within_an_epoch_and_after_a_jump(subjects, impatient):
    asked = ReadAhead([[subject.targets for subject in subjects]], CONSECUTIVE)
    assert asked.steps_to_ask(5, 10) == range(5, 10)
    assert not asked.steps_to_ask(6, 10) and not asked.steps_to_ask(9, 10)
    assert asked.steps_to_ask(10, 20) == range(10, 18)
    assert asked.steps_to_ask(500, 1000) == range(500, 508)     # a validation came between
    assert asked.steps_to_ask(3, 1000) == range(3, 11)


def test_a_system_without_advice_goes_without(subjects, monkeypatch, impatient):
    monkeypatch.setattr(read_ahead.os, "name", "nt")
    batches = Batches(subjects, 64, CONSECUTIVE)
    assert batches._read_ahead._advise is None
    assert len(batches.of_step(0)[0]) == 64 * CONSECUTIVE
