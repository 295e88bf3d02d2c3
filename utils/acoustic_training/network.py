"""The acoustic network of DeepSpeech 0.5.0 as TF1 graphs: to train, and as its two files.

Layers 1 to 3 (dense, ReLU clipped at 20) on 19 MFCC frames, one LSTM, layer 5 (the same kind),
layer 6 (linear) to 29 classes. Any width. Source: DeepSpeech.py, util/config.py at v0.5.0.

Weights travel as a dict of numpy arrays under the names of WEIGHTS; `random_weights` makes one.
"""
import collections

import numpy as np

from utils.common.constants import CONTEXT_WINDOW_FRAMES, MFCC_COEFFICIENTS, NUM_LETTERS
from utils.common.quiet_tensorflow import tf

RELU_CLIP = 20.0
FORGET_BIAS = 1.0
CONTEXT_SIZE = CONTEXT_WINDOW_FRAMES * MFCC_COEFFICIENTS           # 494

# c0 of speech is -28 +- 10. The scale is less than its spread, so that 8 bits hold its weights
# and those of the other coefficients about equally well.
C0_MIDDLE, C0_SCALE = -30.0, 5.0

LSTM_KERNEL, LSTM_BIAS = "lstm_fused_cell/kernel", "lstm_fused_cell/bias"
MOST_EIGHT_BITS = 127
LARGE_PRODUCTS = "BlockLSTMInLargeProducts"     # the name of block_lstm_gradient


def weight_shapes(width):
    """Name -> shape of the network's weights. The LSTM's gates stand in the order i, j, f, o."""
    shapes = collections.OrderedDict()
    for layer, num_in, num_out in ((1, CONTEXT_SIZE, width), (2, width, width),
                                   (3, width, width), (5, width, width),
                                   (6, width, NUM_LETTERS)):
        shapes["layer_%d/weights" % layer] = (num_in, num_out)
        shapes["layer_%d/bias" % layer] = (num_out,)
    shapes[LSTM_KERNEL] = (2 * width, 4 * width)
    shapes[LSTM_BIAS] = (4 * width,)
    return shapes


def random_weights(width, seed):
    """Weights of a network that has learnt nothing; no bias is zero.

    (The native client has no kernel for what TensorFlow makes of adding a zero bias.)
    """
    random = np.random.RandomState(seed)
    weights = {}
    for name, shape in weight_shapes(width).items():
        scale = 0.02 if len(shape) == 1 else np.sqrt(2.0 / sum(shape))
        weights[name] = (random.randn(*shape) * scale).astype(np.float32)
    return weights


def width_of(weights):
    return weights["layer_2/weights"].shape[0]


def dense(inputs, weights, layer):
    """Layer 1, 2, 3 or 5: [..., in] -> [..., width], ReLU clipped at 20."""
    return tf.minimum(tf.nn.relu(linear(inputs, weights, layer)), RELU_CLIP)


def linear(inputs, weights, layer):
    return tf.nn.bias_add(tf.matmul(inputs, weights["layer_%d/weights" % layer]),
                          weights["layer_%d/bias" % layer])


def block_lstm(inputs, num_steps, state_c, state_h, weights):
    """The fused LSTM: inputs [steps, batch, width] -> (c, h), each [steps, batch, width]."""
    zeros = tf.zeros_like(state_c[0])
    outputs = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(num_steps, tf.int64), x=inputs, cs_prev=state_c, h_prev=state_h,
        w=weights[LSTM_KERNEL], wci=zeros, wcf=zeros, wco=zeros, b=weights[LSTM_BIAS],
        forget_bias=FORGET_BIAS, cell_clip=-1.0, use_peephole=False)
    return outputs.cs, outputs.h


@tf.RegisterGradient(LARGE_PRODUCTS)
def block_lstm_gradient(op, *gradients):
    """The gradient of block_lstm, in half the time of TensorFlow's own on a CPU.

    That one multiplies all matrices at every step; here only what the state hands back is
    multiplied step by step, and inputs and kernel get theirs in one product of all steps.
    """
    inputs, first_c, first_h, kernel = op.inputs[1:5]
    gate_in, cells, gate_forget, gate_out, candidate, squashed, hidden = op.outputs
    gradient_c, gradient_h = gradients[1], gradients[6]                     # [T, B, width]
    num_in, width = (int(values.shape[-1]) for values in (inputs, hidden))
    before_c, before_h = (tf.concat([first[tf.newaxis], later[:-1]], axis=0)
                          for first, later in ((first_c, cells), (first_h, hidden)))
    # How much each gate's sum moves the cell (the first three), and the output.
    of_cell = [tf.unstack(part) for part in (
        candidate * gate_in * (1.0 - gate_in), gate_in * (1.0 - tf.square(candidate)),
        before_c * gate_forget * (1.0 - gate_forget))]
    of_output = tf.unstack(squashed * gate_out * (1.0 - gate_out))
    cell_of_output = tf.unstack(gate_out * (1.0 - tf.square(squashed)))
    kept, back_c, back_h = (tf.unstack(part) for part in (gate_forget, gradient_c, gradient_h))
    state_kernel = kernel[num_in:]                                          # [width, 4 width]
    later_c, later_h, sums = 0.0, 0.0, []
    for step in reversed(range(len(kept))):
        output = back_h[step] + later_h                                     # [B, width]
        cell = back_c[step] + later_c + output * cell_of_output[step]
        sums.append(tf.concat([cell * part[step] for part in of_cell]
                              + [output * of_output[step]], axis=1))        # [B, 4 width]
        later_c = cell * kept[step]
        later_h = tf.matmul(sums[-1], state_kernel, transpose_b=True)
    flat = tf.concat(sums[::-1], axis=0)                                    # [T B, 4 width]
    entered = tf.reshape(tf.concat([inputs, before_h], axis=2), [-1, num_in + width])
    back_inputs = tf.matmul(flat, kernel[:num_in], transpose_b=True)        # [T B, num_in]
    return [None, tf.reshape(back_inputs, tf.shape(inputs)), later_c, later_h,
            tf.matmul(entered, flat, transpose_a=True), None, None, None,
            tf.reduce_sum(flat, axis=0)]


