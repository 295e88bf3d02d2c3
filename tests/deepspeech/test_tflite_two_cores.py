"""utils/deepspeech/tflite_two_cores.py: the interpreter's numbers, and when it steps aside."""
import collections
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from utils.common import tflite_file
from utils.common.quiet_tensorflow import tf
from utils.deepspeech import acoustic_graph, eight_bit_products, tflite_two_cores
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.acoustic_stream import letter_probabilities
from utils.deepspeech.eight_bit_products import EightBitMatrix, largest_of, rounded_to

# schema.fbs's TensorType.
UINT8, INT8 = 3, 9

needs_avx2 = pytest.mark.skipif(
    not eight_bit_products.can_run(), reason="this processor has no AVX2")


@pytest.fixture
def two_cores(monkeypatch):
    """load_acoustic_graph() for a graph of any width; asserts that the interpreter is left."""
    def load(path):
        with monkeypatch.context() as patch:
            patch.setattr(acoustic_graph, "NARROW_FILE_BYTES", 0)
            patch.setattr(acoustic_graph, "_run_steps_of_interpreter", None)
            return load_acoustic_graph(path)

    return load


@needs_avx2
def test_a_long_stream_is_the_interpreters(acoustic_files, two_cores):
    samples = np.tile(acoustic_files.samples, 10)
    expected = letter_probabilities(load_acoustic_graph(acoustic_files.tflite), samples)
    graph = two_cores(acoustic_files.tflite)
    found = letter_probabilities(graph, samples)
    assert len(found) > 1500 and found.dtype == np.float32
    if tf.__version__.startswith("1."):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    else:                           # a last bit of its tanh can turn a rounding
        assert np.abs(found - expected).max() < 0.01
        assert np.median(np.abs(found - expected)) < 1e-5
    np.testing.assert_array_equal(letter_probabilities(graph, samples), found)


@needs_avx2
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


@needs_avx2
def test_streams_at_once(acoustic_files, two_cores):
    graph = two_cores(acoustic_files.tflite)
    streams = [acoustic_files.samples[at:] for at in (0, 8000, 16000)]
    alone = [letter_probabilities(graph, samples) for samples in streams]
    with ThreadPoolExecutor(len(streams)) as pool:
        together = list(pool.map(lambda samples: letter_probabilities(graph, samples), streams))
    for found, expected in zip(together, alone):
        np.testing.assert_array_equal(found, expected)


@needs_avx2
@pytest.mark.parametrize("name, value", [
    ("OPERATORS", {}), ("TOLERANCE", -1.0), ("RELU", 99), ("EIGHT_BIT", (np.int16,)),
    ("stacked_steps", lambda *_: None), ("SPLIT", 99), ("_softmax", None)])
def test_what_is_unexpected_stays_with_the_interpreter(acoustic_files, monkeypatch, name, value):
    monkeypatch.setattr(acoustic_graph, "NARROW_FILE_BYTES", 0)
    with monkeypatch.context() as patch:
        patch.setattr(tflite_two_cores, "can_run", lambda: False)
        expected = letter_probabilities(load_acoustic_graph(acoustic_files.tflite),
                                        acoustic_files.samples)
    if name == "_softmax":              # fails as it runs
        name, value = "OPERATORS", dict(tflite_two_cores.OPERATORS)
        value[tflite_file.SOFTMAX] = lambda values: values.reshape(2, 2)
    monkeypatch.setattr(tflite_two_cores, name, value)
    used = []
    of_interpreter = acoustic_graph._run_steps_of_interpreter
    monkeypatch.setattr(acoustic_graph, "_run_steps_of_interpreter",
                        lambda *args: used.append(1) or of_interpreter(*args))
    graph = load_acoustic_graph(acoustic_files.tflite)
    np.testing.assert_array_equal(letter_probabilities(graph, acoustic_files.samples), expected)
    assert used


@needs_avx2
def test_any_number_of_steps_at_once(acoustic_files, two_cores):
    """To the last bit, over the edges of blocks."""
    graph = two_cores(acoustic_files.tflite)
    num_steps = 2 * tflite_two_cores.BLOCK_STEPS + 16
    contexts = np.random.RandomState(0).randn(num_steps, 19, 26).astype(np.float32)
    expected, expected_state = graph.run_several(contexts, graph.zero_state())
    for size in (1, 5, 16):
        rows, state = [], graph.zero_state()
        for first in range(0, num_steps, size):
            found, state = graph.run_any(contexts[first:first + size], state)
            rows.append(found)
        np.testing.assert_array_equal(np.concatenate(rows), expected)
        np.testing.assert_array_equal(state, expected_state)


@needs_avx2
@pytest.mark.parametrize("size", [0.0, 0.1, 1000.0])
def test_inputs_that_are_smaller_than_the_state(acoustic_files, two_cores, size):
    """The larger of both sets the scale by which they are rounded."""
    random = np.random.RandomState(0)
    contexts = size * random.randn(16, 19, 26).astype(np.float32)
    of_interpreter = load_acoustic_graph(acoustic_files.tflite)
    state = tuple(30 * random.randn(*part.shape).astype(np.float32)
                  for part in of_interpreter.zero_state())
    expected = of_interpreter.run(contexts, state)
    found = two_cores(acoustic_files.tflite).run(contexts, state)
    tolerance = 1e-5 if tf.__version__.startswith("1.") else 1e-2
    np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=tolerance)
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=tolerance)


