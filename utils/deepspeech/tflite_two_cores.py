"""A wide .tflite with 8-bit weights on two cores, in the place of TensorFlow Lite's interpreter.

numpy runs the operators of the layers below and above the LSTM, for many steps at once, and numba
the LSTM, step by step. The products with the weights, nearly all of the work, are those of
utils.deepspeech.eight_bit_products. So the probabilities are those of TensorFlow 1.15's
interpreter, to 1e-5, and the same ones each time. That interpreter has one core. TensorFlow 2.x's
has two, but its fast kernels keep the LSTM's weights once for each step, and round in another way.
Its slow ones give these numbers but for a last bit of tanh and logistic; that turns a rounding now
and then, and a stream is a little different from there on.

Memory is what bounds it: the LSTM's weights, 34 MB, are needed at each step. Half of them meets
what the layers below give, and that half is read for many steps at once. The other half then
stays in the processor's cache.

Known is how TensorFlow 1.15's converter writes a DeepSpeech 0.5.0 graph. A file with anything else
in it, or whose trial run differs from the interpreter's, is left to the interpreter without a word.
"""
import collections

import numba
import numpy as np

from utils.common.constants import CONTEXT_WINDOW_FRAMES, MFCC_COEFFICIENTS
from utils.common.tflite_file import (ADD, CONCATENATION, FULLY_CONNECTED, LOGISTIC, MINIMUM, MUL,
                                      RESHAPE, SOFTMAX, SPLIT, STRIDED_SLICE, operators, places_for)
from utils.deepspeech.eight_bit_products import (LARGEST, EightBitMatrix, can_run, largest_of,
                                                 rounded_to)
from utils.deepspeech.tflite_single_step import function_of, stacked_steps

TOLERANCE = 1e-3                    # between the trial runs: some roundings turned
EIGHT_BIT = (np.int8, np.uint8)     # TensorFlow 1.13 wrote uint8, with the bits of int8
BLOCK_STEPS = 128                   # that are in the same layer at once


# ---- the layers

def _fully_connected(rows, matrix, bias):
    rows = np.ascontiguousarray(rows.reshape(-1, matrix.num_inputs))        # [n, inputs]
    largest = largest_of(rows)                                              # [n, 1]
    return _scaled_back(matrix.sums(rounded_to(rows, largest)), largest, matrix.scale, bias)


def _scaled_back(sums, largest, scale, bias):
    return bias + sums.astype(np.float32) * (largest / LARGEST * scale)     # [n, outputs]


def _softmax(values):
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


OPERATORS = {FULLY_CONNECTED: _fully_connected, MINIMUM: np.minimum, SOFTMAX: _softmax,
             RESHAPE: lambda rows, _: rows}         # the others take rows of any shape
NO_ACTIVATION, RELU = 0, 1          # options of FULLY_CONNECTED
RECTIFIED = (FULLY_CONNECTED, RELU)


def _run_layers(plan, constants, number, value, wanted):
    """The tensor `wanted`, by the operators of `plan`, where tensor `number` is `value`."""
    values = dict(constants)
    values[number] = value
    for code, option, read, (written,) in plan:
        result = OPERATORS[code](*[values[index] for index in read])
        values[written] = np.maximum(result, 0) if (code, option) == RECTIFIED else result
    return values[wanted]


# ---- the LSTM

# tanh and logistic as Eigen has them, to the last bit: an ulp can turn a rounding in the next
# product, which moves everything after it.
def _curve(limit, numerator, denominator, offset=0.0):
    """A compiled function of a float32: odd over even polynomial of it, clipped to +-limit, plus
    an offset. Coefficients by falling power.
    """
    low, high, offset = np.float32(-limit), np.float32(limit), np.float32(offset)
    first_above, *above = map(np.float32, numerator)
    first_below, *below = map(np.float32, denominator)
    above, below = tuple(above), tuple(below)               # numba compiles tuples in

    @numba.njit("float32(float32)")
    def curve(value):
        value = min(max(value, low), high)
        square = value * value
        numerator = first_above
        for coefficient in above:
            numerator = numerator * square + coefficient
        denominator = first_below
        for coefficient in below:
            denominator = denominator * square + coefficient
        return offset + value * numerator / denominator

    return curve


_tanh = _curve(9, [
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
    1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03], [
    1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03])
