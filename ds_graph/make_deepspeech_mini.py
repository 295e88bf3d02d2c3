"""Make ds_graph/deepspeech-mini/: a small acoustic graph with the DeepSpeech 0.5.0 signature.

    python ds_graph/make_deepspeech_mini.py                    # speech, training, then the files
    python ds_graph/make_deepspeech_mini.py --export_only      # the files, from saved weights

Speech: synthesisers and texts of these Debian packages (nothing is downloaded):

    apt-get install libespeak-ng1 espeak-ng-data libflite1 festival festvox-kallpc16k \\
        festvox-kdlpc16k festvox-us-slt-hts fortunes fortunes-min wamerican

Real speech joins in by --aligned (ds_graph/align_speech.py gives it its phone times). All goes to
--work_folder (about 320 kB a minute of speech), where the weights are saved too every 100 steps; a
second run takes up what is there. Training learns the letter of each frame from the synthesisers'
own phone times, then the spelling as well (CTC), and all the time to say with the 29
log-probabilities which phone sounds, whichever letter wins; other languages than English teach the
last alone. It runs on TensorFlow 1.15 and 2.x. The files need 1.15 with `toco_from_protos` on PATH
(activate the environment): elsewhere the script says so at its end.

Writes output_graph.pb, output_graph.tflite and alphabet.txt to ds_graph/deepspeech-mini/.
"""
import argparse
import multiprocessing
import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from utils.constants import ALPHABET, CONTEXT_FRAMES                        # noqa: E402
from utils.errors import UserError, run_script                              # noqa: E402
from utils.files import make_folder, written_aside                          # noqa: E402

WIDTH = 400                         # .pb and .tflite together 4.0 MB
NUM_LANES, CHUNK_FRAMES = 64, 96    # a step learns from 64 pieces of 1.92 s
LEARNING_RATE, LAST_LEARNING_RATE = 1.5e-3, 5e-5
WARM_UP_STEPS = 100
CTC_FROM = 0.3                      # part of the training after which CTC joins in
CTC_WEIGHT = 1.0
LETTER_WEIGHT, LETTER_WEIGHT_WITH_CTC = 1.0, 0.4
# A frame of these counts double: what lips and tongue must not miss. So does one of the first
# after silence, where nothing before tells which phone it may be.
SEEN_PHONES = ("P", "B", "M", "F", "V", "W", "UW", "TH", "DH")
ONSET_FRAMES = 6
ALIGNED_VERSIONS = 6
MOST_ALIGNED_MINUTES = 500.0        # of a folder's versions together
# --outputs phones: 28 classes of what lips hardly tell apart, and silence in the blank's place.
PHONE_CLASSES = ("AA", "AE", "AH AX", "AO", "AW", "AY", "EH", "ER R", "EY", "IH", "IY", "OW", "OY",
                 "UH", "UW", "W", "Y", "L", "P B", "M", "F V", "TH DH", "T D", "N NG", "S Z",
                 "SH ZH", "CH JH", "K G HH", "sil")
RESET_PROBABILITY = 0.06            # of a lane starting anew, as a file does
SAVE_EVERY_STEPS = 100


def make_speech(folder, num_streams, aligned_folders=()):
    """Minute-long streams of speech in `folder`, made by all processors.

    num_streams: of synthetic voices. Real speech in aligned_folders is heard up to ALIGNED_VERSIONS
    times, each time in another place, in streams of its own for each folder.
    """
    from ds_graph.speech_corpus import aligned_minutes, aligned_recordings, write_stream
    tasks = [(seed, os.path.join(folder, "stream-%05d.npz" % seed), ())
             for seed in range(num_streams)]
    for aligned in aligned_folders:
        paths = tuple(aligned_recordings(aligned))
        name = os.path.basename(os.path.abspath(aligned))
        minutes = aligned_minutes(paths)
        num_made = int(min(ALIGNED_VERSIONS * minutes, max(minutes, MOST_ALIGNED_MINUTES)))
        tasks += [(seed, os.path.join(folder, "stream-%s-%05d.npz" % (name, seed)), paths)
                  for seed in range(num_made)]
    started_s = time.time()
    with multiprocessing.Pool() as pool:
        for number, _ in enumerate(pool.imap_unordered(write_stream, tasks), 1):
            if number % 20 == 0 or number == len(tasks):
                print("speech: %d of %d minutes made, %.0f s" % (number, len(tasks),
                                                                time.time() - started_s))


