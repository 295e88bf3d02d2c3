"""The flags that choose checkpoint and acoustic graph, alike in every script that has them."""
from utils.common.constants import DEFAULT_CHECKPOINT, DEFAULT_GRAPH, MOST_HEARINGS
import os


def add_model_flags(parser):
    """Add --tf_model_fname, --ds_fname, --style, --hearings and --force to an argparse parser."""
    parser.add_argument("--tf_model_fname", default=DEFAULT_CHECKPOINT, metavar="CHECKPOINT",
                        help="prefix, folder or .index of a checkpoint (%(default)s)")
    parser.add_argument("--ds_fname", default=DEFAULT_GRAPH, metavar="GRAPH",
                        help="DeepSpeech 0.5.0 output_graph.tflite or .pb (%(default)s)")
    parser.add_argument("--style", metavar="NAME",
                        help="speaker's style of a checkpoint that was trained with several "
                             "(the mean of all)")
    add_hearings_flag(parser)
    parser.add_argument("--force", action="store_true",
                        help="run even if the checkpoint was trained with another graph")


def add_hearings_flag(parser):
    """Add --hearings to an argparse parser: None, 1 or MOST_HEARINGS."""
    parser.add_argument("--hearings", type=int, choices=(1, MOST_HEARINGS),
                        help="vocal tracts that the voice is heard as, each a run of GRAPH (%d, and "
                             "1 for graphs as wide as the released; 1 misses more closures)"
                             % MOST_HEARINGS)


def quoted(path):
    """`path` as it can be pasted into a command line."""
    path = os.path.normpath(path)
    return '"%s"' % path if " " in path else path
