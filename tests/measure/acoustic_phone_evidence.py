"""Measure what an acoustic graph's letters say of phones, whichever letter wins.

    python -m tests.measure.acoustic_phone_evidence
    python -m tests.measure.acoustic_phone_evidence --graph F/output_graph.pb \\
        --aligned speech.wav speech.TextGrid

A lip-sync network sees the 29 log-probabilities of some frames at once. Here the simplest reader
of them, one linear map of seven steps to phones, is fitted by least squares to held-out sentences
of voices that the graph learnt from, and read on voices it never heard and, with --aligned, on
real recordings whose phones are known (Praat TextGrid, ARPABET). Prints a table:

    phones     part of speech frames whose phone is read right (AX counted as AH)
    open       how well the evidence for P, B, M parts them from open vowels: the probability
               that a frame of the first has more of it than one of the second
    all        the same from all other frames, silence with them
"""
import os

import numpy as np

from tests.measure.acoustic_spelling import OTHER_VOICES, aligned_case, get_parser
from utils.acoustic_training.streams import phone_frames
from utils.common.constants import PROBABILITY_FLOOR
from utils.common.errors import run_script
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.acoustic_stream import letter_probabilities
from utils.scoring.phone_spans import BILABIALS, OPEN_VOWELS
from utils.speech.phones import PHONES, SILENCE
from utils.speech.synthesis import HELD_OUT_VOICES, list_voices, synthesise
from utils.speech.texts import sentences

CONTEXT_STEPS = 3                   # before and after
RIDGE = 1e-3                        # of the features' own variance


def evidence(graph, samples):
    """Log-probabilities of each step and its neighbours: float32 [steps, 29 * 7]."""
    scores = np.log(np.maximum(letter_probabilities(graph, samples), PROBABILITY_FLOOR))
    padded = np.pad(scores, ((CONTEXT_STEPS, CONTEXT_STEPS), (0, 0)), "edge")
    return np.concatenate([padded[k:k + len(scores)] for k in range(2 * CONTEXT_STEPS + 1)],
                          axis=1)


def cases_of_voice(graph, voice, texts):
    """(evidence [n, 203], phone classes [n]) of `texts` spoken by a voice."""
    spoken = [synthesise(text, voice) for text in texts]
    return joined(graph, [(utterance.samples, utterance.phones) for utterance in spoken])


def joined(graph, cases):
    """(evidence [n, 203], phone classes [n]) of [(samples, phones)]."""
    rows = [evidence(graph, samples) for samples, _ in cases]
    return np.concatenate(rows), np.concatenate(
        [phone_frames(phones, len(row)) for row, (_, phones) in zip(rows, cases)])


class LinearReader:
    """Phone scores that are linear in the evidence, fitted by ridge regression."""

    def __init__(self, features, classes):
        self.mean, self.spread = features.mean(0), features.std(0) + 1e-3
        inputs = self._inputs(features)
        wanted = np.eye(len(PHONES))[classes]                               # [n, phones]
        # Every phone counts alike, however often it is said.
        counts = 1.0 / np.sqrt(np.bincount(classes, minlength=len(PHONES)) + 1.0)[classes]
        weighted = inputs * counts[:, np.newaxis]
        square = np.dot(weighted.T, inputs)
        square += RIDGE * np.trace(square) / len(square) * np.eye(len(square))
        self.weights = np.linalg.solve(square, np.dot(weighted.T, wanted))

    def _inputs(self, features):
        scaled = (features - self.mean) / self.spread
        return np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1)

    def scores(self, features):
        """[n, phones]"""
        return np.dot(self._inputs(features), self.weights)


def part_told_apart(positive, negative):
    """The probability that one of `positive` is above one of `negative` (ties count half)."""
    ordered = np.sort(negative)
    below = (np.searchsorted(ordered, positive, "left")
             + np.searchsorted(ordered, positive, "right")) / 2.0
    return below.mean() / len(ordered)


def row_of(name, reader, features, classes):
    """One line of the table."""
    scores = reader.scores(features)
    same = np.arange(len(PHONES))
    same[PHONES.index("AX")] = PHONES.index("AH")
    speech = classes != PHONES.index(SILENCE)
    right = same[scores.argmax(1)] == same[classes]
    lips = [PHONES.index(phone) for phone in BILABIALS]
    closed = np.isin(classes, lips)
    open_wide = np.isin(classes, [PHONES.index(phone) for phone in OPEN_VOWELS
                                 if phone in PHONES])
    closing = scores[:, lips].sum(1)
    return "%-34s %6.3f  %6.3f  %6.3f" % (
        name, right[speech].mean(), part_told_apart(closing[closed], closing[open_wide]),
        part_told_apart(closing[closed], closing[~closed]))


def main():
    arguments = get_parser(__doc__, 15).parse_args()
    graph = load_acoustic_graph(arguments.graph)
    voices = list_voices()
    _, held_out = sentences()
    texts = np.random.RandomState(0).permutation(held_out)
    heard = [cases_of_voice(graph, voice, texts[k::len(OTHER_VOICES)][:arguments.sentences])
             for k, voice in enumerate(OTHER_VOICES) if voice in voices]
    reader = LinearReader(*(np.concatenate(parts) for parts in zip(*heard)))
    print("%-34s phones    open     all" % "phone evidence")
    for number, voice in enumerate(HELD_OUT_VOICES):
        if voice in voices:
            chosen = np.random.RandomState(number + 1).permutation(held_out)
            case = cases_of_voice(graph, voice, chosen[:arguments.sentences])
            print(row_of(voice + " (unheard)", reader, *case), flush=True)
    for audio_path, textgrid_path in arguments.aligned:
        samples, _, phones = aligned_case(audio_path, textgrid_path)
        print(row_of(os.path.basename(audio_path), reader, *joined(graph, [(samples, phones)])))


if __name__ == "__main__":
    run_script(main)