def lanes_of_streams(streams, random):
    """One pass over the corpus as parallel lanes, in a new order.

    Returns (MFCCs [lanes, frames + 18, 26] with zero vectors before and after, as a file has
    them; letters and phones [lanes, frames]). Every minute sounds as of another speaker, with
    other breaths, in another place than on the last pass.
    """
    from ds_graph.spectral_spoiling import heard_anew
    from utils.speech_synthesis import PHONES, SILENCE
    mfccs, letters, phones = streams
    # Aligners' dictionaries call the reduced vowel by the full one's name.
    phones = np.where(phones == PHONES.index("AX"), PHONES.index("AH"), phones)
    silence = PHONES.index(SILENCE)
    per_lane = len(mfccs) // NUM_LANES
    chosen = random.permutation(len(mfccs))[:per_lane * NUM_LANES]
    mfccs, letters, phones = (np.stack(part) for part in zip(*(
        heard_anew(random, mfccs[i], letters[i], phones[i], silence) for i in chosen)))
    mfccs = mfccs.reshape(NUM_LANES, -1, mfccs.shape[-1])
    padded = np.pad(mfccs, ((0, 0), (CONTEXT_FRAMES, CONTEXT_FRAMES), (0, 0)), "constant")
    return padded, letters.reshape(NUM_LANES, -1), phones.reshape(NUM_LANES, -1)


def frame_weights(phones):
    """What each frame of these classes in PHONES counts, [lanes, frames] both."""
    from utils.speech_synthesis import PHONES, SILENCE
    seen = np.isin(phones, [PHONES.index(phone) for phone in SEEN_PHONES])
    silent = phones == PHONES.index(SILENCE)
    before = np.pad(silent, ((0, 0), (ONSET_FRAMES, 0)), "constant")
    lately = np.any([before[:, k:k + phones.shape[1]] for k in range(ONSET_FRAMES)], axis=0)
    return np.float32((1 + seen) * (1 + (lately & ~silent)))


def phone_targets(phones):
    """PHONE_CLASSES of phones, integer arrays of any shape."""
    from utils.speech_synthesis import PHONES
    class_of = {phone: number for number, group in enumerate(PHONE_CLASSES)
                for phone in group.split()}
    return np.array([class_of[phone] for phone in PHONES])[phones]


def learning_rate(step, num_steps, highest):
    """Rises to the highest over the first steps, then falls along half a cosine."""
    if step < WARM_UP_STEPS:
        return highest * (step + 1) / WARM_UP_STEPS
    part = (step - WARM_UP_STEPS) / float(max(1, num_steps - WARM_UP_STEPS))
    return LAST_LEARNING_RATE + (highest - LAST_LEARNING_RATE) * 0.5 * (
        1.0 + np.cos(np.pi * min(part, 1.0)))


