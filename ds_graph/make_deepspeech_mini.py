"""Make ds_graph/deepspeech-mini/: a small acoustic graph with the DeepSpeech 0.5.0 signature.

    python -m ds_graph.make_deepspeech_mini                    # speech, training, then the files
    python -m ds_graph.make_deepspeech_mini --export_only      # the files, from saved weights

Speech: synthesisers and texts of these Debian packages (nothing is downloaded):

    apt-get install libespeak-ng1 espeak-ng-data libflite1 festival festvox-kallpc16k \\
        festvox-kdlpc16k festvox-us-slt-hts fortunes fortunes-min wamerican

Real speech joins in by --aligned (ds_graph/align_speech.py gives it its phone times), neural speech
too (ds_graph/make_kokoro_speech.py). With --held_out the letter errors on speakers whom training
never hears choose the weights that are kept, and end it. Curves for TensorBoard stand in
WORK_FOLDER/curves. All goes to --work_folder (about 320 kB a minute of speech), where the weights
are saved too every 100 steps; a
second run takes up what is there. Training learns the letter of each frame from the synthesisers'
own phone times, then the spelling as well (CTC), and all the time to say with the 29
log-probabilities which phone sounds, whichever letter wins; other languages than English teach the
last alone. It runs on TensorFlow 1.15 and 2.x. The files need 1.15 with `toco_from_protos` on PATH
(activate the environment): elsewhere the script says so at its end.

Writes output_graph.pb, output_graph.tflite and alphabet.txt to ds_graph/deepspeech-mini/.
"""
import argparse
import os

import numpy as np

from utils.acoustic_training.held_out import held_out_speech
from utils.acoustic_training.streams import make_speech
from utils.acoustic_training.trainer import (LEARNING_RATE, NUM_LANES, WIDTH, best_path, train,
                                             weights_path)
from utils.common.errors import UserError, run_script
from utils.common.files import make_folder


def export(folder, out_folder, mean_with=None):
    """The three files, from the weights in `folder`.

    mean_with: an output_graph.pb as wide, such as the one that training started from; the files
    then hold the mean of both.
    """
    from utils.acoustic_training import graph_files, network
    from utils.common.quiet_tensorflow import tf
    path = best_path(folder)
    if not os.path.isfile(path):        # nothing was held out
        path = weights_path(folder)
    if not os.path.isfile(path):
        raise UserError("no weights at %s: run this script without --export_only first" % path)
    if not tf.VERSION.startswith("1.15"):
        raise UserError("TensorFlow %s writes files that the DeepSpeech 0.5.0 client and "
                        "TensorFlow 1.15 do not load; run this under TensorFlow 1.15: "
                        "python -m ds_graph.make_deepspeech_mini --export_only" % tf.VERSION)
    with np.load(path) as arrays:
        step = int(arrays["step"])
        weights = {name: arrays[("plain/" if mean_with is None else "") + name]
                   for name in network.weight_shapes(network.width_of(arrays))}
    if mean_with is not None:
        try:
            weights = network.mean_weights(
                weights, graph_files.weights_to_train(mean_with))
        except ValueError as error:
            raise UserError("%s: %s; --mean_with takes what training started from"
                            % (mean_with, error))
    make_folder(out_folder)
    graph_files.write_pb(os.path.join(out_folder, "output_graph.pb"), weights)
    graph_files.write_tflite(os.path.join(out_folder, "output_graph.tflite"), weights)
    graph_files.write_alphabet(os.path.join(out_folder, "alphabet.txt"))
    print("wrote output_graph.pb, output_graph.tflite and alphabet.txt of step %d to %s"
          % (step, out_folder))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=9.0, help="of speech to make")
    parser.add_argument("--steps", type=int, default=2500, help="of training")
    parser.add_argument("--aligned", nargs="+", metavar="FOLDER[=MINUTES]", default=[],
                        help="speech with phone times to learn from, too (align_speech.py, "
                        "make_kokoro_speech.py), and how much to make of it, each time augmented "
                        "anew (up to six times its length)")
    parser.add_argument("--held_out", nargs="+", metavar="FOLDER", default=[],
                        help="speech to measure alone (ALIGNED/held_out): the weights with the "
                        "fewest letter errors on it are kept")
    parser.add_argument("--width", type=int, default=WIDTH, help="units of a layer (%(default)s)")
    parser.add_argument("--dropout", type=float, default=0.0, help="part of each layer's outputs "
                        "that is zeroed in training (%(default)s)")
    parser.add_argument("--bfloat16", action="store_true", help="multiply in bfloat16: three times "
                        "as fast on processors with AVX512-BF16, under TensorFlow 2.x")
    parser.add_argument("--streams_only", action="store_true", help="make the speech, no training")
    parser.add_argument("--start_from", metavar="PB", help="an output_graph.pb to train on")
    parser.add_argument("--teachers", nargs="+", metavar="PB", default=[], help="output_graph.pb "
                        "of any width, for distillation: their mean output is a target too")
    parser.add_argument("--mean_with", metavar="PB", help="the files hold the mean of what was "
                        "trained and this output_graph.pb, which training started from")
    parser.add_argument("--learning_rate", type=float, default=LEARNING_RATE,
                        help="the highest (%(default)s)")
    parser.add_argument("--fine_from", type=int, metavar="STEP", help="the last part of the "
                        "training begins here: less augmentation, no dropout, CTC counts more")
    parser.add_argument("--fine_steps", type=int, default=0, help="its length (%(default)s)")
    parser.add_argument("--threads", type=int, default=1,
                        help="of training; more than free cores slow it down")
    parser.add_argument("--export_only", action="store_true", help="write the files, no training")
    parser.add_argument("--work_folder", default=os.path.join(
        os.path.dirname(here), "training", "deepspeech-mini"))
    parser.add_argument("--out_folder", default=os.path.join(here, "deepspeech-mini"))
    arguments = parser.parse_args()
    num_streams = int(round(arguments.hours * 60))
    if num_streams < NUM_LANES and not arguments.aligned:
        raise UserError("--hours %g: training takes %d minutes of speech at once; give at least "
                        "%.2f" % (arguments.hours, NUM_LANES, NUM_LANES / 60.0 + 0.005))
    given = list(filter(None, [arguments.start_from, arguments.mean_with])) + arguments.teachers
    for path in given:                          # hours before they are read
        if not os.path.isfile(path):
            raise UserError("%s is not there: give an output_graph.pb" % path)
    if not 0.0 <= arguments.dropout < 1.0:
        raise UserError("--dropout %g: give 0 to 0.9" % arguments.dropout)
    if arguments.bfloat16:
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"       # before TensorFlow is imported
    if not arguments.export_only:
        held_out = held_out_speech(arguments.held_out) if arguments.held_out else []
        make_folder(arguments.work_folder)
        make_speech(arguments.work_folder, num_streams, arguments.aligned)
        if arguments.streams_only:
            return
        train(arguments.work_folder, arguments.steps, arguments.threads, arguments.start_from,
              arguments.learning_rate, arguments.teachers, arguments.width, arguments.dropout,
              held_out, arguments.bfloat16, arguments.fine_from, arguments.fine_steps)
    export(arguments.work_folder, arguments.out_folder, arguments.mean_with)


if __name__ == "__main__":
    run_script(main)
