"""The acoustic network as a TF1 graph to train: streams in, losses out."""
import collections

import numpy as np

from utils.acoustic_training.letter_alignment import UNKNOWN_LETTER
from utils.acoustic_training.network import (CONTEXT_SIZE, MOST_EIGHT_BITS, contexts_of,
                                             letter_logits, plain_weights, width_of)
from utils.common.constants import (CONTEXT_WINDOW_FRAMES, MFCC_COEFFICIENTS, NUM_LETTERS,
                                    PROBABILITY_FLOOR)
from utils.common.quiet_tensorflow import tf
from utils.deepspeech.vtlp import STRETCHES, as_another_tract

# Of the phone output that is trained beside.
PHONE_UNITS = 64
PHONE_NOISE_NATS = 0.5
# What other graphs say: against the losses of targets; and of it, nats squared against nats.
TEACHER_WEIGHT, SQUARES_WEIGHT = 2.0, 0.1


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


def floored(log_probabilities):
    """What an animation network gets of log-probabilities: ln(max(p, PROBABILITY_FLOOR))."""
    return tf.maximum(log_probabilities, np.log(PROBABILITY_FLOOR))


def mean_of_teachers(mfccs, chunk_frames, teachers, states):
    """Mean output of `teachers` (weights), each over three VTLP copies of the input.

    Returns (log-probabilities [T, B, 29], the new states, as many as `states`).
    """
    tracts = [tf.tensordot(mfccs, as_another_tract(stretch), 1) for stretch in STRETCHES]
    theirs, new_states = [], []
    copies = [(contexts_of(tract, chunk_frames), weights)
                for weights in teachers for tract in tracts]
    for (contexts, weights), state in zip(copies, states):
        logits, new_state = letter_logits(contexts, state, weights)
        theirs.append(floored(tf.nn.log_softmax(logits)))                     # [T B, 29]
        new_states.append(new_state)
    mean = tf.nn.log_softmax(tf.add_n(theirs) / len(theirs))
    return tf.reshape(mean, [chunk_frames, -1, NUM_LETTERS]), new_states


def training_graph(width, chunk_frames, initial, teachers=(), in_bfloat16=False):
    """The graph that learns: a namedtuple of its tensors, in the default graph.

    Args:
      initial: weights of `random_weights` and `random_phone_weights`. The latter tell phones
        from the letters' log-probabilities and are left out of the files: they force letters
        that do not win to say which phone sounds, also where blank or space wins.
      teachers: weights of graphs (weights_of_pb) of any width; their mean output for the same
        degraded speech is learnt, too. Source: G. Hinton, O. Vinyals, J. Dean, "Distilling the
        knowledge in a neural network", 2015; the same input for both: L. Beyer et al., "Knowledge
        distillation: a good teacher is patient and consistent", CVPR 2022.
      in_bfloat16: multiply in bfloat16 (network.product).

    `states` and `new_states` are lists of (c, h): the network's own, then the teachers'.
    """
    Graph = collections.namedtuple("Graph", (
        "mfccs letters phones frame_weights states learning_rate ctc_weight letter_weight "
        "dropout new_states logits phone_logits letter_loss phone_loss ctc_loss teacher_loss "
        "letter_accuracy phone_accuracy train of_adam variables plain"))
    padding = CONTEXT_WINDOW_FRAMES - 1
    mfccs = tf.placeholder(tf.float32, [None, chunk_frames + padding, MFCC_COEFFICIENTS])
    letters = tf.placeholder(tf.int32, [None, chunk_frames])
    phones = tf.placeholder(tf.int32, [None, chunk_frames])
    frame_weights = tf.placeholder(tf.float32, [None, chunk_frames])        # what each counts
    widths = [width] + [width_of(teacher) for teacher in teachers for _ in STRETCHES]
    states = [tuple(tf.placeholder(tf.float32, [None, units]) for _ in "ch") for units in widths]
    learning_rate, ctc_weight, letter_weight = (tf.placeholder(tf.float32, [])
                                                for _ in range(3))
    dropout = tf.placeholder_with_default(np.float32(0.0), [])

    variables = {name: tf.get_variable(name, initializer=value, use_resource=False)
                 for name, value in initial.items()}
    weights = plain_weights(variables)
    flat_logits, new_state = letter_logits(
        half_in_eight_bits(contexts_of(mfccs, chunk_frames)), states[0], weights, dropout,
        in_bfloat16)                                                        # [T B, 29]
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
        theirs, of_teachers = mean_of_teachers(mfccs, chunk_frames, teachers, states[1:])
        new_states += of_teachers
        teacher_loss = distillation_loss(logits, theirs, counts)
    right, right_phones = (
        tf.cast(tf.equal(tf.argmax(scores, axis=-1, output_type=tf.int32), truth), tf.float32)
        for scores, truth in ((logits, letters_t), (phone_logits, flat_phones)))
    accuracy, phone_accuracy = weighted_mean(right, known), tf.reduce_mean(right_phones)
    loss = (letter_weight * letter_loss + phone_loss + ctc_weight * ctc_loss
            + TEACHER_WEIGHT * teacher_loss)
    trained = list(variables.values())
    gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, trained), 2.0)
    adam = tf.train.AdamOptimizer(learning_rate)
    train = adam.apply_gradients(zip(gradients, trained))
    return Graph(mfccs, letters, phones, frame_weights, states, learning_rate, ctc_weight,
                 letter_weight, dropout, new_states, logits,
                 tf.reshape(phone_logits, [chunk_frames, -1, int(phone_logits.shape[1])]),
                 letter_loss, phone_loss, ctc_loss,
                 teacher_loss, accuracy, phone_accuracy, train, adam.variables(),
                 variables, weights)


def distillation_loss(logits, theirs, counts):
    """Distance of logits [T, B, 29] from the teachers' log-probabilities, weighted by `counts`.

    The Kullback-Leibler divergence is decided by the likeliest letter. The squared difference of
    the floored log-probabilities, an animation network's input, covers the other letters too.
    """
    ours = tf.nn.log_softmax(logits)
    divergence = tf.reduce_sum(tf.exp(theirs) * (theirs - ours), axis=-1)     # [T, B]
    squares = tf.reduce_mean(tf.square(floored(ours) - floored(theirs)), axis=-1)
    return weighted_mean(divergence + SQUARES_WEIGHT * squares, counts)


def weighted_mean(values, weights):
    """0 where all weights are."""
    return tf.reduce_sum(values * weights) / (tf.reduce_sum(weights) + 1e-9)


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
    a lane of silence gets a letter and no weight; the letter loss covers silence. A lane with an
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
