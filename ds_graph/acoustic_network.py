"""The acoustic network of DeepSpeech 0.5.0 as TF1 graphs: to train, and as its two files.

Layers 1 to 3 (dense, ReLU clipped at 20) on 19 MFCC frames, one LSTM, layer 5 (the same kind),
layer 6 (linear) to 29 classes. Any width. Source: DeepSpeech.py, util/config.py at v0.5.0.

Weights travel as a dict of numpy arrays under the names of WEIGHTS; `random_weights` makes one.
"""
import collections

import numpy as np

from ds_graph.letter_alignment import UNKNOWN_LETTER
from utils.acoustic_graph import read_graph_def
from utils.constants import (ACOUSTIC_STEPS, CONTEXT_WINDOW_FRAMES, DS_INITIALIZE_STATE,
                             DS_INPUT_LENGTHS, DS_INPUT_NODE, DS_INPUT_SAMPLES, DS_METADATA_NODE,
                             DS_MFCCS, DS_NEW_STATE_C, DS_NEW_STATE_H, DS_PROBABILITIES,
                             DS_STATE_C, DS_STATE_H, MFCC_COEFFICIENTS, MFCC_STEP_SAMPLES,
                             MFCC_WINDOW_SAMPLES, NUM_LETTERS, PROBABILITY_FLOOR,
                             SAMPLE_RATE_HZ)
from utils.errors import UserError
from utils.files import written_aside
from utils.quiet_tensorflow import tf
from utils.vocal_tract import STRETCHES, as_another_tract

RELU_CLIP = 20.0
FORGET_BIAS = 1.0
GRAPH_VERSION = 1                   # what the 0.5.0 native client asks for
CONTEXT_SIZE = CONTEXT_WINDOW_FRAMES * MFCC_COEFFICIENTS           # 494

# c0 of speech is -28 +- 10. The scale is less than its spread, so that 8 bits hold its weights
# and those of the other coefficients about equally well.
C0_MIDDLE, C0_SCALE = -30.0, 5.0

# Of the phone output that is trained beside.
PHONE_UNITS = 64
PHONE_NOISE_NATS = 0.5
# What other graphs say: against the losses of targets; and of it, nats squared against nats.
TEACHER_WEIGHT, SQUARES_WEIGHT = 2.0, 0.1

LSTM_KERNEL, LSTM_BIAS = "lstm_fused_cell/kernel", "lstm_fused_cell/bias"
# A matrix of a .pb is the product of two constants, named with these behind its own name.
EIGHT_BITS, STEP = "_eight_bits", "_step"
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
    heard = tf.reshape(tf.concat([inputs, before_h], axis=2), [-1, num_in + width])
    back_inputs = tf.matmul(flat, kernel[:num_in], transpose_b=True)        # [T B, num_in]
    return [None, tf.reshape(back_inputs, tf.shape(inputs)), later_c, later_h,
            tf.matmul(heard, flat, transpose_a=True), None, None, None,
            tf.reduce_sum(flat, axis=0)]


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


def random_phone_weights(num_phones, seed):
    """Weights that tell phones from the 29 log-probabilities, in training only."""
    random = np.random.RandomState(seed)
    shapes = (("phones/weights_1", (NUM_LETTERS, PHONE_UNITS)), ("phones/bias_1", (PHONE_UNITS,)),
              ("phones/weights_2", (PHONE_UNITS, num_phones)), ("phones/bias_2", (num_phones,)))
    return {name: (random.randn(*shape) * (0.0 if len(shape) == 1 else np.sqrt(1.0 / shape[0]))
                   ).astype(np.float32) for name, shape in shapes}


def phone_logits_of(logits, weights):
    """Phone logits [n, phones] from what an animation network gets of letter logits [n, 29].

    The noise makes the evidence stand out of what 8 bits and another voice blur.
    """
    scores = floored(tf.nn.log_softmax(logits))
    scores += tf.random_normal(tf.shape(scores), stddev=PHONE_NOISE_NATS)
    hidden = tf.nn.relu(tf.nn.bias_add(tf.matmul(0.2 * scores, weights["phones/weights_1"]),
                                       weights["phones/bias_1"]))           # [n, units]
    return tf.nn.bias_add(tf.matmul(hidden, weights["phones/weights_2"]),
                          weights["phones/bias_2"])


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


def floored(log_probabilities):
    """What an animation network gets of log-probabilities: ln(max(p, PROBABILITY_FLOOR))."""
    return tf.maximum(log_probabilities, np.log(PROBABILITY_FLOOR))