_logistic = _curve(18, [
    4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03,
    2.48287947061529e-01], [
    6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03,
    1.16817656904453e-01, 9.93151921023180e-01], offset=0.5)


@numba.njit("void(float32[::1], float32, float32[::1], float32[::1], float32[::1])", nogil=True)
def _fill_cell(gates, keep_bias, cell, new_cell, new_state):
    """gates [4 units]: to take in, what is new, to keep, to give out; the others [units]."""
    units = len(cell)
    take, new = gates[:units], gates[units:2 * units]
    keep, out = gates[2 * units:3 * units], gates[3 * units:]
    for k in range(units):
        new_cell[k] = (cell[k] * _logistic(keep[k] + keep_bias)
                       + _logistic(take[k]) * _tanh(new[k]))
    for k in range(units):
        new_state[k] = _tanh(new_cell[k]) * _logistic(out[k])


class _Lstm:
    """The LSTM of a file: weights (int8 [4 units, inputs + units], scale), biases."""

    def __init__(self, num_units, weights, bias, keep_bias):
        matrix, scale = weights
        num_inputs = matrix.shape[1] - num_units
        # Compiled code looks after no bounds.
        if matrix.shape[0] != 4 * num_units or num_inputs < 1 or bias.shape != (4 * num_units,):
            raise ValueError("%s weights, %s biases of %d units" % (
                matrix.shape, bias.shape, num_units))
        self.num_units = num_units
        self.of_inputs = EightBitMatrix(matrix[:, :num_inputs], scale)
        self.of_state = EightBitMatrix(matrix[:, num_inputs:], scale)
        self.bias, self.keep_bias = bias, np.float32(keep_bias)

    def run(self, rows, cell, state):
        """(states [n, units] of all steps, cell and state [1, units] after them); rows [n, inputs].

        Inputs and state are rounded by one scale, as they stand beside each other in the file.
        It is that of the inputs, which are seldom the smaller ones.
        """
        largest = largest_of(rows)                                          # [n, 1]
        sums_of_inputs = self.of_inputs.sums(rounded_to(rows, largest))     # [n, 4 units]
        states = np.empty((len(rows), state.shape[1]), np.float32)
        for step in range(len(rows)):
            now = slice(step, step + 1)
            sums, of_both = sums_of_inputs[now], np.maximum(largest[now], largest_of(state))
            if of_both > largest[now]:
                sums = self.of_inputs.sums(rounded_to(rows[now], of_both))
            sums = sums + self.of_state.sums(rounded_to(state, of_both))
            gates = _scaled_back(sums, of_both, self.of_state.scale, self.bias)
            new_cell = np.empty(cell.shape, np.float32)
            _fill_cell(gates[0], self.keep_bias, np.ravel(cell), new_cell[0], states[step])
            cell, state = new_cell, states[now]
        return states, cell, state


# ---- the file

# Tensor numbers of an LSTM's step.
_Step = collections.namedtuple(
    "_Step", "weights bias keep_bias inputs state cell new_cell new_state")


def two_core_function(interpreter, content, num_steps, contexts, state, probabilities, new_state):
    """What the interpreter's invoke() computes, for any number of steps.

    Args:
      interpreter: the file's, its tensors allocated and its other inputs set.
      content: the bytes of the file, with num_steps steps.
      contexts, probabilities: tensor numbers; state, new_state: those of c and h.
    Returns:
      function([n, 19, 26], (c, h)) -> (probabilities [n, 29], (c, h)), which several threads may
      call at once; None if there is anything unexpected in the file, or the processor lacks AVX2.
    """
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    plan = operators(content)
    if not can_run():
        return None
    try:
        steps = _steps_of(plan, *state)
        inputs, = {operator[2][0] for operator in plan
                   if operator[0] == STRIDED_SLICE and operator[3][0] in {s.inputs for s in steps}}
        hidden, all_hidden = stacked_steps(plan, num_steps, new_state[1])
        if (hidden != tuple(step.new_state for step in steps)
                or new_state[0] != steps[-1].new_cell):
            return None
        lstm = _lstm_of(steps, interpreter, details)
        below = _layers(plan, contexts, inputs, details)
        above = _layers(plan, all_hidden, probabilities, details)
    except (LookupError, TypeError, ValueError):        # the file is built in another way
        return None
    constants = {number: _constant(interpreter, details[number])
                 for _, _, read, _ in below + above for number in read[1:]}
    constants = {number: EightBitMatrix(*value) if isinstance(value, tuple) else value
                 for number, value in constants.items()}

    def run(steps, state):
        rows = []
        for block in np.split(steps, range(BLOCK_STEPS, len(steps), BLOCK_STEPS)):
            given = _run_layers(below, constants, contexts, block, inputs)
            states, *state = lstm.run(given.reshape(len(block), -1), *state)    # [n, units]
            rows.append(_run_layers(above, constants, all_hidden, states, probabilities))
        return np.concatenate(rows), tuple(state)

    call = function_of(interpreter, (contexts,) + tuple(state),
                       (probabilities,) + tuple(new_state))
    return run if _agree(run, call, num_steps, lstm.num_units) else None


