"""Products with 8-bit weights on two cores, for the acoustic network at the released width.

The arithmetic is TensorFlow Lite's own for 8-bit weights and float inputs ("hybrid"): each row
of inputs is rounded to -127 .. 127 times a scale of its own, and summed in whole numbers.

The inner loop is written in LLVM's own code: numba's loops over 8-bit numbers come out at half
the speed. It needs AVX2, which every x86 processor since about 2015 has; see can_run().
"""
from concurrent.futures import ThreadPoolExecutor

from llvmlite import binding, ir
import numba
from numba import types
from numba.extending import intrinsic
import numpy as np

LARGEST = np.float32(127)           # 8 bits, symmetric
ROWS_TOGETHER = 4                   # of weights; with two rows of values, eight sums at a time
VALUES_TOGETHER = 16                # in one vector of 256 bits
PAIRWISE_PRODUCT = "llvm.x86.avx2.pmadd.wd"     # [16] x [16] of 16 bits -> [8] of 32


def can_run():
    """Whether this processor has AVX2, and numba's settings let its code use it."""
    restricted = (numba.config.CPU_NAME or numba.config.CPU_FEATURES
                  or numba.config.DISABLE_JIT or not numba.config.ENABLE_AVX)
    try:
        return not restricted and bool(binding.get_host_cpu_features().get("avx2"))
    except RuntimeError:            # LLVM cannot tell
        return False


