"""The flags that several scripts have, and how scripts are named in what they print."""
import argparse
import os
import re

from utils.common.constants import (DEFAULT_CHECKPOINT, DEFAULT_EYE_SEED, DEFAULT_GRAPH,
                                    TTA_COPIES, repository_path)


def add_model_flags(parser):
    """Add --tf_model_fname, --ds_fname, --style, --tta_copies and --force to an argparse parser."""
    parser.add_argument("--tf_model_fname", default=DEFAULT_CHECKPOINT, metavar="CHECKPOINT",
                        help="prefix, folder or .index of a checkpoint (%(default)s)")
    parser.add_argument("--ds_fname", default=DEFAULT_GRAPH, metavar="GRAPH",
                        help="DeepSpeech 0.5.0 output_graph.tflite or .pb (%(default)s)")
    parser.add_argument("--style", metavar="NAME",
                        help="speaker's style of a checkpoint that was trained with several "
                             "(the mean of all)")
    add_tta_flag(parser)
    parser.add_argument("--force", action="store_true",
                        help="run even if the checkpoint was trained with another graph")


def add_tta_flag(parser):
    """Add --tta_copies to an argparse parser: 1 or TTA_COPIES."""
    parser.add_argument("--tta_copies", type=int, choices=(1, TTA_COPIES), default=1,
                        help="test-time augmentation: VTLP copies of the voice whose features are "
                             "averaged, each a run of GRAPH (%(default)s)")


def add_eye_flags(parser):
    """Add --no_eye_motion and --seed to an argparse parser."""
    parser.add_argument("--no_eye_motion", action="store_true",
                        help="add no blinks and brow raises to what the network says")
    parser.add_argument("--seed", type=seed, default=DEFAULT_EYE_SEED,
                        help="of the blinks and brow raises (%(default)s)")


def add_scheduler_flag(parser):
    """Add --scheduler to an argparse parser: None, "local" or an address."""
    parser.add_argument("--scheduler", type=scheduler, metavar="ADDRESS",
                        help="run on the workers of Dask's distributed scheduler: local, or one "
                             "that you trust at tcp://host:port or tls://host:port "
                             "(docs/cluster.md)")


def scheduler(text):
    """argparse type of --scheduler."""
    if text != "local" and not re.match(r"(tcp|tls)://[^/\s]+:[0-9]{1,5}$", text):
        raise argparse.ArgumentTypeError(
            "%r; expected local, tcp://host:port or tls://host:port" % text)
    return text


def seed(text):
    """argparse type of --seed: what numpy's generator takes."""
    value = int(text)                           # argparse words the ValueError
    if not 0 <= value < 2 ** 32:
        raise argparse.ArgumentTypeError("%s is not from 0 to 2**32 - 1" % text)
    return value


def whole_number(least, most=None):
    """The argparse type of a whole number from `least` to `most`; None: as large as you like."""
    def number(text):
        return _within(int(text), text, least, most)        # argparse words the ValueError
    return number


def frame_rate(least, most):
    """The argparse type of a frame rate from `least` to `most`; whole ones become int."""
    def rate(text):
        value = _within(float(text), text, least, most)     # argparse words the ValueError
        return int(value) if value == int(value) else value
    return rate


def python_command(script):
    """How a script of the repository is called from where the user stands."""
    return "python " + quoted(repository_path(script))


def quoted(path):
    """`path` as it can be pasted into a command line."""
    path = os.path.normpath(path)
    return '"%s"' % path if " " in path else path


def _within(value, text, least, most):
    if most is None and not value >= least:
        raise argparse.ArgumentTypeError("%s is not %d or more" % (text, least))
    if most is not None and not least <= value <= most:
        raise argparse.ArgumentTypeError("%s is not from %d to %d" % (text, least, most))
    return value
