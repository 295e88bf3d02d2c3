"""The training loop of the acoustic graph: lanes of streams in, weights saved."""
import os
import time

import numpy as np

from utils.common.constants import BLANK_INDEX, CONTEXT_FRAMES, NUM_LETTERS
from utils.common.errors import UserError
from utils.common.files import written_aside

WIDTH = 400                         # .pb and .tflite together 4.0 MB
NUM_LANES, CHUNK_FRAMES = 64, 96    # a step learns from 64 pieces of 1.92 s
LEARNING_RATE, LAST_LEARNING_RATE = 1.5e-3, 5e-5
WARM_UP_STEPS = 100
CTC_FROM = 0.3                      # part of the training after which CTC joins in
CTC_WEIGHT = 1.0
LETTER_WEIGHT, LETTER_WEIGHT_WITH_CTC = 1.0, 0.4
# The last part: what has learnt to bear much now learns to tell more. Spelling counts more there,
# less is done to the speech, nothing is dropped, and the learning rate rises and falls once more.
FINE_LEARNING_RATE = 1e-3
FINE_CTC_WEIGHT, FINE_LETTER_WEIGHT = 2.0, 0.3
FINE_AUGMENTATION = 0.3
# A frame of these counts double: what lips and tongue must not miss. So does one of the first
# after silence, where nothing before tells which phone it may be.
SEEN_PHONES = ("P", "B", "M", "F", "V", "W", "UW", "TH", "DH")
ONSET_FRAMES = 6
RESET_PROBABILITY = 0.06            # of a lane starting anew, as a file does
SAVE_EVERY_STEPS = 100
TELL_EVERY_STEPS = 20
MEASURE_EVERY_STEPS = 250           # on held-out speakers
# Nats taken off the blank's logit: where no letter is sure the blank wins, though it is less likely
# than all letters together. What makes the fewest errors on held-out speakers is kept.
BLANK_LOWERED = (0.0, 0.5, 1.0, 1.5, 2.0)
PATIENCE = 24                       # measurements without fewer errors, then training ends


def lanes_of_streams(streams, random, strength=1.0):
    """One pass over the corpus as parallel lanes, in a new order.

    Returns (MFCCs [lanes, frames + 18, 26] with zero vectors before and after, as a file has
    them; letters and phones [lanes, frames]). Every minute sounds as of another speaker, with
    other breaths, in another place than on the last pass; strength: see `augmented`.
    """
    from utils.acoustic_training.spectral_augmentation import augmented_stream
    from utils.speech.phones import PHONES, SILENCE
    mfccs, letters, phones = streams
    # Aligners' dictionaries call the reduced vowel by the full one's name.
    phones = np.where(phones == PHONES.index("AX"), PHONES.index("AH"), phones)
    silence = PHONES.index(SILENCE)
    per_lane = len(mfccs) // NUM_LANES
    chosen = random.permutation(len(mfccs))[:per_lane * NUM_LANES]
    mfccs, letters, phones = (np.stack(part) for part in zip(*(
        augmented_stream(random, mfccs[i], letters[i], phones[i], silence, mfccs, strength)
        for i in chosen)))
    mfccs = mfccs.reshape(NUM_LANES, -1, mfccs.shape[-1])
    padded = np.pad(mfccs, ((0, 0), (CONTEXT_FRAMES, CONTEXT_FRAMES), (0, 0)), "constant")
    return padded, letters.reshape(NUM_LANES, -1), phones.reshape(NUM_LANES, -1)


def frame_weights(phones):
    """What each frame of these classes in PHONES counts, [lanes, frames] both."""
    from utils.speech.phones import PHONES, SILENCE
    seen = np.isin(phones, [PHONES.index(phone) for phone in SEEN_PHONES])
    silent = phones == PHONES.index(SILENCE)
    before = np.pad(silent, ((0, 0), (ONSET_FRAMES, 0)), "constant")
    lately = np.any([before[:, k:k + phones.shape[1]] for k in range(ONSET_FRAMES)], axis=0)
    return np.float32((1 + seen) * (1 + (lately & ~silent)))


