"""Measure the phone times of ds_graph/make_kokoro_speech.py against pocketsphinx's.

    python -m tests.measure.kokoro_times training/kokoro --files 60

In the environment of that script, with pip's pocketsphinx. The aligner is told the very phones.
Prints how far the starts of phones within words are from its own: median and 90th percentile of
the distance, and the median of the difference, which is 0 where nothing lags. Good: below 15, 45
and 10 ms. pocketsphinx itself is off by 10 and 25 ms on flite, whose times are known.
"""
import argparse

import numpy as np

from utils.acoustic_training.aligner import Aligner
from utils.common.errors import run_script
from utils.speech.aligned import aligned_recordings, played
from utils.speech.phones import SILENCE


def start_differences_s(aligner, utterance):
    """Of each phone: our start less the aligner's; none where it finds other phones."""
    ours = [("AH" if phone == "AX" else phone, start_s)
            for phone, start_s, _ in utterance.phones if phone != SILENCE]
    spoken, pronunciations = [], {}
    for _, first_s, last_s in utterance.words:
        phones = [phone for phone, start_s in ours if first_s - 1e-3 <= start_s < last_s - 1e-3]
        if phones:
            spoken.append("/%s/" % "_".join(phones))
            pronunciations[spoken[-1]] = phones
    known = {word: phones for word, phones in pronunciations.items() if not aligner.knows(word)}
    found = aligner.aligned_words(utterance.samples, spoken, known)
    theirs = [phone for phone in (found[1] if found else ()) if phone[0].lower() != SILENCE]
    if [phone for phone, _, _ in theirs] != [phone for phone, _ in ours]:
        return []
    return [start_s - other_s for (_, start_s), (_, other_s, _) in zip(ours, theirs)]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--files", type=int, default=60)
    args = parser.parse_args()
    paths = aligned_recordings(args.folder)
    chosen = np.random.RandomState(0).permutation(len(paths))[:args.files]
    aligner = Aligner()
    of_files = [start_differences_s(aligner, played(paths[i], 100)) for i in chosen]
    differences_ms = 1000.0 * np.concatenate(of_files)
    print("%d of %d files, %d phones: median %.0f ms, 90 %% below %.0f ms, lag %+.0f ms" % (
        sum(map(bool, of_files)), len(chosen), len(differences_ms),
        np.median(np.abs(differences_ms)), np.percentile(np.abs(differences_ms), 90),
        np.median(differences_ms)))


if __name__ == "__main__":
    run_script(main)