def test_narrow_graphs_keep_the_interpreter(acoustic_files, monkeypatch):
    monkeypatch.setattr(acoustic_graph, "_two_core_function", None)
    load_acoustic_graph(acoustic_files.tflite)


@pytest.mark.skipif(tf.__version__.startswith("1."), reason="TensorFlow 1.15 has no XNNPACK")
def test_without_avx2_tensorflow_2_takes_its_delegate(acoustic_files, monkeypatch):
    expected = letter_probabilities(load_acoustic_graph(acoustic_files.tflite),
                                    acoustic_files.samples)
    monkeypatch.setattr(acoustic_graph, "NARROW_FILE_BYTES", 0)
    monkeypatch.setattr(tflite_two_cores, "can_run", lambda: False)
    found = letter_probabilities(load_acoustic_graph(acoustic_files.tflite),
                                 acoustic_files.samples)
    assert 0 < np.median(np.abs(found - expected)) < 0.01      # it rounds in another way


@pytest.mark.parametrize("has_avx2", [False, True])
def test_a_wide_graph_stops_after_any_step(acoustic_files, monkeypatch, has_avx2):
    monkeypatch.setattr(acoustic_graph, "NARROW_FILE_BYTES", 0)
    monkeypatch.setattr(tflite_two_cores, "can_run",
                        lambda: has_avx2 and eight_bit_products.can_run())
    assert load_acoustic_graph(acoustic_files.tflite).run_any is not None


@pytest.mark.parametrize("name, value", [
    ("CPU_NAME", "generic"), ("CPU_FEATURES", "+sse2"), ("ENABLE_AVX", 0), ("DISABLE_JIT", 1)])
def test_settings_of_numba_that_rule_avx2_out(monkeypatch, name, value):
    monkeypatch.setattr(eight_bit_products.numba.config, name, value)
    assert not eight_bit_products.can_run()


def test_operators_of_a_file(acoustic_files):
    with open(acoustic_files.tflite, "rb") as stream:
        operators = tflite_file.operators(stream.read())
    counts = collections.Counter(code for code, _, _, _ in operators)
    # Five dense layers and a cell in each of 16 steps; four of them clipped.
    assert counts[tflite_file.FULLY_CONNECTED] == 5 + 16
    assert counts[tflite_file.SPLIT] == 16 and counts[tflite_file.MINIMUM] == 4
    options = [option for code, option, _, _ in operators if code == tflite_file.FULLY_CONNECTED]
    assert sorted(options) == [0] * 17 + [tflite_two_cores.RELU] * 4
    assert all(len(written) == (4 if code == tflite_file.SPLIT else 1)
               for code, _, _, written in operators)


@needs_avx2
def test_a_product_by_hand():
    matrix = EightBitMatrix(np.array([[1, 2], [-3, 127], [0, 0]], np.int8), 0.5)
    rows = np.array([[127.0, 0.5], [0.0, 0.0], [-4.0, 2.0]], np.float32)
    bias = np.array([10.0, 20.0, 30.0], np.float32)
    with np.errstate(all="raise"):
        found = tflite_two_cores._fully_connected(rows, matrix, bias)
    # 0.5 goes to 1 and 63.5 to 64, away from zero; a row of zeros leaves the bias.
    sums = np.array([[127 + 2, -3 * 127 + 127, 0], [0, 0, 0],
                     [-127 + 2 * 64, 3 * 127 + 127 * 64, 0]])
    largest = np.array([[127.0], [0.0], [4.0]])
    np.testing.assert_allclose(found, bias + sums * largest / 127 * 0.5, rtol=1e-6)


def test_values_are_rounded_away_from_zero():
    rows = np.array([[0.5, -0.5, 1.49, -1.5, 126.5, -127.0]], np.float32)
    np.testing.assert_array_equal(rounded_to(rows, largest_of(rows)),
                                  [[1, -1, 1, -2, 127, -127]])


@needs_avx2
def test_products_are_exact():
    random = np.random.RandomState(0)
    for num_outputs, num_inputs in ((1, 1), (8, 1), (29, 33), (40, 4096)):
        weights = random.randint(-127, 128, (num_outputs, num_inputs)).astype(np.int8)
        weights[0], weights[-1] = 127, -128
        for num_rows in (1, 2, 5):
            rows = random.randint(-127, 128, (num_rows, num_inputs)).astype(np.int16)
            rows[0] = 127
            np.testing.assert_array_equal(EightBitMatrix(weights, 1.0).sums(rows),
                                          rows.astype(np.int64) @ weights.T.astype(np.int64))


@needs_avx2
def test_sizes_that_do_not_fit():
    weights = np.zeros((12, 5), np.int8)
    with pytest.raises(ValueError, match="for 5 inputs"):
        EightBitMatrix(weights, 1.0).sums(np.zeros((2, 6), np.int16))
    tflite_two_cores._Lstm(3, (weights, 1.0), np.zeros(12, np.float32), 1.0)
    for num_units, num_biases in ((4, 12), (3, 11), (2, 12), (3, 1)):
        with pytest.raises(ValueError, match="of %d units" % num_units):
            tflite_two_cores._Lstm(num_units, (weights, 1.0), np.zeros(num_biases, np.float32),
                                   1.0)


def test_curves():
    values = np.linspace(-30, 30, 10001).astype(np.float32)
    for curve, expected in ((tflite_two_cores._tanh, np.tanh(values)), (
            tflite_two_cores._logistic, 1 / (1 + np.exp(-values.astype(np.float64))))):
        np.testing.assert_allclose([curve(value) for value in values], expected, atol=5e-7)
