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


def dense(inputs, weights, layer, in_bfloat16=False):
    """Layer 1, 2, 3 or 5: [..., in] -> [..., width], ReLU clipped at 20."""
    return tf.minimum(tf.nn.relu(linear(inputs, weights, layer, in_bfloat16)), RELU_CLIP)


def linear(inputs, weights, layer, in_bfloat16=False):
    return tf.nn.bias_add(product(inputs, weights["layer_%d/weights" % layer], in_bfloat16),
                          weights["layer_%d/bias" % layer])


def block_lstm(inputs, num_steps, state_c, state_h, weights):
    """The fused LSTM: inputs [steps, batch, width] -> (c, h), each [steps, batch, width]."""
    zeros = tf.zeros_like(state_c[0])
    outputs = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(num_steps, tf.int64), x=inputs, cs_prev=state_c, h_prev=state_h,
        w=weights[LSTM_KERNEL], wci=zeros, wcf=zeros, wco=zeros, b=weights[LSTM_BIAS],
        forget_bias=FORGET_BIAS, cell_clip=-1.0, use_peephole=False)
    return outputs.cs, outputs.h


def product(left, right, in_bfloat16, **transposed):
    """Their matrix product in float32; with `in_bfloat16` multiplied in bfloat16.

    That is three times as fast on a processor with AVX512-BF16, given TF 2.x and oneDNN.
    """
    if not in_bfloat16:
        return tf.matmul(left, right, **transposed)
    return tf.cast(tf.matmul(tf.cast(left, tf.bfloat16), tf.cast(right, tf.bfloat16),
                             **transposed), tf.float32)


def trained_lstm(inputs, state_c, state_h, weights, in_bfloat16=False):
    """block_lstm for training: [T, B, width] -> (c, h), [T, B, width] each; T is static.

    Step by step only the state is multiplied; what enters, and in the gradient the kernels too,
    takes one product for all steps.
    """
    num_steps, width = int(inputs.shape[0]), int(inputs.shape[2])
    kernel = weights[LSTM_KERNEL]
    entering = tf.nn.bias_add(product(tf.reshape(inputs, [-1, width]), kernel[:width],
                                      in_bfloat16), weights[LSTM_BIAS])         # [T B, 4 width]
    entering = tf.reshape(entering, [num_steps, -1, 4 * width])

    @tf.custom_gradient
    def recurrence(entering, state_kernel, first_c, first_h):
        cell, hidden, cells, outputs, gates = first_c, first_h, [], [], []
        for entered in tf.unstack(entering):
            sums = entered + product(hidden, state_kernel, in_bfloat16)         # [B, 4 width]
            gate_in, candidate, gate_forget, gate_out = tf.split(sums, 4, axis=1)
            gate_in, gate_out = tf.sigmoid(gate_in), tf.sigmoid(gate_out)
            candidate, gate_forget = tf.tanh(candidate), tf.sigmoid(gate_forget + FORGET_BIAS)
            cell = cell * gate_forget + gate_in * candidate
            squashed = tf.tanh(cell)
            hidden = squashed * gate_out
            cells.append(cell)
            outputs.append(hidden)
            gates.append((gate_in, candidate, gate_forget, gate_out, squashed))

        def gradient(back_c, back_h):
            later_c, later_h, sums = 0.0, 0.0, []
            back_c, back_h = tf.unstack(back_c), tf.unstack(back_h)
            for step in reversed(range(num_steps)):
                gate_in, candidate, gate_forget, gate_out, squashed = gates[step]
                before = cells[step - 1] if step else first_c
                output = back_h[step] + later_h                                 # [B, width]
                cell = back_c[step] + later_c + output * gate_out * (1.0 - tf.square(squashed))
                sums.append(tf.concat([
                    cell * candidate * gate_in * (1.0 - gate_in),
                    cell * gate_in * (1.0 - tf.square(candidate)),
                    cell * before * gate_forget * (1.0 - gate_forget),
                    output * squashed * gate_out * (1.0 - gate_out)], axis=1))  # [B, 4 width]
                later_c = cell * gate_forget
                later_h = product(sums[-1], state_kernel, in_bfloat16, transpose_b=True)
            sums = sums[::-1]
            of_kernel = product(tf.concat([first_h] + outputs[:-1], axis=0),
                                tf.concat(sums, axis=0), in_bfloat16, transpose_a=True)
            return tf.stack(sums), of_kernel, later_c, later_h

        return (tf.stack(cells), tf.stack(outputs)), gradient

    return recurrence(entering, kernel[width:], state_c, state_h)


def contexts_of(mfccs, chunk_frames):
    """What layer 1 takes: MFCCs [B, T + 18, 26] -> [T, B, 494]."""
    frames = tf.transpose(mfccs, [1, 0, 2])                                 # [T + 18, B, 26]
    return tf.concat([frames[k:k + chunk_frames] for k in range(CONTEXT_WINDOW_FRAMES)], axis=2)


def letter_logits(contexts, state, weights, dropout=None, in_bfloat16=False):
    """Contexts [T, B, 494], (c, h) [B, width] each -> (logits [T B, 29], the new (c, h)).

    dropout: scalar tensor, the part of the outputs of layers 1, 2, 3 and 5 that is zeroed; or None.
    """
    def layer(number, inputs):
        outputs = dense(inputs, weights, number, in_bfloat16)
        return outputs if dropout is None else tf.nn.dropout(outputs, rate=dropout)

    width, chunk_frames = int(state[0].shape[-1]), int(contexts.shape[0])
    hidden = tf.reshape(contexts, [-1, CONTEXT_SIZE])                       # [T B, 494]
    for number in (1, 2, 3):
        hidden = layer(number, hidden)
    cells, outputs = trained_lstm(tf.reshape(hidden, [chunk_frames, -1, width]), state[0], state[1],
                                  weights, in_bfloat16)                     # [T, B, width]
    hidden = layer(5, tf.reshape(outputs, [-1, width]))
    return linear(hidden, weights, 6, in_bfloat16), (cells[-1], outputs[-1])


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
