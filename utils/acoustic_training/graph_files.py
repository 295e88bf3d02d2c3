"""The files of an acoustic graph: .pb, .tflite and alphabet written, and weights read back."""
import numpy as np

from utils.acoustic_training.network import (C0_MIDDLE, C0_SCALE, CONTEXT_SIZE, FORGET_BIAS,
                                             LSTM_BIAS, LSTM_KERNEL, MOST_EIGHT_BITS, block_lstm,
                                             dense, linear, weight_shapes, width_of)
from utils.common.constants import (ACOUSTIC_STEPS, ALPHABET, CONTEXT_WINDOW_FRAMES,
                                    DS_INITIALIZE_STATE, DS_INPUT_LENGTHS, DS_INPUT_NODE,
                                    DS_INPUT_SAMPLES, DS_METADATA_NODE, DS_MFCCS, DS_NEW_STATE_C,
                                    DS_NEW_STATE_H, DS_PROBABILITIES, DS_STATE_C, DS_STATE_H,
                                    MFCC_COEFFICIENTS, MFCC_STEP_SAMPLES, MFCC_WINDOW_SAMPLES,
                                    NUM_LETTERS, SAMPLE_RATE_HZ)
from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.common.quiet_tensorflow import tf
from utils.deepspeech.acoustic_graph import read_graph_def

GRAPH_VERSION = 1                   # what the 0.5.0 native client asks for
# A matrix of a .pb is the product of two constants, named with these behind its own name.
EIGHT_BITS, STEP = "_eight_bits", "_step"


def unrolled_lstm(inputs, num_steps, state_c, state_h, weights):
    """The same LSTM step by step, which TFLite can run: [steps, width], batch 1."""
    outputs = []
    for step in range(num_steps):
        joined = tf.concat([inputs[step:step + 1], state_h], axis=1)        # [1, 2 width]
        gates = tf.nn.bias_add(tf.matmul(joined, weights[LSTM_KERNEL]), weights[LSTM_BIAS])
        gate_in, candidate, gate_forget, gate_out = tf.split(gates, 4, axis=1)
        state_c = (state_c * tf.sigmoid(gate_forget + FORGET_BIAS)
                   + tf.sigmoid(gate_in) * tf.tanh(candidate))
        state_h = tf.tanh(state_c) * tf.sigmoid(gate_out)                   # [1, width]
        outputs.append(state_h)
    return tf.concat(outputs, axis=0), state_c, state_h


def mfcc_branch():
    """The graph's own front end: input_samples [512] -> mfccs [1, 26]."""
    samples = tf.placeholder(tf.float32, [MFCC_WINDOW_SAMPLES], name=DS_INPUT_SAMPLES)
    spectrogram = tf.raw_ops.AudioSpectrogram(
        input=tf.expand_dims(samples, -1), window_size=MFCC_WINDOW_SAMPLES,
        stride=MFCC_STEP_SAMPLES, magnitude_squared=True)
    mfccs = tf.raw_ops.Mfcc(spectrogram=spectrogram, sample_rate=SAMPLE_RATE_HZ,
                            dct_coefficient_count=MFCC_COEFFICIENTS)
    return tf.identity(tf.reshape(mfccs, [-1, MFCC_COEFFICIENTS]), name=DS_MFCCS)


def constant_in_eight_bits(value, name):
    """The tensor `name` of what is on the grid of eight_bit_grid: held as int8 and a step.

    TensorFlow multiplies them once, when a session begins. Anything else is a float constant.
    """
    step = np.float32(np.abs(value).max() / MOST_EIGHT_BITS)
    levels = np.round(value / step)
    if value.ndim < 2 or not np.all(np.abs(value / step - levels) < 1e-3):
        return tf.constant(value, name=name)
    return tf.multiply(tf.cast(tf.constant(levels.astype(np.int8), name=name + EIGHT_BITS),
                               tf.float32), tf.constant(step, name=name + STEP), name=name)


