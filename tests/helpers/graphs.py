"""Acoustic graphs with the DeepSpeech 0.5.0 signature and random weights, of any width.

Also a program, for benchmarks at the release's size:

    python -m tests.helpers.graphs 2048 FOLDER
"""
import os
import sys

from utils.acoustic_training.graph_files import write_alphabet, write_pb, write_tflite
from utils.acoustic_training.network import random_weights
from utils.common.quiet_tensorflow import tf


def can_write_tflite():
    """Whether the file made here would be of the release's kind: TensorFlow 1.15 only."""
    return tf.VERSION.startswith("1.15")


def write_random_graph(folder, width=64, seed=1, eight_bit=True):
    """output_graph.pb, alphabet.txt and, under TensorFlow 1.15, output_graph.tflite in `folder`.

    The same weights in all. 2048 is the release's width: 189 MB and 47 MB, never committed.
    """
    weights = random_weights(width, seed)
    write_pb(os.path.join(folder, "output_graph.pb"), weights)
    write_alphabet(os.path.join(folder, "alphabet.txt"))
    if can_write_tflite():
        # The converter's helper program stands beside the interpreter, PATH or not.
        os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable),
                                              os.environ.get("PATH", "")])
        write_tflite(os.path.join(folder, "output_graph.tflite"), weights, eight_bit)
    return folder


if __name__ == "__main__":
    print(write_random_graph(sys.argv[2], width=int(sys.argv[1])))
