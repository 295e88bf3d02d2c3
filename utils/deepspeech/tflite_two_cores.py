"""A wide .tflite with 8-bit weights on two cores, in the place of TensorFlow Lite's interpreter.

numpy runs the file's operators one after another; the products with the weights, nearly all
of the work, are those of utils.deepspeech.eight_bit_products. So the probabilities are those of
TensorFlow 1.15's interpreter, to 1e-5, and the same ones each time. That interpreter has one core.
TensorFlow 2.x's has two, but its fast kernels keep the LSTM's weights once for each step, and
round in another way. Its slow ones give these numbers but for a last bit of tanh and logistic;
that turns a rounding now and then, and a stream is a little different from there on.

The LSTM's products with what comes from the layers below are taken for all steps at once. That
leaves half of its weights to be read at each step, and that half stays in the processor's cache.

The operators are those of a DeepSpeech 0.5.0 graph. A file with anything else in it, or whose
trial run differs from the interpreter's, is left to the interpreter without a word.
"""
import numba
import numpy as np

from utils.common.tflite_file import (ADD, CONCATENATION, FULLY_CONNECTED, LOGISTIC, MINIMUM, MUL,
                                       RESHAPE, SOFTMAX, SPLIT, STRIDED_SLICE, TANH, operators,
                                       places_for)
from utils.deepspeech.eight_bit_products import (LARGEST, EightBitMatrix, can_run, largest_of,
                                                 rounded_to)

TOLERANCE = 1e-3                    # between the trial runs: some roundings turned
EIGHT_BIT = (np.int8, np.uint8)     # TensorFlow 1.13 wrote uint8, with the bits of int8


def _fully_connected(_, __, rows, matrix, bias):
    rows = np.ascontiguousarray(rows.reshape(-1, matrix.num_inputs))        # [n, inputs]
    largest = largest_of(rows)                                              # [n, 1]
    return _scaled_back(matrix.sums(rounded_to(rows, largest)), largest, matrix.scale, bias)


def _scaled_back(sums, largest, scale, bias):
    return bias + sums.astype(np.float32) * (largest / LARGEST * scale)     # [n, outputs]


def _inputs_of_all_steps(_, __, matrix, *steps):
    """What _join_state() needs of the layers below: rows [n, inputs], largest [n, 1], sums."""
    rows = np.concatenate(steps)
    largest = largest_of(rows)
    return rows, largest, matrix.sums(rounded_to(rows, largest))


def _join_state(step, _, inputs_of_all, of_inputs, of_state, state, bias):
    """_fully_connected() of a step's inputs and the state [1, units] beside each other.

    Both share one scale. It is that of the inputs, which are seldom the smaller ones.
    """
    rows, largest, sums = [part[step:step + 1] for part in inputs_of_all]
    of_both = np.maximum(largest, largest_of(state))
    if of_both > largest:
        sums = of_inputs.sums(rounded_to(rows, of_both))
    sums = sums + of_state.sums(rounded_to(state, of_both))
    return _scaled_back(sums, of_both, of_state.scale, bias)


def _slice(_, shape, whole, begin, *__):
    size = shape if len(shape) == whole.ndim else (1,) + shape
    return whole[tuple(slice(at, at + n) for at, n in zip(begin, size))].reshape(shape)


def _split(axis, whole, num_parts):
    """np.split() in a tenth of its time."""
    size = whole.shape[axis] // num_parts
    before = (slice(None),) * axis
    return [whole[before + (slice(at, at + size),)]
            for at in range(0, num_parts * size, size)]


def _softmax(_, __, values):
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# tanh and logistic as Eigen has them, to the last bit: an ulp can turn a rounding in the next
# product, which moves everything after it.
def _curve(limit, numerator, denominator, offset=0.0):
    """An operator: odd over even polynomial of values clipped to +-limit, plus an offset.

    Coefficients by falling power.
    """
    low, high, offset = np.float32(-limit), np.float32(limit), np.float32(offset)
    first_above, *above = map(np.float32, numerator)
    first_below, *below = map(np.float32, denominator)
    above, below = tuple(above), tuple(below)               # numba compiles tuples in

    @numba.njit("void(float32[::1], float32[::1])", nogil=True)
    def fill(values, results):
        for i in range(len(values)):
            value = min(max(values[i], low), high)
            square = value * value
            numerator = first_above
            for coefficient in above:
                numerator = numerator * square + coefficient
            denominator = first_below
            for coefficient in below:
                denominator = denominator * square + coefficient
            results[i] = offset + value * numerator / denominator

    def run(_, __, values):
        results = np.empty(values.shape, np.float32)
        fill(np.ravel(values), results.reshape(-1))
        return results

    return run


_tanh = _curve(9, [
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
    1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03], [
    1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03])
_logistic = _curve(18, [
    4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03,
    2.48287947061529e-01], [
    6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03,
    1.16817656904453e-01, 9.93151921023180e-01], offset=0.5)


