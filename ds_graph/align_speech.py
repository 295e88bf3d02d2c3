"""Give real speech its word and phone times, so that graph and default checkpoint learn from it.

    pip install pocketsphinx                                    (5.0, Python 3.8 and later)
    apt-get install --no-install-recommends espeak-ng asterisk-core-sounds-en \\
        asterisk-core-sounds-en-g722 pocketsphinx-testdata ktuberling-data qabcs-data kajongg \\
        tuxpaint-stamps-default
    python ds_graph/align_speech.py --out training/aligned_speech

    apt-get install --no-install-recommends espeak-ng tuxpaint-stamps-default klettres-data \\
        kajongg gcin-voice fillets-ng-data fillets-ng-data-cs festival \\
        festvox-czech-dita festvox-czech-krb festvox-czech-machac festvox-czech-ph \\
        festvox-suopuhe-mv festvox-suopuhe-lj festvox-italp16k festvox-itapc16k festvox-ru \\
        festvox-ca-ona-hts \\
        asterisk-core-sounds-es asterisk-core-sounds-es-g722 asterisk-core-sounds-fr \\
        asterisk-core-sounds-fr-g722 asterisk-core-sounds-it asterisk-core-sounds-it-g722 \\
        asterisk-core-sounds-ru asterisk-core-sounds-ru-g722 asterisk-prompt-it-menardi-wav
    python ds_graph/align_speech.py --out training/aligned_languages --source languages

    python ds_graph/align_speech.py --out training/aligned_grid --source REALDATA/grid_s1_clips

What is spoken comes from ds_graph/recorded_speech.py: English; or many languages, whose words are
written as their phones (/B_AO_N/, ds_graph/pronunciation.py), for the graph spells English alone;
or GRID's clips, laid out as tests/real_clips.py says.

Writes OUT/NAME.wav (16 kHz) and OUT/NAME.csv (columns type, start_s, end_s, label, which
utils/timings.py reads). What cannot be aligned, or fits badly, is left out and counted. Times are
those of the aligner, to 10 ms.
"""
import argparse
import csv
import itertools
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ds_graph.pronunciation import pronounced                               # noqa: E402
from ds_graph.recorded_speech import (ENGLISH, english_recordings, grid_recordings,    # noqa: E402
                                      language_recordings)
from utils.audio import write_wav                                           # noqa: E402
from utils.constants import INT16_SCALE, SAMPLE_RATE_HZ                     # noqa: E402
from utils.errors import UserError, run_script                              # noqa: E402
from utils.files import make_folder, written_aside                          # noqa: E402

ALIGNER_FPS = 100.0
LEAST_S = 0.4
MARGIN_S = 0.4                      # of silence kept before the first word and after the last
# Three in four recordings in other languages reach it, with another's text one in six.
LEAST_FIT = -38.0


class Aligner(object):
    """Words and phones of recordings, by pocketsphinx's own American English model."""

    def __init__(self):
        try:
            import pocketsphinx
        except ImportError:
            raise UserError("the aligner is missing: pip install pocketsphinx (5.0, Python 3.8 "
                            "and later)")
        # Without bestpath, which gives phones impossible durations, and with beams for phones that
        # the model never heard in such a row.
        self._aligner = pocketsphinx.Decoder(lm=None, loglevel="FATAL", bestpath=False,
                                             beam=1e-120, wbeam=1e-120, pbeam=1e-120)

    def aligned(self, samples, text, language=ENGLISH):
        """(words, phones, fit), or None where the text does not fit at all.

        words, phones: [(symbol, start_s, end_s)]; words of other languages than English are called
        by their phones. fit: the model's log likelihood of a frame of speech, as pocketsphinx
        counts it.
        """
        if language == ENGLISH:
            missing = {word: itertools.chain.from_iterable(pronounced(word, "en-us"))
                       for word in text.split() if self._aligner.lookup_word(word) is None}
        else:
            phones_of_words = pronounced(text, language)
            words = ["/%s/" % "_".join(phones) for phones in phones_of_words]
            text = " ".join(words)
            missing = {word: phones for word, phones in zip(words, phones_of_words)
                       if self._aligner.lookup_word(word) is None}
        for word, phones in missing.items():
            self._aligner.add_word(word, " ".join(phones))
        if not text:
            return None
        try:
            self._aligner.set_align_text(text)
            _decode(self._aligner, samples)
            self._aligner.set_alignment()
            _decode(self._aligner, samples)
        except RuntimeError:            # no path
            return None
        words, phones, score, num_frames = [], [], 0.0, 0
        for word in self._aligner.get_alignment() or ():
            symbol = word.name.partition("(")[0]
            spoken = symbol[0] not in "<["
            if spoken:
                words.append((symbol,) + _times(word))
                score, num_frames = score + word.score, num_frames + word.duration
            phones.extend((phone.name if spoken else "sil",) + _times(phone) for phone in word)
        return (words, phones, score / num_frames) if len(words) == len(text.split()) else None


def _decode(decoder, samples):
    decoder.start_utt()
    decoder.process_raw((samples * INT16_SCALE).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()


def _times(entry):
    return entry.start / ALIGNER_FPS, (entry.start + entry.duration) / ALIGNER_FPS


def write_aligned(recording, aligner, folder):
    """Write one recording's two files; returns its seconds, 0 where it is left out."""
    if len(recording.samples) < LEAST_S * SAMPLE_RATE_HZ:
        return 0.0
    found = aligner.aligned(recording.samples, recording.text, recording.language)
    if found is None or found[2] < LEAST_FIT:
        return 0.0
    samples, words, phones = without_long_silence(recording.samples, *found[:2])
    path = os.path.join(folder, recording.name)
    write_wav(path + ".wav", samples)
    with written_aside(path + ".csv") as aside, open(aside, "w", newline="",
                                                     encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["type", "start_s", "end_s", "label"])
        for kind, entries in zip(("words", "phones"), (words, phones)):
            rows.writerows([kind, "%.2f" % start_s, "%.2f" % end_s, label]
                           for label, start_s, end_s in entries)
    return len(samples) / float(SAMPLE_RATE_HZ)


def without_long_silence(samples, words, phones):
    """(samples, words, phones) from MARGIN_S before the first word to MARGIN_S after the last."""
    length_s = len(samples) / float(SAMPLE_RATE_HZ)
    first_s = max(round(words[0][1] - MARGIN_S, 2), 0.0)
    last_s = min(words[-1][2] + MARGIN_S, length_s)
    words, phones = ([(symbol, max(start_s, first_s) - first_s, min(end_s, last_s) - first_s)
                      for symbol, start_s, end_s in entries if start_s < last_s and end_s > first_s]
                     for entries in (words, phones))
    return samples[int(first_s * SAMPLE_RATE_HZ):int(last_s * SAMPLE_RATE_HZ)], words, phones


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("--source", default="english", metavar="english|languages|GRID_FOLDER",
                        help="what to align (%(default)s)")
    args = parser.parse_args()
    make_folder(args.out)
    aligner = Aligner()
    recordings = {"english": english_recordings, "languages": language_recordings}.get(
        args.source, lambda: grid_recordings(args.source))()
    seconds = [write_aligned(recording, aligner, args.out) for recording in recordings]
    print("%d of %d recordings aligned, %.1f minutes; in %s" % (
        sum(length > 0 for length in seconds), len(seconds), sum(seconds) / 60.0, args.out))


if __name__ == "__main__":
    run_script(main)
