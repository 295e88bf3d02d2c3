"""Give real speech its word and phone times, so that graph and default checkpoint learn from it.

    pip install pocketsphinx                                    (5.0, Python 3.8 and later)
    apt-get install asterisk-core-sounds-en-g722 pocketsphinx-testdata
    python ds_graph/align_speech.py --out training/aligned_speech
    python ds_graph/align_speech.py --out training/aligned_speech_grid --grid REALDATA/grid_s1_clips

Without --grid: the prompts of the Debian package asterisk-core-sounds-en-g722 (one American voice
in a studio, 25 minutes, CC BY-SA 3.0), whose texts pocketsphinx recognises first, and five
sentences of LibriVox from pocketsphinx-testdata, whose texts come with them. With --grid: that
corpus's clips, laid out as tests/real_clips.py says.

Writes OUT/NAME.wav (16 kHz) and OUT/NAME.csv (columns type, start_s, end_s, label, which
utils/timings.py reads). What cannot be aligned, or was recognised with little confidence, is left
out and counted. Times are those of the aligner, to 10 ms.
"""
import argparse
import collections
import csv
import glob
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from utils.audio import read_audio, write_wav                               # noqa: E402
from utils.constants import INT16_SCALE, SAMPLE_RATE_HZ                     # noqa: E402
from utils.errors import UserError, run_script                              # noqa: E402
from utils.files import make_folder, written_aside                          # noqa: E402

PROMPTS_FOLDER = "/usr/share/asterisk/sounds/en_US_f_Allison"
LIBRIVOX_FOLDER = "/usr/share/pocketsphinx/test/data/librivox"
ALIGNER_FPS = 100.0
LEAST_CONFIDENCE = 0.5              # geometric mean over a prompt's words
LEAST_S = 0.4
GRID_WORDS = {"z": "zed"}           # as British speakers spell

# samples: float32 at 16 kHz; text None where it has to be recognised.
Recording = collections.namedtuple("Recording", "name samples text")


class Aligner(object):
    """Words and phones of recordings, by pocketsphinx's own American English model."""

    def __init__(self):
        try:
            import pocketsphinx
        except ImportError:
            raise UserError("the aligner is missing: pip install pocketsphinx (5.0, Python 3.8 "
                            "and later)")
        # Beams for clean speech: ten times as fast as the defaults.
        self._recogniser = pocketsphinx.Decoder(
            loglevel="FATAL", fwdflat=False, maxhmmpf=2000, maxwpf=15, ds=2, beam=1e-40,
            wbeam=1e-30, pbeam=1e-40)
        self._aligner = pocketsphinx.Decoder(lm=None, loglevel="FATAL")

    def recognised(self, samples):
        """(text, confidence in 0 .. 1)"""
        _decode(self._recogniser, samples)
        if self._recogniser.hyp() is None:
            return "", 0.0
        log_base = self._recogniser.get_logmath()
        words, logs = [], []
        for segment in self._recogniser.seg():
            word = segment.word.partition("(")[0]
            if word[0] not in "<[":
                words.append(word)
                logs.append(np.log(max(log_base.exp(segment.prob), 1e-6)))
        return " ".join(words), float(np.exp(np.mean(logs))) if logs else 0.0

    def aligned(self, samples, text):
        """(words, phones), each [(symbol, start_s, end_s)], or None where the text does not fit."""
        try:
            self._aligner.set_align_text(text)
            _decode(self._aligner, samples)
            self._aligner.set_alignment()
            _decode(self._aligner, samples)
        except RuntimeError:            # a word that the dictionary lacks, or no path
            return None
        words, phones = [], []
        for word in self._aligner.get_alignment() or ():
            symbol = word.name.partition("(")[0]
            spoken = symbol[0] not in "<["
            if spoken:
                words.append((symbol,) + _times(word))
            phones.extend((phone.name if spoken else "sil",) + _times(phone) for phone in word)
        return (words, phones) if len(words) == len(text.split()) else None


def _decode(decoder, samples):
    decoder.start_utt()
    decoder.process_raw((samples * INT16_SCALE).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()


def _times(entry):
    return entry.start / ALIGNER_FPS, (entry.start + entry.duration) / ALIGNER_FPS


def debian_recordings():
    """The prompts, and LibriVox's sentences."""
    paths = sorted(glob.glob(os.path.join(PROMPTS_FOLDER, "**", "*.g722"), recursive=True))
    if not paths or not os.path.isdir(LIBRIVOX_FOLDER):
        raise UserError("no speech in %s or %s: install the Debian packages "
                        "asterisk-core-sounds-en-g722 and pocketsphinx-testdata"
                        % (PROMPTS_FOLDER, LIBRIVOX_FOLDER))
    for path in paths:
        name = os.path.relpath(path, PROMPTS_FOLDER)[:-len(".g722")].replace(os.sep, "-")
        yield Recording("prompt-" + name, read_audio(path), None)
    with open(os.path.join(LIBRIVOX_FOLDER, "transcription"), encoding="utf-8") as stream:
        for line in stream:
            text, _, name = line.strip().rstrip(")").rpartition("(")
            yield Recording("librivox-" + name.rpartition("-")[2], read_audio(
                os.path.join(LIBRIVOX_FOLDER, name + ".wav")), text.replace("<s>", "").replace(
                    "</s>", "").strip())


def grid_recordings(folder):
    """The clips of a folder with audio.flac (equally long, back to back), words.csv and, for their
    order, labels.npz."""
    texts = collections.OrderedDict()
    with open(os.path.join(folder, "words.csv"), newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            words = texts.setdefault(row["clip"], [])
            if row["word"] != "sil":
                words.append(GRID_WORDS.get(row["word"], row["word"]))
    with np.load(os.path.join(folder, "labels.npz")) as content:
        clips = [str(clip) for clip in content["clips"]]
    samples = read_audio(os.path.join(folder, "audio.flac")).reshape(len(clips), -1)
    for clip, of_clip in zip(clips, samples):
        yield Recording("grid-" + clip, of_clip, " ".join(texts[clip]))


def write_aligned(recording, aligner, folder):
    """Write one recording's two files; returns its seconds, 0 where it is left out."""
    text, confidence = recording.text, 1.0
    if text is None:
        text, confidence = aligner.recognised(recording.samples)
    seconds = len(recording.samples) / float(SAMPLE_RATE_HZ)
    if not text or confidence < LEAST_CONFIDENCE or seconds < LEAST_S:
        return 0.0
    found = aligner.aligned(recording.samples, text)
    if found is None:
        return 0.0
    path = os.path.join(folder, recording.name)
    write_wav(path + ".wav", recording.samples)
    with written_aside(path + ".csv") as aside, open(aside, "w", newline="",
                                                     encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["type", "start_s", "end_s", "label"])
        for kind, entries in zip(("words", "phones"), found):
            rows.writerows([kind, "%.2f" % start_s, "%.2f" % end_s, label]
                           for label, start_s, end_s in entries)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("--grid", metavar="FOLDER", help="GRID clips instead of Debian's speech")
    args = parser.parse_args()
    make_folder(args.out)
    aligner = Aligner()
    recordings = grid_recordings(args.grid) if args.grid else debian_recordings()
    seconds = [write_aligned(recording, aligner, args.out) for recording in recordings]
    print("%d of %d recordings aligned, %.1f minutes; in %s" % (
        sum(length > 0 for length in seconds), len(seconds), sum(seconds) / 60.0, args.out))


if __name__ == "__main__":
    run_script(main)