def write_pb(path, weights):
    """Write the frozen graph as DeepSpeech 0.5.0 releases it: state in the session, batch 1.

    Matrices on the 8-bit grid take a quarter of the release's room.
    """
    width = width_of(weights)
    with tf.Graph().as_default() as graph:
        constants = {name: constant_in_eight_bits(value, name) for name, value in weights.items()}
        inputs = tf.placeholder(tf.float32, [1, ACOUSTIC_STEPS, CONTEXT_WINDOW_FRAMES,
                                             MFCC_COEFFICIENTS], name=DS_INPUT_NODE)
        lengths = tf.placeholder(tf.int32, [1], name=DS_INPUT_LENGTHS)
        state_c, state_h = (tf.get_variable(name, initializer=np.zeros((1, width), np.float32),
                                            trainable=False, use_resource=False)
                            for name in (DS_STATE_C, DS_STATE_H))
        tf.group(state_c.assign(tf.zeros([1, width])), state_h.assign(tf.zeros([1, width])),
                 name=DS_INITIALIZE_STATE)
        hidden = tf.reshape(tf.transpose(inputs, [1, 0, 2, 3]), [-1, CONTEXT_SIZE])  # [16, 494]
        for layer in (1, 2, 3):
            hidden = dense(hidden, constants, layer)                        # [16, width]
        with tf.name_scope("lstm_fused_cell"):
            cells, outputs = block_lstm(tf.reshape(hidden, [ACOUSTIC_STEPS, 1, width]),
                                        lengths[0], state_c, state_h, constants)
            # The state after the last valid step, which may be any of 0 .. 16.
            last = tf.stack([[lengths[0], 0]])
            new_c, new_h = (
                tf.gather_nd(tf.concat([tf.expand_dims(old, 0), new], axis=0), last,
                             name="GatherNd")
                for old, new in ((state_c, cells), (state_h, outputs)))     # [1, width]
        hidden = dense(tf.reshape(outputs, [-1, width]), constants, 5)
        raw = tf.reshape(linear(hidden, constants, 6), [ACOUSTIC_STEPS, 1, NUM_LETTERS],
                         name="raw_logits")
        with tf.control_dependencies([state_c.assign(new_c), state_h.assign(new_h)]):
            tf.identity(tf.nn.softmax(raw), name=DS_PROBABILITIES)          # [16, 1, 29]
        mfcc_branch()
        graph_def = tf.graph_util.extract_sub_graph(
            graph.as_graph_def(), [DS_PROBABILITIES, DS_INITIALIZE_STATE, DS_MFCCS])
    graph_def.version = GRAPH_VERSION
    metadata = graph_def.node.add(name=DS_METADATA_NODE, op="NoOp")
    metadata.attr["sample_rate"].i = SAMPLE_RATE_HZ
    metadata.attr["feature_win_len"].i = MFCC_WINDOW_SAMPLES * 1000 // SAMPLE_RATE_HZ
    metadata.attr["feature_win_step"].i = MFCC_STEP_SAMPLES * 1000 // SAMPLE_RATE_HZ
    with written_aside(path) as aside, open(aside, "wb") as stream:
        stream.write(graph_def.SerializeToString())


def write_tflite(path, weights, eight_bit=True):
    """Write the .tflite of the release: state as inputs and outputs, weights in 8 bits.

    Only TensorFlow 1.15's converter makes a file that TensorFlow 1.15 loads; its helper
    `toco_from_protos` must be on PATH (activate the environment).
    """
    width = width_of(weights)
    with tf.Graph().as_default(), tf.Session() as session:
        constants = {name: tf.constant(value) for name, value in weights.items()}
        inputs = tf.placeholder(tf.float32, [1, ACOUSTIC_STEPS, CONTEXT_WINDOW_FRAMES,
                                             MFCC_COEFFICIENTS], name=DS_INPUT_NODE)
        state_c, state_h = (tf.placeholder(tf.float32, [1, width], name=name)
                            for name in (DS_STATE_C, DS_STATE_H))
        hidden = tf.reshape(tf.transpose(inputs, [1, 0, 2, 3]), [-1, CONTEXT_SIZE])  # [16, 494]
        for layer in (1, 2, 3):
            hidden = dense(hidden, constants, layer)                        # [16, width]
        outputs, new_c, new_h = unrolled_lstm(hidden, ACOUSTIC_STEPS, state_c, state_h, constants)
        raw = linear(dense(outputs, constants, 5), constants, 6)            # [16, 29]
        tensors_out = [tf.identity(tf.nn.softmax(raw), name=DS_PROBABILITIES),
                       tf.identity(new_c, name=DS_NEW_STATE_C),
                       tf.identity(new_h, name=DS_NEW_STATE_H), mfcc_branch()]
        samples = tf.get_default_graph().get_tensor_by_name(DS_INPUT_SAMPLES + ":0")
        converter = tf.lite.TFLiteConverter.from_session(
            session, [inputs, state_c, state_h, samples], tensors_out)
        converter.post_training_quantize = eight_bit
        converter.allow_custom_ops = True
        content = converter.convert()
    with written_aside(path) as aside, open(aside, "wb") as stream:
        stream.write(content)


def weights_of_pb(pb_path):
    """Name -> array of the weights in a graph that write_pb wrote.

    Raises UserError where it is none of those.
    """
    graph_def = read_graph_def(pb_path)
    constants = {node.name: tf.make_ndarray(node.attr["value"].tensor)
                 for node in graph_def.node if node.op == "Const"}
    for name in [name for name in constants if name.endswith(EIGHT_BITS)]:
        name = name[:-len(EIGHT_BITS)]
        constants[name] = constants[name + EIGHT_BITS] * constants[name + STEP]
    if "layer_6/weights" not in constants:
        raise UserError("%s holds no weights under the names that make_deepspeech_mini.py gives "
                        "them; give an output_graph.pb that it wrote" % pb_path)
    return {name: constants[name] for name in weight_shapes(width_of(constants))}


def weights_to_train(pb_path):
    """Variables that plain_weights turns into the weights of a graph that write_pb wrote."""
    weights = weights_of_pb(pb_path)
    first = weights["layer_1/weights"].reshape(-1, MFCC_COEFFICIENTS, len(weights["layer_1/bias"]))
    weights["layer_1/bias"] = (weights["layer_1/bias"]
                               + C0_MIDDLE * first[:, 0].sum(axis=0)).astype(np.float32)
    first = first.copy()
    first[:, 0] *= C0_SCALE
    weights["layer_1/weights"] = first.reshape(CONTEXT_SIZE, -1)
    return weights


def write_alphabet(path):
    """alphabet.txt as the native client reads it: one letter a line, a newline at the end."""
    with written_aside(path) as aside, open(aside, "w") as stream:
        stream.write("# Each line is a letter; its number is that of the line, from 0.\n"
                     "# The first is the space. A # begins a comment. The blank of CTC comes\n"
                     "# after the last and is not listed.\n")
        stream.write("".join(letter + "\n" for letter in ALPHABET))