def learning_rate(step, num_steps, highest):
    """Rises to the highest over the first steps, then falls along half a cosine."""
    if step < WARM_UP_STEPS:
        return highest * (step + 1) / WARM_UP_STEPS
    part = (step - WARM_UP_STEPS) / float(max(1, num_steps - WARM_UP_STEPS))
    return LAST_LEARNING_RATE + (highest - LAST_LEARNING_RATE) * 0.5 * (
        1.0 + np.cos(np.pi * min(part, 1.0)))


def train(folder, num_steps, num_threads, start_from=None, highest_rate=LEARNING_RATE,
          teachers=(), width=WIDTH, dropout=0.0, held_out=(), in_bfloat16=False, fine_from=None,
          fine_steps=0):
    """Learn from the streams in `folder`; weights go to `weights_path` there.

    start_from: an output_graph.pb, no wider, whose weights to begin with instead of random ones;
    it can spell already, so CTC joins in at once.
    teachers: output_graph.pb of any width, for distillation: their mean output is a target too.
    held_out: [HeldOut]. Those weights that make the fewest letter errors on them go to `best_path`;
    training ends where they have not been bettered for PATIENCE measurements.
    in_bfloat16: see network.product.
    fine_from, fine_steps: after so many steps of num_steps the last part begins, fine_steps long
    (FINE_LEARNING_RATE and what stands beside it).
    Curves for TensorBoard go to `folder`/curves.
    """
    from utils.acoustic_training import graph_files, network, training_graph
    from utils.acoustic_training.streams import load_streams
    from utils.common.quiet_tensorflow import tf
    from utils.speech.phones import PHONES
    path = weights_path(folder)
    if start_from is None:
        initial = network.random_weights(width, seed=5)
        ctc_from_step = CTC_FROM * num_steps
    else:
        initial = network.widened(
            graph_files.weights_to_train(start_from), width, seed=5)
        ctc_from_step = WARM_UP_STEPS
    initial.update(training_graph.random_phone_weights(len(PHONES), seed=5))
    first_step, saved = saved_variables(path)
    initial.update((name, saved[name]) for name in initial if name in saved)
    random = np.random.RandomState(5 + first_step)
    settings = tf.ConfigProto(intra_op_parallelism_threads=num_threads,
                              inter_op_parallelism_threads=1)
    with tf.Graph().as_default(), tf.Session(config=settings) as session:
        tf.set_random_seed(5 + first_step)
        graph = training_graph.training_graph(
            width, CHUNK_FRAMES, initial, [graph_files.weights_of_pb(pb) for pb in teachers],
            in_bfloat16)
        curves = Curves(os.path.join(folder, "curves"))
        best = Best(folder)
        session.run(tf.global_variables_initializer())
        restore_moments(session, graph, saved)
        states = zero_states(graph)
        step, started_s, sums = first_step, time.time(), []
        fine_from = num_steps if fine_from is None else min(fine_from, num_steps)
        last_step = fine_from + fine_steps
        while step < last_step:
            is_fine = step >= fine_from
            mfccs, letters, phones = lanes_of_streams(
                load_streams(folder), random, FINE_AUGMENTATION if is_fine else 1.0)
            weights = frame_weights(phones)
            for first in range(0, letters.shape[1] - CHUNK_FRAMES + 1, CHUNK_FRAMES):
                frames = slice(first, first + CHUNK_FRAMES)
                chunk = np.array(mfccs[:, first:first + CHUNK_FRAMES + 2 * CONTEXT_FRAMES])
                anew = random.rand(NUM_LANES) < (1.0 if first == 0 else RESET_PROBABILITY)
                chunk[anew, :CONTEXT_FRAMES] = 0.0
                states = [[np.where(anew[:, np.newaxis], 0.0, part) for part in state]
                          for state in states]
                ctc_weight, letter_weight, rate = 0.0, LETTER_WEIGHT, learning_rate(
                    step, num_steps, highest_rate)
                if is_fine:
                    ctc_weight, letter_weight = FINE_CTC_WEIGHT, FINE_LETTER_WEIGHT
                    rate = learning_rate(step - fine_from, fine_steps, FINE_LEARNING_RATE)
                elif step >= ctc_from_step:
                    ctc_weight, letter_weight = CTC_WEIGHT, LETTER_WEIGHT_WITH_CTC
                fed = states_fed(graph, states)
                fed.update(
                    {graph.mfccs: chunk, graph.letters: letters[:, frames],
                     graph.phones: phones[:, frames], graph.frame_weights: weights[:, frames],
                     graph.learning_rate: rate,
                     graph.dropout: 0.0 if is_fine else dropout,
                     graph.ctc_weight: ctc_weight, graph.letter_weight: letter_weight})
                results, states, _ = session.run([
                    [graph.letter_loss, graph.phone_loss, graph.ctc_loss, graph.teacher_loss,
                     graph.letter_accuracy, graph.phone_accuracy],
                    graph.new_states, graph.train], fed)
                sums.append(results)
                step += 1
                if not np.isfinite(results[0]):
                    raise UserError("the loss is no number at step %d; the last good weights are "
                                    "in %s" % (step, path))
                if step % TELL_EVERY_STEPS == 0:
                    means = np.mean(sums, axis=0)
                    steps_a_second = (step - first_step) / (time.time() - started_s)
                    print("step %d of %d  letters %.3f  phones %.3f  ctc %.3f  teachers %.3f  "
                          "right letters %.3f  phones %.3f  %.2f steps/s  %.0f s left" % (
                              (step, last_step) + tuple(means)
                              + (steps_a_second, (last_step - step) / steps_a_second)),
                          flush=True)
                    curves.add(step, dict(zip(
                        ("loss letters", "loss phones", "loss ctc", "loss teachers",
                         "right letters", "right phones"), means), **{"learning rate": rate}))
                    sums = []
                last = step == last_step
                if held_out and (step % MEASURE_EVERY_STEPS == 0 or last):
                    measures = measured(session, graph, held_out)
                    print("step %d  held out: %s" % (step, "  ".join(
                        "%s %.3f" % item for item in sorted(measures.items()))), flush=True)
                    curves.add(step, {"held out " + name: value
                                      for name, value in measures.items()})
                    if best.is_better(step, measures["cer"]):
                        variables, plain = session.run([graph.variables, graph.plain])
                        plain["layer_6/bias"] = plain["layer_6/bias"] - blank_lowered(
                            measures["blank lowered"])
                        save_variables(best_path(folder), step, variables, plain)
                    last = last or best.is_stale(step)
                if step % SAVE_EVERY_STEPS == 0 or last:
                    variables, plain = session.run([graph.variables, graph.plain])
                    save_variables(path, step, dict(variables, **moments(session, graph)), plain)
                if last:
                    return
                if step >= fine_from and not is_fine:
                    break


