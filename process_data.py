"""Make a dataset to train on from videos of a face, or from captures.

    python process_data.py                              the folder ./training_data
    python process_data.py --training_data_path me      me/1.mp4, me/2.mp4 ... alone
    python run_training.py --config me/dataset/training_config.cfg

Each NAME.mp4 (or another video: mov, mkv, mts, wmv ...) becomes the subject NAME. A video alone is
tracked with MediaPipe's face_landmarker.task (training_data/README.md says where to get it). What
lies beside a video, or beside a sound (NAME.wav, flac, mp3, m4a ...), is taken instead: a Live
Link Face CSV, a log debugout-*.txt, BEAT's or Audio2Face's JSON, a CSV of MediaPipe, what
run_voca.py writes.

Writes into --dataset_path (<training_data_path>/dataset):
    dataset.json, subjects/     the arrays, and what is known of them; see docs/formats.md
    training_config.cfg         for run_training.py; kept where it was edited
    report.html                 the curves and the frames to judge the labels by (with --report)
A second run redoes only what changed. The exit status is 1 where a subject failed; the others
are written all the same.
"""
import argparse
import os
import sys

from utils.common.constants import DEFAULT_TRAINING_DATA
from utils.common.errors import UserError, run_script
from utils.common.script_flags import add_scheduler_flag, python_command, quoted, whole_number
from utils.dataset.label_kinds import LABEL_KINDS
from utils.formats.flags import add_live_link_sides_flag

LANDMARKER_NAME = "face_landmarker.task"


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--training_data_path", default=DEFAULT_TRAINING_DATA, metavar="FOLDER",
                        help="the videos and captures (%(default)s)")
    parser.add_argument("--dataset_path", metavar="FOLDER",
                        help="default: <training_data_path>/dataset; without both, "
                             "./training_data/dataset")
    parser.add_argument("--labels", choices=list(LABEL_KINDS), metavar="KIND",
                        help="where labels come from, if not by what lies beside each recording: "
                             "%s" % "; ".join("%s (%s)" % one for one in LABEL_KINDS.items()))
    add_live_link_sides_flag(parser)
    parser.add_argument("--face_landmarker_fname", metavar="FILE",
                        help="MediaPipe's model file; default: %s in the training_data_path, "
                             "else in %s" % (LANDMARKER_NAME, DEFAULT_TRAINING_DATA))
    parser.add_argument("--fix_offset", action="store_true",
                        help="shift labels by the measured offset against the sound, where that "
                             "is sure; it is printed in any case")
    calibration = parser.add_mutually_exclusive_group()
    calibration.add_argument("--neutral", metavar="FILE",
                             help="a take (video or capture) of the face at rest, to be zero; "
                                  "default: a low quantile of each channel of the recording, for "
                                  "tracked faces and _raw captures")
    calibration.add_argument("--no_calibration", action="store_true",
                             help="leave the weights at rest as they are")
    parser.add_argument("--no_smoothing", action="store_true", help="leave the curves as they are")
    parser.add_argument("--force", action="store_true",
                        help="take labels whose place in the sound is not sure")
    parser.add_argument("--processes", type=whole_number(1), metavar="N",
                        help="recordings at a time (default: one for each core)")
    add_scheduler_flag(parser)
    parser.add_argument("--hold_out", type=share, metavar="SHARE",
                        help="keep the last SHARE (0.1, say) of each subject for validation; "
                             "default: the last subject validates; of a single one, 0.1 does")
    parser.add_argument("--report", action="store_true", help="write report.html, to look at")
    return parser


def share(text):
    """argparse type: a part of something, neither nothing nor most of it."""
    value = float(text)
    if not 0.0 < value <= 0.5:
        raise argparse.ArgumentTypeError("%s is not above 0 and at most 0.5" % text)
    return value


def landmarker_path(args):
    """The model file: the one named, else the first that is there, else where it should be."""
    own = os.path.join(args.training_data_path, LANDMARKER_NAME)
    if args.face_landmarker_fname or os.path.isfile(own):
        return args.face_landmarker_fname or own
    shared = os.path.join(DEFAULT_TRAINING_DATA, LANDMARKER_NAME)
    return shared if os.path.isfile(shared) else own


def main():
    args = get_parser().parse_args()
    from utils.dataset.make_dataset import process_folder
    from utils.dataset.make_subject import Options
    from utils.dataset.summary import alignment_text, passed_over_text, summary_table
    from utils.training.dataset_config import write_training_config
    # The repository's own folder is read from anywhere; what is made goes to where the user stands.
    own = args.training_data_path == DEFAULT_TRAINING_DATA
    dataset_path = args.dataset_path or os.path.join(
        "./training_data" if own else args.training_data_path, "dataset")
    options = Options(
        labels=args.labels, landmarker_path=landmarker_path(args), fix_offset=args.fix_offset,
        neutral_path=args.neutral, calibrate=False if args.no_calibration else None,
        smooth=not args.no_smoothing, force=args.force, live_link_sides=args.live_link_sides)
    # On a cluster, all workers that there are.
    num_processes = args.processes or (
        os.cpu_count() or 1 if args.scheduler in (None, "local") else None)
    summary = process_folder(
        args.training_data_path, dataset_path, options,
        num_processes, args.hold_out, scheduler=args.scheduler)
    print(summary_table(summary))
    for name, record in summary.subjects.items():
        if "held_out_of" not in record:
            if record["alignment"]["method"] != "in step":
                print("%s: %s" % (name, alignment_text(record["alignment"])))
            for warning in record["warnings"]:
                print("warning: %s: %s" % (name, warning))
    if summary.passed_over:
        print(passed_over_text(summary.passed_over))
    for name in summary.dropped:
        print("dropped: %s (its recording is not in the folder any more)" % name)
    for name, failure in summary.failures.items():
        print("failed: %s: %s" % (name, failure), file=sys.stderr)
    if args.report:
        from utils.pages.dataset_page import write_report       # matplotlib takes half a second
        print("report: %s" % write_report(args.training_data_path, dataset_path))
    config_path, what = write_training_config(dataset_path, summary.subjects)
    if what == "edited":
        print("%s was edited and is left as it is; remove it to have one with the subjects above"
              % config_path)
    print("train with:\n%s --config %s" % (python_command("run_training.py"),
                                           quoted(config_path)))
    if summary.failures:
        raise UserError("%d of %d subjects failed; the others are written"
                        % (len(summary.failures), len(summary.failures) + len(summary.redone)))


if __name__ == "__main__":
    run_script(main)