class EightBitMatrix:
    """Weights int8 [outputs, inputs] times a scale, in the order in which they are read."""

    def __init__(self, matrix, scale):
        self.num_outputs, self.num_inputs = matrix.shape
        self.scale = np.float32(scale)
        filled = np.pad(matrix, [(0, -self.num_outputs % ROWS_TOGETHER),
                                 (0, -self.num_inputs % VALUES_TOGETHER)], "constant")
        blocks = filled.reshape(-1, ROWS_TOGETHER,                      # [k / 4, 4, n / 16, 16]
                                filled.shape[1] // VALUES_TOGETHER, VALUES_TOGETHER)
        # One after another in memory, which is read at twice the speed so.
        self._in_order = np.ascontiguousarray(
            blocks.transpose(0, 2, 1, 3)).reshape(filled.shape)         # [k, n]

    def sums(self, rounded):
        """Products with whole numbers -127 .. 127: int16 [m, inputs] -> int32 [m, outputs].

        Raises ValueError for another number of inputs.
        """
        if rounded.shape[1] != self.num_inputs:         # compiled code looks after no bounds
            raise ValueError("%s values for %d inputs" % (rounded.shape, self.num_inputs))
        k, n = self._in_order.shape
        rows = np.ascontiguousarray(rounded)
        if n > self.num_inputs:
            rows = np.pad(rounded, [(0, 0), (0, n - self.num_inputs)], "constant")
        sums = np.empty((len(rows), k), np.int32)
        half = k // 2 // ROWS_TOGETHER * ROWS_TOGETHER
        other = _OTHER_CORE.submit(_products, self._in_order, rows, sums, half, k)
        _products(self._in_order, rows, sums, 0, half)
        other.result()
        return sums[:, :self.num_outputs]


def largest_of(rows):
    """The largest magnitude of each row, float32 [m, 1]."""
    return np.abs(rows).max(axis=1, keepdims=True)


def rounded_to(rows, largest):
    """Rows float32 [m, n] as int16 -127 .. 127, where `largest` [m, 1] stands for 127."""
    rounded = np.empty(rows.shape, np.int16)
    _round(rows, LARGEST / np.where(largest == 0, np.float32(1), largest), rounded)
    return rounded


_OTHER_CORE = ThreadPoolExecutor(1)


@numba.njit("void(float32[:, ::1], float32[:, ::1], int16[:, ::1])", nogil=True)
def _round(rows, factors, rounded):
    for i in range(len(rows)):
        factor = factors[i, 0]
        for j in range(rows.shape[1]):
            scaled = rows[i, j] * factor
            rounded[i, j] = np.int16(scaled + np.copysign(np.float32(0.5), scaled))


def _sums_of(num_rows):
    """A function(weights, rows, first, i): the products of four rows of weights, from `first` on,
    with `num_rows` rows of values, from i on. They come as int32, by row of values.
    """
    @intrinsic
    def sums(_, weights, rows, first, i):
        signature = types.UniTuple(types.int32, num_rows * ROWS_TOGETHER)(weights, rows, first, i)

        def generate(context, builder, signature, arguments):
            weights, rows = [context.make_array(kind)(context, builder, argument)
                             for kind, argument in zip(signature.args[:2], arguments)]
            num_values = builder.extract_value(rows.shape, 1)
            starts = [builder.gep(rows.data, [builder.mul(
                builder.add(arguments[3], INT64(number)), num_values)])
                for number in range(num_rows)]
            start = builder.gep(weights.data, [builder.mul(arguments[2], num_values)])
            vectors = _loop(builder, start, starts, num_values)
            return context.make_tuple(builder, signature.return_type,
                                      [_total(builder, vector) for vector in vectors])

        return signature, generate

    return sums


INT64, INT32 = ir.IntType(64), ir.IntType(32)
WEIGHTS = ir.VectorType(ir.IntType(8), VALUES_TOGETHER)
VALUES = ir.VectorType(ir.IntType(16), VALUES_TOGETHER)
SUMS = ir.VectorType(INT32, VALUES_TOGETHER // 2)


def _loop(builder, weights, rows, num_values):
    """Vectors of sums, as LLVM has them, of a block of weights with each of the rows."""
    pairwise_product = builder.module.globals.get(PAIRWISE_PRODUCT) or ir.Function(
        builder.module, ir.FunctionType(SUMS, [VALUES] * 2), PAIRWISE_PRODUCT)

    def load(pointer, place, kind):
        return builder.load(builder.bitcast(builder.gep(pointer, [place]), kind.as_pointer()),
                            align=1)

    before = builder.block
    loop, behind = [builder.append_basic_block(name) for name in ("loop", "behind")]
    builder.branch(loop)
    builder.position_at_end(loop)
    place = builder.phi(INT64)
    sums = [builder.phi(SUMS) for _ in range(len(rows) * ROWS_TOGETHER)]
    block = builder.mul(place, INT64(ROWS_TOGETHER))
    weights = [builder.sext(load(weights, builder.add(block, INT64(number * VALUES_TOGETHER)),
                                 WEIGHTS), VALUES) for number in range(ROWS_TOGETHER)]
    products = [builder.call(pairwise_product, [eight_bit, values])
                for values in [load(row, place, VALUES) for row in rows]
                for eight_bit in weights]
    new_sums = [builder.add(*pair) for pair in zip(sums, products)]
    following = builder.add(place, INT64(VALUES_TOGETHER))
    for variable, first, new in zip([place] + sums, [INT64(0)] + len(sums) * [SUMS(None)],
                                    [following] + new_sums):
        variable.add_incoming(first, before)
        variable.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, num_values), loop, behind)
    builder.position_at_end(behind)
    return new_sums


def _total(builder, vector):
    total = INT32(0)
    for number in range(SUMS.count):
        total = builder.add(total, builder.extract_element(vector, INT32(number)))
    return total


_sums_of_one, _sums_of_two = _sums_of(1), _sums_of(2)


@numba.njit("void(int8[:, ::1], int16[:, ::1], int32[:, ::1], int64, int64)", nogil=True)
def _products(weights, rows, sums, first, last):
    for k in range(first, last, ROWS_TOGETHER):
        for i in range(0, len(rows) - 1, 2):
            found = _sums_of_two(weights, rows, k, i)
            for j in range(ROWS_TOGETHER):
                sums[i, k + j] = found[j]
                sums[i + 1, k + j] = found[ROWS_TOGETHER + j]
        for i in range(len(rows) // 2 * 2, len(rows)):
            found = _sums_of_one(weights, rows, k, i)
            for j in range(ROWS_TOGETHER):
                sums[i, k + j] = found[j]
