"""Measure how an acoustic graph hears speakers whom training held out.

    python -m tests.measure.acoustic_speakers --held_out training/aligned_many/held_out
    python -m tests.measure.acoustic_speakers --graph F/output_graph.pb --held_out FOLDER ...

The folders are those that ds_graph/align_speech.py and make_kokoro_speech.py call held_out. Prints
the measures of utils/acoustic_training/held_out.py: `cer CORPUS`, letter errors of the likeliest
letters per letter; `spelled`, `closed` and `closed_open`, what the letters say at the middle of
phones. LibriSpeech's texts in the table of many speakers have 2 to 4 % of wrong words.
"""
import argparse

import numpy as np

from utils.acoustic_training.held_out import heard_right, held_out_speech
from utils.common.constants import DEFAULT_GRAPH, PROBABILITY_FLOOR
from utils.common.errors import run_script
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.acoustic_stream import letter_probabilities


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", default=DEFAULT_GRAPH)
    parser.add_argument("--held_out", nargs="+", required=True, metavar="FOLDER")
    args = parser.parse_args()
    graph = load_acoustic_graph(args.graph)
    utterances = held_out_speech(args.held_out)
    logits = [np.log(np.maximum(letter_probabilities(graph, utterance.samples), PROBABILITY_FLOOR))
              for utterance in utterances]
    for name, value in sorted(heard_right(utterances, logits).items()):
        print("%-20s %.3f" % (name, value))


if __name__ == "__main__":
    run_script(main)