def teachers_say(mfccs, chunk_frames, teachers, states):
    """The mean of what `teachers` (weights) say, each hearing three vocal tracts.

    Returns (log-probabilities [T, B, 29], the new states, as many as `states`).
    """
    tracts = [tf.tensordot(mfccs, as_another_tract(stretch), 1) for stretch in STRETCHES]
    said, new_states = [], []
    hearings = [(contexts_of(tract, chunk_frames), weights)
                for weights in teachers for tract in tracts]
    for (contexts, weights), state in zip(hearings, states):
        logits, new_state = letter_logits(contexts, state, weights)
        said.append(floored(tf.nn.log_softmax(logits)))                     # [T B, 29]
        new_states.append(new_state)
    mean = tf.nn.log_softmax(tf.add_n(said) / len(said))
    return tf.reshape(mean, [chunk_frames, -1, NUM_LETTERS]), new_states


def training_graph(width, chunk_frames, initial, teachers=()):
    """The graph that learns: a namedtuple of its tensors, in the default graph.

    Args:
      initial: weights of `random_weights` and `random_phone_weights`. The latter tell phones
        from the letters' log-probabilities and are left out of the files: they force letters
        that do not win to say which phone sounds, also where blank or space wins.
      teachers: weights of graphs (weights_of_pb) of any width; what they say together of the same
        spoilt speech is learnt, too. Source: G. Hinton, O. Vinyals, J. Dean, "Distilling the
        knowledge in a neural network", 2015; the same input for both: L. Beyer et al., "Knowledge
        distillation: a good teacher is patient and consistent", CVPR 2022.

    `states` and `new_states` are lists of (c, h): the network's own, then the teachers'.
    """
    Graph = collections.namedtuple("Graph", (
        "mfccs letters phones frame_weights states learning_rate ctc_weight letter_weight "
        "new_states logits letter_loss phone_loss ctc_loss teacher_loss letter_accuracy "
        "phone_accuracy train variables plain"))
    padding = CONTEXT_WINDOW_FRAMES - 1
    mfccs = tf.placeholder(tf.float32, [None, chunk_frames + padding, MFCC_COEFFICIENTS])
    letters = tf.placeholder(tf.int32, [None, chunk_frames])
    phones = tf.placeholder(tf.int32, [None, chunk_frames])
    frame_weights = tf.placeholder(tf.float32, [None, chunk_frames])        # what each counts
    widths = [width] + [width_of(teacher) for teacher in teachers for _ in STRETCHES]
    states = [tuple(tf.placeholder(tf.float32, [None, units]) for _ in "ch") for units in widths]
    learning_rate, ctc_weight, letter_weight = (tf.placeholder(tf.float32, [])
                                                for _ in range(3))

    variables = {name: tf.get_variable(name, initializer=value, use_resource=False)
                 for name, value in initial.items()}
    weights = plain_weights(variables)
    flat_logits, new_state = letter_logits(
        half_in_eight_bits(contexts_of(mfccs, chunk_frames)), states[0], weights)   # [T B, 29]
    new_states = [new_state]
    logits = tf.reshape(flat_logits, [chunk_frames, -1, NUM_LETTERS])
    phone_logits = phone_logits_of(flat_logits, variables)                  # [T B, phones]

    letters_t = tf.transpose(letters)                                       # [T, B]
    known = tf.cast(tf.not_equal(letters_t, UNKNOWN_LETTER), tf.float32)    # [T, B]
    counts = tf.transpose(frame_weights)                                    # [T, B]
    flat_phones = tf.reshape(tf.transpose(phones), [-1])                    # [T B]
    letter_loss = weighted_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.maximum(letters_t, 0), logits=logits), known * counts)
    phone_loss = weighted_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=flat_phones, logits=phone_logits), tf.reshape(counts, [-1]))
    ctc_loss = tf.cond(ctc_weight > 0.0, lambda: spelling_loss(letters, logits),
                       lambda: tf.constant(0.0))
    teacher_loss = tf.constant(0.0)
    if teachers:
        said, of_teachers = teachers_say(mfccs, chunk_frames, teachers, states[1:])
        new_states += of_teachers
        teacher_loss = distance_of_saying(logits, said, counts)
    right, right_phones = (
        tf.cast(tf.equal(tf.argmax(scores, axis=-1, output_type=tf.int32), truth), tf.float32)
        for scores, truth in ((logits, letters_t), (phone_logits, flat_phones)))
    accuracy, phone_accuracy = weighted_mean(right, known), tf.reduce_mean(right_phones)
    loss = (letter_weight * letter_loss + phone_loss + ctc_weight * ctc_loss
            + TEACHER_WEIGHT * teacher_loss)
    trained = list(variables.values())
    gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, trained), 2.0)
    train = tf.train.AdamOptimizer(learning_rate).apply_gradients(zip(gradients, trained))
    return Graph(mfccs, letters, phones, frame_weights, states, learning_rate, ctc_weight,
                 letter_weight, new_states, logits, letter_loss, phone_loss, ctc_loss,
                 teacher_loss, accuracy, phone_accuracy, train, variables, weights)