def zero_states(graph):
    """[[c, h]], each [lanes, width], before anything is heard."""
    return [[np.zeros((NUM_LANES, int(part.shape[-1])), np.float32) for part in state]
            for state in graph.states]


def states_fed(graph, states):
    return {part: value for pair in zip(graph.states, states) for part, value in zip(*pair)}


def measured(session, graph, held_out):
    """{measure: value} of held_out.heard_right with the one of BLANK_LOWERED that makes the fewest
    errors, "blank lowered"; and phones: the part of frames whose phone is told.
    """
    from utils.acoustic_training.held_out import heard_right
    from utils.speech.phones import PHONES
    ordered = sorted(held_out, key=lambda utterance: len(utterance.mfccs))
    letter_logits, right = [], []
    for first in range(0, len(ordered), NUM_LANES):
        batch = ordered[first:first + NUM_LANES]
        num_frames = -(-len(batch[-1].mfccs) // CHUNK_FRAMES) * CHUNK_FRAMES
        mfccs = np.zeros((NUM_LANES, num_frames + 2 * CONTEXT_FRAMES, batch[0].mfccs.shape[1]),
                         np.float32)
        for lane, utterance in enumerate(batch):
            mfccs[lane, CONTEXT_FRAMES:CONTEXT_FRAMES + len(utterance.mfccs)] = utterance.mfccs
        states, parts = zero_states(graph), []
        for start in range(0, num_frames, CHUNK_FRAMES):
            fed = states_fed(graph, states)
            fed[graph.mfccs] = mfccs[:, start:start + CHUNK_FRAMES + 2 * CONTEXT_FRAMES]
            part, new_state = session.run([[graph.logits, graph.phone_logits],
                                           graph.new_states[0]], fed)
            states[0] = new_state
            parts.append(part)
        logits, phone_logits = (np.concatenate(part) for part in zip(*parts))   # [T, lanes, n]
        for lane, utterance in enumerate(batch):
            num_own = len(utterance.mfccs)
            letter_logits.append(logits[:num_own, lane])
            if utterance.classes is not None:
                reduced = utterance.classes == PHONES.index("AX")
                classes = np.where(reduced, PHONES.index("AH"), utterance.classes)
                right.append(phone_logits[:num_own, lane].argmax(1) == classes)
    tried = [dict(heard_right(ordered, [logits - blank_lowered(nats) for logits in letter_logits]),
                  **{"blank lowered": nats}) for nats in BLANK_LOWERED]
    measures = min(tried, key=lambda measures: measures["cer"])
    if right:
        measures["phones"] = float(np.concatenate(right).mean())
    return measures


def blank_lowered(nats):
    """What is taken off logits [n, 29], or their bias, to lower the blank's: float32 [29]."""
    return np.float32(nats) * (np.arange(NUM_LETTERS) == BLANK_INDEX).astype(np.float32)


class Best(object):
    """The fewest letter errors so far, also of the sessions before this one."""

    def __init__(self, folder):
        self._path = os.path.join(folder, "best.txt")
        self.step, self.errors = 0, np.inf
        if os.path.isfile(self._path):
            with open(self._path) as stream:
                step, errors = stream.read().split()
            self.step, self.errors = int(step), float(errors)

    def is_better(self, step, errors):
        if errors >= self.errors:
            return False
        self.step, self.errors = step, errors
        with written_aside(self._path) as aside, open(aside, "w") as stream:
            stream.write("%d %.5f\n" % (step, errors))
        return True

    def is_stale(self, step):
        return step - self.step >= PATIENCE * MEASURE_EVERY_STEPS


class Curves(object):
    """Scalars for TensorBoard, flushed at once."""

    def __init__(self, folder):
        from utils.common.quiet_tensorflow import tf
        self._tf = tf
        self._writer = tf.summary.FileWriter(folder)

    def add(self, step, values):
        """values: {tag: number}; what stands before the first blank groups them."""
        self._writer.add_summary(self._tf.Summary(value=[
            self._tf.Summary.Value(tag=tag.replace(" ", "/", 1).replace(" ", "_"),
                                   simple_value=float(value))
            for tag, value in sorted(values.items())]), step)
        self._writer.flush()


def moments(session, graph):
    """{name: array} of what Adam remembers, so that training taken up goes on as it was."""
    return dict(zip(("adam/" + variable.op.name for variable in graph.of_adam),
                    session.run(graph.of_adam)))


def restore_moments(session, graph, saved):
    for variable in graph.of_adam:
        if "adam/" + variable.op.name in saved:
            variable.load(saved["adam/" + variable.op.name], session)


def weights_path(folder):
    return os.path.join(folder, "weights.npz")


def best_path(folder):
    return os.path.join(folder, "best.npz")


def save_variables(path, step, variables, plain):
    """What training goes on from, and under "plain/" what the files hold."""
    arrays = {"step": np.int64(step)}
    arrays.update(variables)
    arrays.update(("plain/" + name, value) for name, value in plain.items())
    with written_aside(path) as aside:
        np.savez(aside, **arrays)


def saved_variables(path):
    """(step, variables) of an interrupted training, or (0, none)."""
    if not os.path.isfile(path):
        return 0, {}
    with np.load(path) as arrays:
        return int(arrays["step"]), {name: arrays[name] for name in arrays.files
                                     if name != "step" and not name.startswith("plain/")}
