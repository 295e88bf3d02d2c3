"""Word and phone times of recordings whose words are known, by an acoustic graph."""
import csv
import itertools
import os

from utils.acoustic_training.pronunciation import pronounced
from utils.acoustic_training.recorded_speech import ENGLISH
from utils.common.constants import INT16_SCALE, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.media.audio import write_wav

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
        # the model never met in such a row.
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
                       for word in text.split() if not self.knows(word)}
        else:
            phones_of_words = pronounced(text, language)
            words = ["/%s/" % "_".join(phones) for phones in phones_of_words]
            text = " ".join(words)
            missing = {word: phones for word, phones in zip(words, phones_of_words)
                       if not self.knows(word)}
        return self.aligned_words(samples, text.split(), missing)

    def knows(self, word):
        return self._aligner.lookup_word(word) is not None

    def aligned_words(self, samples, spoken, pronunciations):
        """See `aligned`: of a list of words, with the phones of those not in the dictionary."""
        for word, phones in pronunciations.items():
            self._aligner.add_word(word, " ".join(phones))
        if not spoken:
            return None
        try:
            self._aligner.set_align_text(" ".join(spoken))
            _decode(self._aligner, samples)
            self._aligner.set_alignment()
            _decode(self._aligner, samples)
        except RuntimeError:            # no path
            return None
        words, phones, score, num_frames = [], [], 0.0, 0
        for word in self._aligner.get_alignment() or ():
            symbol = word.name.partition("(")[0]
            is_word = symbol[0] not in "<["
            if is_word:
                words.append((symbol,) + _times(word))
                score, num_frames = score + word.score, num_frames + word.duration
            phones.extend((phone.name if is_word else "sil",) + _times(phone) for phone in word)
        return (words, phones, score / num_frames) if len(words) == len(spoken) else None


def _decode(decoder, samples):
    decoder.start_utt()
    decoder.process_raw((samples * INT16_SCALE).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()


def _times(entry):
    return entry.start / ALIGNER_FPS, (entry.start + entry.duration) / ALIGNER_FPS


def times_that_fit(aligner, samples, text, language):
    """(words, phones) as Aligner.aligned gives them; None where that is too short or fits badly."""
    if len(samples) < LEAST_S * SAMPLE_RATE_HZ:
        return None
    found = aligner.aligned(samples, text, language)
    return None if found is None or found[2] < LEAST_FIT else found[:2]


def write_aligned(recording, aligner, folder):
    """Write one recording's two files; returns its seconds, 0 where it is left out."""
    times = times_that_fit(aligner, recording.samples, recording.text, recording.language)
    if times is None:
        return 0.0
    samples, words, phones = without_long_silence(recording.samples, *times)
    path = os.path.join(folder, recording.name)
    write_wav(path + ".wav", samples)
    write_times(path + ".csv", words, phones)
    return len(samples) / float(SAMPLE_RATE_HZ)


def write_times(path, words, phones):
    """Write words and phones [(symbol, start_s, end_s)] as utils/formats/timings.py reads them."""
    with written_aside(path) as aside, open(aside, "w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["type", "start_s", "end_s", "label"])
        for kind, entries in (("words", words), ("phones", phones)):
            rows.writerows([kind, "%.2f" % start_s, "%.2f" % end_s, label]
                           for label, start_s, end_s in entries)


def without_long_silence(samples, words, phones):
    """(samples, words, phones) from MARGIN_S before the first word to MARGIN_S after the last."""
    length_s = len(samples) / float(SAMPLE_RATE_HZ)
    first_s = max(round(words[0][1] - MARGIN_S, 2), 0.0)
    last_s = min(words[-1][2] + MARGIN_S, length_s)
    words, phones = ([(symbol, max(start_s, first_s) - first_s, min(end_s, last_s) - first_s)
                      for symbol, start_s, end_s in entries if start_s < last_s and end_s > first_s]
                     for entries in (words, phones))
    return samples[int(first_s * SAMPLE_RATE_HZ):int(last_s * SAMPLE_RATE_HZ)], words, phones