# function(option, shape of the result, *operands) -> result.
INPUTS_OF_ALL_STEPS, JOIN_STATE = -1, -2            # ours; the option of the latter is the step
OPERATORS = {
    ADD: lambda _, __, a, b: a + b,
    CONCATENATION: lambda axis, _, *parts: np.concatenate(parts, axis),
    FULLY_CONNECTED: _fully_connected,
    LOGISTIC: _logistic,
    MUL: lambda _, __, a, b: a * b,
    RESHAPE: lambda _, shape, values, *__: values.reshape(shape),
    SOFTMAX: _softmax,
    TANH: _tanh,
    STRIDED_SLICE: _slice,
    SPLIT: None,                                # the one with several results
    MINIMUM: lambda _, __, a, b: np.minimum(a, b),
    INPUTS_OF_ALL_STEPS: _inputs_of_all_steps,
    JOIN_STATE: _join_state,
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
      function(an array for each of inputs) -> list of arrays for outputs, which several threads
      may call at once; None if there is anything unexpected in the file, or the processor lacks AVX2.
    """
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    plan = _without_the_idle(operators(content), outputs, inputs)
    if not can_run() or not all(_is_known(code, option, read, details)
                                for code, option, read, _ in plan):
        return None
    shapes = {index: tuple(detail["shape"]) for index, detail in details.items()}
    made = set(inputs).union(*[written for _, _, _, written in plan])
    constants = {index: _constant(interpreter, details[index])
                 for index in _all_read(plan) - made}
    plan = _without_the_idle(_with_steps_together(plan, constants, shapes), outputs, inputs)
    constants = {index: EightBitMatrix(*constants[index])
                 if isinstance(constants[index], tuple) else constants[index]
                 for index in _all_read(plan) & set(constants)}

    def run(*arrays):
        values = dict(constants)
        values.update(zip(inputs, arrays))
        for code, option, read, written in plan:
            operands = [values[index] for index in read]
            if code == SPLIT:
                values.update(zip(written, _split(int(operands[0]), operands[1], len(written))))
                continue
            result = OPERATORS[code](option, shapes.get(written[0]), *operands)
            if code in WITH_ACTIVATION and option == RELU:
                result = np.maximum(result, 0)
            values[written[0]] = result
        return [values[index] for index in outputs]

    return run if _agree(run, interpreter, shapes, inputs, outputs) else None


def _without_the_idle(plan, outputs, inputs):
    return [plan[place] for place in places_for(plan, outputs, inputs)]


def _all_read(plan):
    return {number for _, _, read, _ in plan for number in read}


def _with_steps_together(plan, constants, shapes):
    """The plan with the products of all steps' inputs taken at once, where it is that of an LSTM
    whose steps are slices of one tensor. The constants get the parts of its weights.
    """
    maker = {number: operator for operator in plan for number in operator[3]}

    def makers_of(numbers, code):
        found = [maker.get(number, (None,)) for number in numbers]
        return found if all(operator[0] == code for operator in found) else []

    steps = [operator for operator in plan if operator[:2] == (FULLY_CONNECTED, NO_ACTIVATION)
             and makers_of(operator[2][:1], CONCATENATION)]
    pairs = [maker[read[0]][2] for _, _, read, _ in steps]          # of inputs and state
    slices = makers_of([pair[0] for pair in pairs], STRIDED_SLICE)
    if (not slices or len({operator[2][0] for operator in slices}) != 1
            or len({operator[2][1:] for operator in steps}) != 1
            or any(len(pair) != 2 for pair in pairs)):
        return plan
    weights, bias = steps[0][2][1:]
    matrix, scale = constants[weights]
    num_inputs = shapes[pairs[0][0]][-1]
    of_all, of_inputs, of_state = -1, -2, -3                        # no tensors of the file
    constants[of_inputs] = matrix[:, :num_inputs], scale
    constants[of_state] = matrix[:, num_inputs:], scale
    joins = [(JOIN_STATE, step, (of_all, of_inputs, of_state, pair[1], bias), operator[3])
             for step, (operator, pair) in enumerate(zip(steps, pairs))]
    gathered = (INPUTS_OF_ALL_STEPS, 0, (of_inputs,) + tuple(pair[0] for pair in pairs), (of_all,))
    first = plan.index(steps[0])
    replaced = dict(zip(steps, joins))
    return ([operator for operator in plan[:first] if operator not in slices]
            + slices + [gathered]
            + [replaced.get(operator, operator) for operator in plan[first:]
               if operator not in slices])


def _is_known(code, option, read, details):
    """Whether OPERATORS has the operator, with this option and 8-bit operands where expected."""
    if code not in OPERATORS or -1 in read:             # -1: an operand left out
        return False
    if code in WITH_ACTIVATION and option not in (NO_ACTIVATION, RELU):
        return False
    eight_bit = [index for index in read if details[index]["dtype"] in EIGHT_BIT]
    return eight_bit == ([read[1]] if code == FULLY_CONNECTED else [])


def _constant(interpreter, detail):
    """An array, or (weights int8, scale)."""
    value = interpreter.get_tensor(detail["index"])
    if detail["dtype"] not in EIGHT_BIT:
        return value
    return value.view(np.int8), detail["quantization"][0]


def _agree(run, interpreter, shapes, inputs, outputs):
    """Whether a trial run of both gives the same."""
    random = np.random.RandomState(0)
    arrays = [random.randn(*shapes[index]).astype(np.float32) for index in inputs]
    for index, array in zip(inputs, arrays):
        interpreter.set_tensor(index, array)
    interpreter.invoke()
    try:
        results = run(*arrays)
    except (IndexError, TypeError, ValueError):         # a known operator in an unknown use
        return False
    return all(np.allclose(result, interpreter.get_tensor(index), rtol=0, atol=TOLERANCE)
               for index, result in zip(outputs, results))