def train(folder, num_steps, num_threads, start_from=None, highest_rate=LEARNING_RATE,
          outputs="letters", teachers=()):
    """Learn from the streams in `folder`; weights go to `weights_path` there.

    start_from: an output_graph.pb, no wider, whose weights to begin with instead of random ones;
    it can spell already, so CTC joins in at once.
    outputs: "letters", or "phones" for PHONE_CLASSES in their place and no CTC.
    teachers: output_graph.pb of any width; what they say in the mean is learnt, too.
    """
    from ds_graph import acoustic_network
    from ds_graph.speech_corpus import load_streams
    from utils.quiet_tensorflow import tf
    from utils.speech_synthesis import PHONES

    random = np.random.RandomState(5)
    path = weights_path(folder, outputs)
    if start_from is None:
        initial = acoustic_network.random_weights(WIDTH, seed=5)
        ctc_from_step = CTC_FROM * num_steps
    else:
        initial = acoustic_network.widened(
            acoustic_network.weights_to_train(start_from), WIDTH, seed=5)
        ctc_from_step = WARM_UP_STEPS
    if outputs == "phones":
        ctc_from_step = num_steps
        initial.update((name, value) for name, value in acoustic_network.random_weights(
            WIDTH, seed=5).items() if name.startswith("layer_6/"))
    initial.update(acoustic_network.random_phone_weights(len(PHONES), seed=5))
    first_step, saved = saved_variables(path)
    initial.update((name, saved[name]) for name in initial if name in saved)
    settings = tf.ConfigProto(intra_op_parallelism_threads=num_threads,
                              inter_op_parallelism_threads=1)
    with tf.Graph().as_default(), tf.Session(config=settings) as session:
        tf.set_random_seed(5)
        graph = acoustic_network.training_graph(
            WIDTH, CHUNK_FRAMES, initial, [acoustic_network.weights_of_pb(pb) for pb in teachers])
        session.run(tf.global_variables_initializer())
        states = [[np.zeros((NUM_LANES, int(part.shape[-1])), np.float32) for part in state]
                  for state in graph.states]
        step, started_s, sums = first_step, time.time(), []
        while step < num_steps:
            mfccs, letters, phones = lanes_of_streams(load_streams(folder), random)
            weights = frame_weights(phones)
            if outputs == "phones":
                letters = phone_targets(phones)
            for first in range(0, letters.shape[1] - CHUNK_FRAMES + 1, CHUNK_FRAMES):
                frames = slice(first, first + CHUNK_FRAMES)
                chunk = np.array(mfccs[:, first:first + CHUNK_FRAMES + 2 * CONTEXT_FRAMES])
                anew = random.rand(NUM_LANES) < (1.0 if first == 0 else RESET_PROBABILITY)
                chunk[anew, :CONTEXT_FRAMES] = 0.0
                states = [[np.where(anew[:, np.newaxis], 0.0, part) for part in state]
                          for state in states]
                with_ctc = step >= ctc_from_step
                fed = {part: value for pair in zip(graph.states, states)
                       for part, value in zip(*pair)}
                fed.update(
                    {graph.mfccs: chunk, graph.letters: letters[:, frames],
                     graph.phones: phones[:, frames], graph.frame_weights: weights[:, frames],
                     graph.learning_rate: learning_rate(step, num_steps, highest_rate),
                     graph.ctc_weight: CTC_WEIGHT if with_ctc else 0.0,
                     graph.letter_weight: LETTER_WEIGHT_WITH_CTC if with_ctc else LETTER_WEIGHT})
                results, states, _ = session.run([
                    [graph.letter_loss, graph.phone_loss, graph.ctc_loss, graph.teacher_loss,
                     graph.letter_accuracy, graph.phone_accuracy],
                    graph.new_states, graph.train], fed)
                sums.append(results)
                step += 1
                if not np.isfinite(results[0]):
                    raise UserError("the loss is no number at step %d; the last good weights are "
                                    "in %s" % (step, path))
                if step % 20 == 0:
                    rate = (step - first_step) / (time.time() - started_s)
                    print("step %d of %d  letters %.3f  phones %.3f  ctc %.3f  teachers %.3f  "
                          "right letters %.3f  phones %.3f  %.2f steps/s  %.0f s left" % (
                              (step, num_steps) + tuple(np.mean(sums, axis=0))
                              + (rate, (num_steps - step) / rate)), flush=True)
                    sums = []
                if step % SAVE_EVERY_STEPS == 0 or step == num_steps:
                    save_variables(path, step, *session.run([graph.variables, graph.plain]))
                if step == num_steps:
                    return


def weights_path(folder, outputs):
    return os.path.join(folder, {"letters": "weights.npz", "phones": "weights-phones.npz"}[outputs])


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


