"""The scorecard: how well a face agrees with a subject's labels and with the sound.

    python evaluate.py                                  the default checkpoint on training_data/11
    python evaluate.py --tf_model_fname ./training/checkpoints --audio_fname ./training_data/11.mp4
    python evaluate.py --audio_fname take.flac --labels take.csv --timings take.TextGrid
    python evaluate.py --prediction other.json --audio_fname take.wav --labels take.csv
    python evaluate.py --tf_model_fname me/dataset/training/checkpoints/best --subject me/dataset 2

--labels and --prediction take a Live Link Face CSV, a table with a column of times, what
run_voca.py writes, Audio2Face's JSON or CSV, BEAT's JSON; any frame rate, shapes by name.
--timings takes phone or word times as TextGrid, CSV, or JSON of Whisper, WhisperX, Gentle, Vosk or
the Montreal Forced Aligner, and adds the closures on p b m. --subject takes sound and labels from a
dataset of process_data.py: its valid frames, the channels that it does not mask.

The table on stdout has four columns: the system; `loudness`, each channel as the sum of the
speech's RMS, its level in dB and a constant that fits these labels best; `mean`, these labels' own
mean (or that of --mean_of); and the labels themselves. Both baselines are fitted to the very labels
that they are scored on, which no system is. Channels that do not move in the labels are not scored.

A checkpoint is scored alone, without the blinks and brows that run_voca.py adds to it: against one
subject's they could only be wrong. Its blinks_a_minute are those that run_voca.py gives it.
"""
import argparse
import os

import numpy as np

from utils.common.constants import DEFAULT_EYE_SEED
from utils.common.errors import UserError, run_script
from utils.common.script_flags import add_model_flags
from utils.formats.face_kinds import BY_NAME, LIVE_LINK_SIDES

DEFAULT_SUBJECT = "./training_data/11.mp4"


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio_fname", default=DEFAULT_SUBJECT, metavar="AUDIO",
                        help="the subject's sound or video (%(default)s)")
    parser.add_argument("--labels", metavar="FACE",
                        help="default: the .csv beside the sound")
    parser.add_argument("--subject", nargs=2, metavar=("DATASET", "NAME"),
                        help="score on this subject of a dataset, in place of --audio_fname")
    parser.add_argument("--timings", metavar="TIMES", help="phone or word times of the sound")
    parser.add_argument("--prediction", metavar="FACE",
                        help="score this file of another system instead of a checkpoint")
    parser.add_argument("--live_link_sides", choices=LIVE_LINK_SIDES, default=BY_NAME,
                        help="whose MouthLeft/Right and JawLeft/Right of Live Link CSVs are: as "
                             "named, or crosswise, as the app seems to name them (%(default)s)")
    add_model_flags(parser)
    parser.add_argument("--mean_of", nargs="+", default=[], metavar="FACE",
                        help="label files (a training set's) whose mean the constant is")
    parser.add_argument("--json", metavar="PATH", help="write every number there")
    parser.add_argument("--html", metavar="PATH", help="write a page with tables and curves there")
    return parser


def main():
    args = get_parser().parse_args()
    labels_path = args.labels or os.path.splitext(args.audio_fname)[0] + ".csv"
    if not args.subject and not os.path.isfile(labels_path):
        raise UserError("there are no labels %s; give the subject's with --labels" % labels_path)
    # After the flags are known to be right: TensorFlow alone takes seconds to import.
    from utils.scoring import metrics, scorecard
    from utils.media.audio import read_audio
    from utils.common.files import write_json
    from utils.formats.timings import read_timings
    if args.subject:
        labels, samples, valid = scorecard.load_subject(*args.subject)
        args.audio_fname = labels_path = " subject ".join(args.subject)
    else:
        labels, valid = scorecard.load_face(labels_path, args.live_link_sides), None
        samples = read_audio(args.audio_fname)
    timings = read_timings(args.timings) if args.timings else None
    mean_of = [scorecard.load_face(path, args.live_link_sides) for path in args.mean_of]
    eye_motion = None
    if args.prediction:
        system = scorecard.load_face(args.prediction, args.live_link_sides)
    else:
        from utils.animation.animator import SpeechAnimator
        from utils.animation.audio_file import animate_audio
        from utils.media.audio import open_audio
        animator = SpeechAnimator(args.tf_model_fname, args.ds_fname, args.force,
                                  style=args.style, tta_copies=args.tta_copies)
        if args.subject:
            weights = np.concatenate([animator.feed(samples), animator.finish()])   # [frames, 52]
        else:
            weights, _, _ = animate_audio(animator, open_audio(args.audio_fname),
                                          show_progress=True)
        system = scorecard.Face(weights, animator.channels)
        eye_motion = animator.eye_motion(DEFAULT_EYE_SEED)
    card, curves = scorecard.score(system, labels, samples, timings, mean_of, valid)
    found = card["systems"][scorecard.SYSTEM]
    if eye_motion and "blinks_a_minute" in found:
        found["blinks_a_minute"] = metrics.blink_rate(
            eye_motion.feed(system.weights[:card["frames"]]), system.names, card["fps"])
    card = dict({"system": args.prediction or args.tf_model_fname, "audio": args.audio_fname,
                 "labels": labels_path, "timings": args.timings,
                 "mean_of": args.mean_of or [labels_path]}, **card)
    print("%s on %s against %s" % (card["system"], args.audio_fname, labels_path))
    print(scorecard.table(card))
    if args.json:
        write_json(args.json, card)
    if args.html:
        from utils.pages.scorecard_page import write_page
        write_page(args.html, card, curves)


if __name__ == "__main__":
    run_script(main)
