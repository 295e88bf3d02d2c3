"""A .tflite with 8-bit weights on two cores, for TensorFlow 1.x, whose interpreter uses one.

numpy runs the file's operators one after another; the products with the weights, nearly all
of the work, are compiled by numba and shared by two threads. The arithmetic is TensorFlow
Lite's own for 8-bit weights and float inputs ("hybrid"): each row is rounded to -127 .. 127
times a scale of its own, summed in whole numbers and scaled back. So the probabilities are the
interpreter's, to 1e-5, and the same ones each time.

The operators are those of a DeepSpeech 0.5.0 graph. A file with anything else in it, or whose
trial run differs from the interpreter's, is left to the interpreter without a word.
"""
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from utils.common.tflite_file import operators

TOLERANCE = 1e-5                    # between the trial runs
LARGEST = np.float32(127)           # 8 bits, symmetric
EIGHT_BIT = (np.int8, np.uint8)     # TensorFlow 1.13 wrote uint8, with the bits of int8
ROWS_TOGETHER = 8                   # of weights: four for each core


@numba.njit
def _four_products(a, b, c, d, row):
    """Sums of the products of four rows of weights with one row of values, -127 .. 127.

    A product fits in 16 bits, which makes for shorter vector code than 32.
    """
    sum_a = sum_b = sum_c = sum_d = np.int32(0)
    for i in range(len(row)):
        value = row[i]
        sum_a = np.int32(sum_a + np.int16(np.int16(a[i]) * value))
        sum_b = np.int32(sum_b + np.int16(np.int16(b[i]) * value))
        sum_c = np.int32(sum_c + np.int16(np.int16(c[i]) * value))
        sum_d = np.int32(sum_d + np.int16(np.int16(d[i]) * value))
    return sum_a, sum_b, sum_c, sum_d


# Apart from the innermost loop: numba 0.56 makes no vector code of three loops in one function.
@numba.njit("void(int8[:, ::1], int16[:, ::1], int32[:, ::1], int64, int64)", nogil=True)
def _products(weights, rows, sums, first, last):
    for k in range(first, last, 4):
        for i in range(len(rows)):
            sums[i, k], sums[i, k + 1], sums[i, k + 2], sums[i, k + 3] = _four_products(
                weights[k], weights[k + 1], weights[k + 2], weights[k + 3], rows[i])


_OTHER_CORE = ThreadPoolExecutor(1)


def _fully_connected(_, __, rows, weights, bias):
    matrix, scale = weights
    rows = rows.reshape(-1, matrix.shape[1])                                # [n, inputs]
    largest = np.abs(rows).max(axis=1, keepdims=True)                       # [n, 1]
    largest[largest == 0] = 1
    scaled = rows * (LARGEST / largest)
    rounded = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(np.int16)
    sums = np.empty((len(rows), len(matrix)), np.int32)
    half = len(matrix) // 2
    other = _OTHER_CORE.submit(_products, matrix, rounded, sums, half, len(matrix))
    _products(matrix, rounded, sums, 0, half)
    other.result()
    return bias + sums[:, :len(bias)].astype(np.float32) * (largest / LARGEST * scale)


def _slice(_, shape, whole, begin, *__):
    size = shape if len(shape) == whole.ndim else (1,) + shape
    return whole[tuple(slice(at, at + n) for at, n in zip(begin, size))].reshape(shape)


def _softmax(_, __, values):
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# tanh and logistic as Eigen has them, to the last bit: an ulp can turn a rounding in the next
# product, which moves everything after it.
def _ratio(values, limit, numerator, denominator):
    """Odd over even polynomial of values clipped to +-limit; coefficients by falling power."""
    values = np.clip(values, np.float32(-limit), np.float32(limit))
    squares = values * values
    return (values * np.polyval(np.float32(numerator), squares)
            / np.polyval(np.float32(denominator), squares))


def _tanh(_, __, values):
    return _ratio(values, 9, [
        -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
        1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03], [
        1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03])