def _steps_of(plan, cell, state):
    """The _Step of each of an LSTM's steps, in their order, the first of which reads these two;
    LookupError where there is none.
    """
    maker = {number: operator for operator in plan for number in operator[3]}
    readers = {(number, operator[0]): operator for operator in plan for number in operator[2]}
    found = {}
    for operator in plan:
        joined = maker.get(operator[2][0] if operator[2] else None)
        if (operator[:2] == (FULLY_CONNECTED, NO_ACTIVATION) and joined is not None
                and joined[0] == CONCATENATION and len(joined[2]) == 2):
            step = _step_of(operator, joined, readers)
            found[step.state] = step
    steps = []
    while state in found:
        steps.append(found.pop(state))
        if steps[-1].cell != cell:
            raise LookupError
        cell, state = steps[-1].new_cell, steps[-1].new_state
    if found or not steps:
        raise LookupError
    return steps


def _step_of(dense, joined, readers):
    """The _Step whose four gates, one behind the other, are what `dense` gives."""
    def behind(number, *codes):
        for code in codes:
            number = readers[number, code][3][0]
        return number

    def beside(number, code):
        other, = set(readers[number, code][2]) - {number}
        return other

    _, weights, bias = dense[2]
    take, _, keep, out = readers[dense[3][0], SPLIT][3]
    return _Step(weights, bias, beside(keep, ADD), *joined[2],
                 cell=beside(behind(keep, ADD, LOGISTIC), MUL),
                 new_cell=behind(take, LOGISTIC, MUL, ADD), new_state=behind(out, LOGISTIC, MUL))


def _lstm_of(steps, interpreter, details):
    """The _Lstm of steps that share their weights; ValueError where they do not, or do not fit."""
    (_, num_units), = {tuple(details[number]["shape"]) for step in steps for number in step[4:]}
    (weights, bias), = {step[:2] for step in steps}
    keep_bias, = {float(_constant(interpreter, details[step.keep_bias])) for step in steps}
    return _Lstm(int(num_units), _constant(interpreter, details[weights]),
                 _constant(interpreter, details[bias]), keep_bias)


def _layers(plan, given, wanted, details):
    """The operators of `plan` that make tensor `wanted` of tensor `given`; LookupError where one of
    them is not in OPERATORS, with this option and 8-bit operands where expected.
    """
    layers = [plan[place] for place in places_for(plan, [wanted], [given])]
    for code, option, read, _ in layers:
        eight_bit = [number for number in read if details[number]["dtype"] in EIGHT_BIT]
        if (code not in OPERATORS or eight_bit != ([read[1]] if code == FULLY_CONNECTED else [])
                or (code == FULLY_CONNECTED and option not in (NO_ACTIVATION, RELU))):
            raise LookupError
    return layers


def _constant(interpreter, detail):
    """An array, or (weights int8, scale)."""
    value = interpreter.get_tensor(detail["index"])
    if detail["dtype"] not in EIGHT_BIT:
        return value
    return value.view(np.int8), detail["quantization"][0]


def _agree(run, call, num_steps, num_units):
    """Whether a trial run of both gives the same."""
    random = np.random.RandomState(0)
    steps = random.randn(num_steps, CONTEXT_WINDOW_FRAMES, MFCC_COEFFICIENTS).astype(np.float32)
    state = tuple(random.randn(1, num_units).astype(np.float32) for _ in "ch")
    expected = call(steps[np.newaxis], *state)
    try:
        probabilities, state = run(steps, state)
    except (LookupError, TypeError, ValueError):        # a known operator in an unknown use
        return False
    return all(np.allclose(found, what.reshape(found.shape), rtol=0, atol=TOLERANCE)
               for found, what in zip((probabilities,) + state, expected))