def export(folder, out_folder, outputs="letters", mean_with=None):
    """The three files, from the weights in `folder`.

    mean_with: an output_graph.pb as wide, such as the one that training started from; the files
    then hold the mean of both.
    """
    from ds_graph import acoustic_network
    from utils.quiet_tensorflow import tf
    path = weights_path(folder, outputs)
    if not os.path.isfile(path):
        raise UserError("no weights at %s: run this script without --export_only first" % path)
    if not tf.VERSION.startswith("1.15"):
        raise UserError("TensorFlow %s writes files that the DeepSpeech 0.5.0 client and "
                        "TensorFlow 1.15 do not load; run this under TensorFlow 1.15: "
                        "python ds_graph/make_deepspeech_mini.py --export_only" % tf.VERSION)
    with np.load(path) as arrays:
        step = int(arrays["step"])
        weights = {name: arrays[("plain/" if mean_with is None else "") + name]
                   for name in acoustic_network.weight_shapes(WIDTH)}
    if mean_with is not None:
        try:
            weights = acoustic_network.mean_weights(
                weights, acoustic_network.weights_to_train(mean_with))
        except ValueError as error:
            raise UserError("%s: %s; --mean_with takes what training started from"
                            % (mean_with, error))
    make_folder(out_folder)
    acoustic_network.write_pb(os.path.join(out_folder, "output_graph.pb"), weights)
    acoustic_network.write_tflite(os.path.join(out_folder, "output_graph.tflite"), weights)
    write_alphabet(os.path.join(out_folder, "alphabet.txt"))
    print("wrote output_graph.pb, output_graph.tflite and alphabet.txt of step %d to %s"
          % (step, out_folder))


def write_alphabet(path):
    """alphabet.txt as the native client reads it: one letter a line, a newline at the end."""
    with written_aside(path) as aside, open(aside, "w") as stream:
        stream.write("# Each line is a letter; its number is that of the line, from 0.\n"
                     "# The first is the space. A # begins a comment. The blank of CTC comes\n"
                     "# after the last and is not listed.\n")
        stream.write("".join(letter + "\n" for letter in ALPHABET))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=9.0, help="of speech to make")
    parser.add_argument("--steps", type=int, default=2500, help="of training")
    parser.add_argument("--aligned", nargs="+", metavar="FOLDER", default=[],
                        help="real speech to learn from, too (ds_graph/align_speech.py)")
    parser.add_argument("--start_from", metavar="PB", help="an output_graph.pb to train on")
    parser.add_argument("--teachers", nargs="+", metavar="PB", default=[], help="output_graph.pb "
                        "of any width; what they say together is learnt, too")
    parser.add_argument("--mean_with", metavar="PB", help="the files hold the mean of what was "
                        "trained and this output_graph.pb, which training started from")
    parser.add_argument("--learning_rate", type=float, default=LEARNING_RATE,
                        help="the highest (%(default)s)")
    parser.add_argument("--threads", type=int, default=1,
                        help="of training; more than free cores slow it down")
    parser.add_argument("--outputs", choices=["letters", "phones"], default="letters",
                        help="phones: classes of phones in the letters' place, to measure what "
                        "letters cost; needs an --out_folder of its own")
    parser.add_argument("--export_only", action="store_true", help="write the files, no training")
    parser.add_argument("--work_folder", default=os.path.join(
        os.path.dirname(here), "training", "deepspeech-mini"))
    parser.add_argument("--out_folder", default=os.path.join(here, "deepspeech-mini"))
    arguments = parser.parse_args()
    spells = os.path.realpath(parser.get_default("out_folder"))
    if arguments.outputs == "phones" and os.path.realpath(arguments.out_folder) == spells:
        raise UserError("--outputs phones makes files that do not spell: give another --out_folder "
                        "than %s" % arguments.out_folder)
    if arguments.outputs == "phones" and arguments.teachers:
        raise UserError("--outputs phones, but --teachers say letters: leave out one of the two")
    num_streams = int(round(arguments.hours * 60))
    if num_streams < NUM_LANES:
        raise UserError("--hours %g: training takes %d minutes of speech at once; give at least "
                        "%.2f" % (arguments.hours, NUM_LANES, NUM_LANES / 60.0 + 0.005))
    given = list(filter(None, [arguments.start_from, arguments.mean_with])) + arguments.teachers
    for path in given:                          # hours before they are read
        if not os.path.isfile(path):
            raise UserError("%s is not there: give an output_graph.pb" % path)
    if not arguments.export_only:
        make_folder(arguments.work_folder)
        make_speech(arguments.work_folder, num_streams, arguments.aligned)
        train(arguments.work_folder, arguments.steps, arguments.threads, arguments.start_from,
              arguments.learning_rate, arguments.outputs, arguments.teachers)
    export(arguments.work_folder, arguments.out_folder, arguments.outputs, arguments.mean_with)


if __name__ == "__main__":
    run_script(main)