def _logistic(_, __, values):
    return np.float32(0.5) + _ratio(values, 18, [
        4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03,
        2.48287947061529e-01], [
        6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03,
        1.16817656904453e-01, 9.93151921023180e-01])


# By schema.fbs's numbers: function(option, shape of the result, *operands) -> result.
ADD, CONCATENATION, FULLY_CONNECTED, MUL, SPLIT = 0, 2, 9, 18, 49
OPERATORS = {
    ADD: lambda _, __, a, b: a + b,
    CONCATENATION: lambda axis, _, *parts: np.concatenate(parts, axis),
    FULLY_CONNECTED: _fully_connected,
    14: _logistic,
    MUL: lambda _, __, a, b: a * b,
    22: lambda _, shape, values, *__: values.reshape(shape),                # RESHAPE
    25: _softmax,
    28: _tanh,
    45: _slice,                                                             # STRIDED_SLICE
    SPLIT: None,                                # the one with several results
    57: lambda _, __, a, b: np.minimum(a, b),
}
NO_ACTIVATION, RELU = 0, 1          # the option of these three
WITH_ACTIVATION = (ADD, FULLY_CONNECTED, MUL)


def two_core_function(interpreter, content, inputs, outputs):
    """What the interpreter's invoke() computes, as a function.

    Args:
      interpreter: the file's, its tensors allocated and its other inputs set.
      content: the bytes of the file.
      inputs, outputs: tensor numbers.
    Returns:
      function(arrays for inputs) -> list of arrays for outputs, which several threads may call
      at once; None if there is anything unexpected in the file.
    """
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    plan, needed = [], set(outputs)
    for operator in reversed(operators(content)):
        code, option, read, written = operator
        if not needed.isdisjoint(written):
            if not _is_known(code, option, read, details):
                return None
            plan.insert(0, operator)
            needed.update(read)
    made = set(inputs).union(*[written for _, _, _, written in plan])
    constants = {index: _constant(interpreter, details[index]) for index in needed - made}
    shapes = {index: tuple(detail["shape"]) for index, detail in details.items()}

    def run(arrays):
        values = dict(constants)
        values.update(zip(inputs, arrays))
        for code, option, read, written in plan:
            operands = [values[index] for index in read]
            if code == SPLIT:
                values.update(zip(written, np.split(operands[1], len(written), operands[0])))
                continue
            result = OPERATORS[code](option, shapes[written[0]], *operands)
            if code in WITH_ACTIVATION and option == RELU:
                result = np.maximum(result, 0)
            values[written[0]] = result
        return [values[index] for index in outputs]

    return run if _agree(run, interpreter, shapes, inputs, outputs) else None


def _is_known(code, option, read, details):
    """Whether OPERATORS has the operator, with this option and 8-bit operands where expected."""
    if code not in OPERATORS or -1 in read:             # -1: an operand left out
        return False
    if code in WITH_ACTIVATION and option not in (NO_ACTIVATION, RELU):
        return False
    eight_bit = [index for index in read if details[index]["dtype"] in EIGHT_BIT]
    return eight_bit == ([read[1]] if code == FULLY_CONNECTED else [])


def _constant(interpreter, detail):
    value = interpreter.get_tensor(detail["index"])
    if detail["dtype"] not in EIGHT_BIT:
        return value
    filling = -len(value) % ROWS_TOGETHER
    return (np.pad(value.view(np.int8), [(0, filling), (0, 0)], "constant"),
            np.float32(detail["quantization"][0]))


def _agree(run, interpreter, shapes, inputs, outputs):
    """Whether a trial run of both gives the same."""
    random = np.random.RandomState(0)
    arrays = [random.randn(*shapes[index]).astype(np.float32) for index in inputs]
    for index, array in zip(inputs, arrays):
        interpreter.set_tensor(index, array)
    interpreter.invoke()
    try:
        results = run(arrays)
    except (IndexError, TypeError, ValueError):         # a known operator in an unknown use
        return False
    return all(np.allclose(result, interpreter.get_tensor(index), rtol=0, atol=TOLERANCE)
               for index, result in zip(outputs, results))
