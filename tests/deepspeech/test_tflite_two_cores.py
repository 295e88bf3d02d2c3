"""utils/deepspeech/tflite_two_cores.py: the interpreter's numbers, and when it steps aside."""
import collections
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from utils.common import tflite_file
from utils.common.quiet_tensorflow import tf
from utils.deepspeech import acoustic_graph, tflite_two_cores
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.acoustic_stream import letter_probabilities

# schema.fbs's TensorType.
UINT8, INT8 = 3, 9

on_tensorflow_1 = pytest.mark.skipif(
    not tf.__version__.startswith("1."), reason="TensorFlow 2.x has its own fast kernels")


@pytest.fixture
def two_cores(monkeypatch):
    """load_acoustic_graph() for a graph of any width; asserts that the interpreter is left."""
    def load(path):
        with monkeypatch.context() as patch:
            patch.setattr(acoustic_graph, "NARROW_FILE_BYTES", 0)
            patch.setattr(acoustic_graph, "_run_steps_of_interpreter", None)
            return load_acoustic_graph(path)

    return load


@on_tensorflow_1
def test_a_long_stream_is_the_interpreters(acoustic_files, two_cores):
    samples = np.tile(acoustic_files.samples, 10)
    expected = letter_probabilities(load_acoustic_graph(acoustic_files.tflite), samples)
    graph = two_cores(acoustic_files.tflite)
    found = letter_probabilities(graph, samples)
    assert len(found) > 1500 and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(letter_probabilities(graph, samples), found)


@on_tensorflow_1
def test_weights_stored_as_uint8(acoustic_files, two_cores, tmp_path):
    with open(acoustic_files.tflite, "rb") as stream:
        content = bytearray(stream.read())
    graph = tflite_file._tables(content, tflite_file._pointed_at(content, 0), 2)[0]
    types = [tflite_file._field(content, tensor, 1)
             for tensor in tflite_file._tables(content, graph, 0)]
    matrices = [at for at in types if at and content[at] == INT8]
    assert len(matrices) == 6
    for at in matrices:
        content[at] = UINT8
    path = tmp_path / "uint8.tflite"
    path.write_bytes(content)
    found, expected = [letter_probabilities(two_cores(str(name)), acoustic_files.samples)
                       for name in (path, acoustic_files.tflite)]
    np.testing.assert_array_equal(found, expected)


@on_tensorflow_1
def test_streams_at_once(acoustic_files, two_cores):
    graph = two_cores(acoustic_files.tflite)
    streams = [acoustic_files.samples[at:] for at in (0, 8000, 16000)]
    alone = [letter_probabilities(graph, samples) for samples in streams]
    with ThreadPoolExecutor(len(streams)) as pool:
        together = list(pool.map(lambda samples: letter_probabilities(graph, samples), streams))
    for found, expected in zip(together, alone):
        np.testing.assert_array_equal(found, expected)


@on_tensorflow_1
@pytest.mark.parametrize("name, value", [
    ("OPERATORS", {9: None}), ("TOLERANCE", -1.0), ("RELU", 99), ("EIGHT_BIT", (np.int16,)),
    ("_slice", None)])
def test_what_is_unexpected_stays_with_the_interpreter(acoustic_files, monkeypatch, name, value):
    expected = letter_probabilities(load_acoustic_graph(acoustic_files.tflite),
                                    acoustic_files.samples)
    monkeypatch.setattr(acoustic_graph, "NARROW_FILE_BYTES", 0)
    if name == "_slice":            # fails as it runs
        value = dict(tflite_two_cores.OPERATORS)
        value[45], name = lambda *_: np.zeros(3).reshape(2, 2), "OPERATORS"
    monkeypatch.setattr(tflite_two_cores, name, value)
    used = []
    of_interpreter = acoustic_graph._run_steps_of_interpreter
    monkeypatch.setattr(acoustic_graph, "_run_steps_of_interpreter",
                        lambda *args: used.append(1) or of_interpreter(*args))
    graph = load_acoustic_graph(acoustic_files.tflite)
    np.testing.assert_array_equal(letter_probabilities(graph, acoustic_files.samples), expected)
    assert used


def test_narrow_graphs_and_tensorflow_2_keep_the_interpreter(acoustic_files, monkeypatch):
    monkeypatch.setattr(acoustic_graph, "_run_steps_on_two_cores", None)
    load_acoustic_graph(acoustic_files.tflite)
    if not tf.__version__.startswith("1."):
        monkeypatch.setattr(acoustic_graph, "NARROW_FILE_BYTES", 0)
        load_acoustic_graph(acoustic_files.tflite)


def test_operators_of_a_file(acoustic_files):
    with open(acoustic_files.tflite, "rb") as stream:
        operators = tflite_file.operators(stream.read())
    counts = collections.Counter(code for code, _, _, _ in operators)
    # Five dense layers and a cell in each of 16 steps; four of them clipped.
    assert counts[tflite_two_cores.FULLY_CONNECTED] == 5 + 16
    assert counts[tflite_two_cores.SPLIT] == 16 and counts[57] == 4
    options = [option for code, option, _, _ in operators if code == 9]
    assert sorted(options) == [0] * 17 + [tflite_two_cores.RELU] * 4
    assert all(len(written) == (4 if code == tflite_two_cores.SPLIT else 1)
               for code, _, _, written in operators)


def test_a_product_by_hand():
    matrix = np.zeros((8, 2), np.int8)
    matrix[0], matrix[1] = (1, 2), (-3, 127)
    rows = np.array([[127.0, 0.5], [0.0, 0.0], [-4.0, 2.0]], np.float32)
    bias = np.array([10.0, 20.0], np.float32)
    with np.errstate(all="raise"):
        found = tflite_two_cores._fully_connected(0, (3, 2), rows, (matrix, np.float32(0.5)),
                                                  bias)
    # 0.5 goes to 1 and 63.5 to 64, away from zero; a row of zeros leaves the bias.
    sums = np.array([[127 + 2, -3 * 127 + 127], [0, 0], [-127 + 2 * 64, 3 * 127 + 127 * 64]])
    largest = np.array([[127.0], [0.0], [4.0]])
    np.testing.assert_allclose(found, bias + sums * largest / 127 * 0.5, rtol=1e-6)


def test_products_are_exact():
    random = np.random.RandomState(0)
    for num_rows, length in ((8, 1), (24, 33), (40, 4096)):
        weights = random.randint(-127, 128, (num_rows, length)).astype(np.int8)
        weights[0], weights[1] = 127, -128
        rows = random.randint(-127, 128, (3, length)).astype(np.int16)
        rows[0] = 127
        sums = np.zeros((3, num_rows), np.int32)
        tflite_two_cores._products(weights, rows, sums, 0, num_rows)
        np.testing.assert_array_equal(sums, rows.astype(np.int64) @ weights.T.astype(np.int64))


def test_curves():
    values = np.linspace(-30, 30, 10001).astype(np.float32)
    np.testing.assert_allclose(tflite_two_cores._tanh(0, (), values), np.tanh(values), atol=5e-7)
    np.testing.assert_allclose(tflite_two_cores._logistic(0, (), values),
                               1 / (1 + np.exp(-values.astype(np.float64))), atol=5e-7)