def distance_of_saying(logits, said, counts):
    """How far logits [T, B, 29] are from log-probabilities; frames count `counts` [T, B].

    What wins decides the first part; the second holds those that lose to it, too, as an animation
    network takes them.
    """
    saying = tf.nn.log_softmax(logits)
    divergence = tf.reduce_sum(tf.exp(said) * (said - saying), axis=-1)     # [T, B]
    squares = tf.reduce_mean(tf.square(floored(saying) - floored(said)), axis=-1)
    return weighted_mean(divergence + SQUARES_WEIGHT * squares, counts)


def weighted_mean(values, weights):
    """0 where all weights are."""
    return tf.reduce_sum(values * weights) / (tf.reduce_sum(weights) + 1e-9)


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


def widened(weights, width, seed):
    """Weights of a network of `width` that says at first what the given, narrower one says.

    Almost: the new units get random weights, and what the old ones hear of them is a tenth of
    those, so that all learn.
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


def half_in_eight_bits(contexts):
    """Half of the rows [T, B, 494] rounded as TFLite rounds what it multiplies by 8-bit weights.

    c0 near -28 makes the step 0.2, which a network that never saw it takes badly.
    """
    step = tf.reduce_max(tf.abs(contexts), axis=2, keepdims=True) / MOST_EIGHT_BITS + 1e-9
    chosen = tf.random_uniform(tf.shape(step)) < 0.5                        # [T, B, 1]
    return tf.where(tf.tile(chosen, [1, 1, CONTEXT_SIZE]),
                    tf.round(contexts / step) * step, contexts)


def spelling_loss(letters, logits):
    """CTC loss a frame of logits [T, B, 29] against what frame classes [B, T] collapse to.

    ctc_loss takes the last class as the blank, as DeepSpeech does. It refuses an empty text, so
    a lane of silence gets a letter and no weight; the letter loss teaches silence. A lane with an
    unknown letter counts for nothing either.
    """
    blank = NUM_LETTERS - 1
    spelled = tf.reduce_all(tf.not_equal(letters, UNKNOWN_LETTER), axis=1)  # [B]
    letters = tf.where(tf.tile(spelled[:, tf.newaxis], [1, tf.shape(letters)[1]]), letters,
                       tf.fill(tf.shape(letters), blank))
    num_lanes, num_frames = tf.shape(letters)[0], tf.shape(letters)[1]
    before = tf.concat([tf.fill([num_lanes, 1], blank), letters[:, :-1]], axis=1)
    starts = tf.logical_and(tf.not_equal(letters, before), tf.not_equal(letters, blank))
    spoken = tf.reduce_any(starts, axis=1, keepdims=True)                   # [B, 1]
    starts = tf.concat([tf.logical_or(starts[:, :1], tf.logical_not(spoken)), starts[:, 1:]],
                       axis=1)                                              # [B, T]
    where = tf.where(starts)                                                # [n, 2]: lane, frame
    position = tf.cumsum(tf.cast(starts, tf.int64), axis=1) - 1             # [B, T]
    labels = tf.SparseTensor(
        tf.stack([where[:, 0], tf.gather_nd(position, where)], axis=1),
        tf.minimum(tf.gather_nd(letters, where), blank - 1), tf.shape(letters, out_type=tf.int64))
    losses = tf.nn.ctc_loss(labels=labels, inputs=logits,
                            sequence_length=tf.fill([num_lanes], num_frames),
                            ignore_longer_outputs_than_inputs=True)         # [B]
    return (tf.reduce_mean(losses * tf.cast(spoken[:, 0], tf.float32))
            / tf.cast(num_frames, tf.float32))