def contexts_of(mfccs, chunk_frames):
    """What layer 1 takes: MFCCs [B, T + 18, 26] -> [T, B, 494]."""
    frames = tf.transpose(mfccs, [1, 0, 2])                                 # [T + 18, B, 26]
    return tf.concat([frames[k:k + chunk_frames] for k in range(CONTEXT_WINDOW_FRAMES)], axis=2)


def letter_logits(contexts, state, weights):
    """Contexts [T, B, 494], (c, h) [B, width] each -> (logits [T B, 29], the new (c, h))."""
    width, chunk_frames = int(state[0].shape[-1]), int(contexts.shape[0])
    hidden = tf.reshape(contexts, [-1, CONTEXT_SIZE])                       # [T B, 494]
    for layer in (1, 2, 3):
        hidden = dense(hidden, weights, layer)
    with tf.get_default_graph().gradient_override_map({"BlockLSTM": LARGE_PRODUCTS}):
        cells, outputs = block_lstm(tf.reshape(hidden, [chunk_frames, -1, width]), chunk_frames,
                                    state[0], state[1], weights)            # [T, B, width]
    hidden = dense(tf.reshape(outputs, [-1, width]), weights, 5)
    return linear(hidden, weights, 6), (cells[-1], outputs[-1])


def plain_weights(variables):
    """Tensors that take MFCCs as they are, on the 8-bit grid, of the variables that learn.

    Those learn on c0 moved to its middle and shrunk to the size of the other coefficients.
    """
    scale = np.ones((CONTEXT_SIZE, 1), np.float32)
    scale[::MFCC_COEFFICIENTS] = 1.0 / C0_SCALE
    middle = np.zeros((CONTEXT_SIZE, 1), np.float32)
    middle[::MFCC_COEFFICIENTS] = C0_MIDDLE
    weights = dict(variables)
    weights["layer_1/weights"] = variables["layer_1/weights"] * scale
    for name in list(weights):
        if len(weights[name].shape) == 2 and not name.startswith("phones/"):
            weights[name] = eight_bit_grid(weights[name])
    weights["layer_1/bias"] = variables["layer_1/bias"] - tf.reduce_sum(
        middle * weights["layer_1/weights"], axis=0)
    return weights


def mean_weights(variables, others):
    """Weights for write_pb and write_tflite: the mean of two networks' variables.

    Of two that one training passed through it generalises better than either: P. Izmailov et al.,
    "Averaging weights leads to wider optima and better generalization", UAI 2018.

    Raises ValueError where they are not equally wide.
    """
    if width_of(variables) != width_of(others):
        raise ValueError("networks of %d and %d units have no mean"
                         % (width_of(variables), width_of(others)))
    mean = {name: (variables[name] + others[name]) / np.float32(2.0)
            for name in weight_shapes(width_of(variables))}
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(plain_weights({name: tf.constant(value)
                                          for name, value in mean.items()}))


def widened(weights, width, seed):
    """Weights of a network of `width` whose output is at first that of the given, narrower one.

    Almost: the new units get random weights, and their weights into the old ones are a tenth
    of that, so that all learn.
    """
    old = width_of(weights)
    wide = random_weights(width, seed)
    for name, value in weights.items():
        # The LSTM's kernel and bias are blocks: inputs, then state; four gates.
        rows, columns = (2, 4) if name == LSTM_KERNEL else (1, 4 if name == LSTM_BIAS else 1)
        target = wide[name].reshape(rows, -1, columns, wide[name].shape[-1] // columns)
        value = value.reshape(rows, -1, columns, value.shape[-1] // columns)
        num_in, num_out = value.shape[1], value.shape[3]
        if num_in == old:
            target[:, num_in:, :, :num_out] *= 0.1
        target[:, :num_in, :, :num_out] = value
    return wide


def eight_bit_grid(weights):
    """The matrix as the .tflite will hold it: symmetric, 8 bits, one scale; gradients pass."""
    limit = tf.stop_gradient(tf.reduce_max(tf.abs(weights)))
    return tf.quantization.fake_quant_with_min_max_vars(weights, -limit, limit, num_bits=8,
                                                        narrow_range=True)
