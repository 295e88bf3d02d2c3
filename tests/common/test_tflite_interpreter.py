"""utils/common/tflite_interpreter.py: runs beside a thread that looks at this one's frames."""
import sys
import threading
import time

import numpy as np
import pytest

from utils.common import tflite_interpreter
from utils.common.constants import DEFAULT_GRAPH
from utils.deepspeech.acoustic_graph import load_acoustic_graph


def test_it_runs_while_a_profiler_looks_at_its_frames():
    graph, ended = load_acoustic_graph(DEFAULT_GRAPH), []

    def profile():
        while not ended:
            frames = sys._current_frames()
            time.sleep(0.0005)
            del frames

    contexts = np.zeros((graph.num_steps, 19, 26), np.float32)
    expected, _ = graph.run(contexts, graph.zero_state())
    profiler = threading.Thread(target=profile, daemon=True)
    profiler.start()
    try:
        for _ in range(100):
            np.testing.assert_array_equal(graph.run(contexts, graph.zero_state())[0], expected)
    finally:
        ended.append(True)
        profiler.join()


def test_what_else_is_raised_comes_through(monkeypatch):
    monkeypatch.setattr(tflite_interpreter, "NUM_TRIES", 2)
    calls = []

    class Failing:
        def allocate_tensors(self):
            calls.append(1)
            raise RuntimeError(self.told)
        invoke = resize_tensor_input = allocate_tensors

    for told, num_calls in ((tflite_interpreter.TOLD, 3), ("no such operator", 1)):
        interpreter = tflite_interpreter._patient(Failing)()
        interpreter.told, calls[:] = told, []
        with pytest.raises(RuntimeError, match=told):
            interpreter.invoke()
        assert len(calls) == num_calls
