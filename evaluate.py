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

from utils.common.constants import repository_path
from utils.common.errors import run_script
from utils.common.script_flags import add_model_flags
from utils.formats.flags import add_live_link_sides_flag

DEFAULT_SUBJECT = repository_path("training_data/11.mp4")


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
    add_live_link_sides_flag(parser)
    add_model_flags(parser)
    parser.add_argument("--mean_of", nargs="+", default=[], metavar="FACE",
                        help="label files (a training set's) whose mean the constant is")
    parser.add_argument("--json", metavar="PATH", help="write every number there")
    parser.add_argument("--html", metavar="PATH", help="write a page with tables and curves there")
    return parser


def main():
    args = get_parser().parse_args()
    # After the flags are known to be right: TensorFlow alone takes seconds to import.
    from utils.scoring import evaluation, scorecard
    if args.subject:
        subject = evaluation.subject_of_dataset(*args.subject)
    else:
        subject = evaluation.subject_of_files(
            args.audio_fname, evaluation.labels_beside(args.audio_fname, args.labels),
            args.live_link_sides)
    references = evaluation.read_references(args.timings, args.mean_of, args.live_link_sides)
    if args.prediction:
        card, curves = evaluation.score_file(subject, args.prediction, references,
                                             args.live_link_sides)
    else:
        from utils.animation.animator import SpeechAnimator
        animator = SpeechAnimator(
            args.tf_model_fname, args.ds_fname, args.force, style=args.style,
            tta_copies=args.tta_copies)
        card, curves = evaluation.score_checkpoint(
            subject, animator, args.tf_model_fname, references)
    print("%s on %s against %s" % (card["system"], card["audio"], card["labels"]))
    print(scorecard.table(card))
    if args.json:
        from utils.common.files import write_json
        write_json(args.json, card)
    if args.html:
        from utils.pages.scorecard_page import write_page
        write_page(args.html, card, curves)


if __name__ == "__main__":
    run_script(main)
