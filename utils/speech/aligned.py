"""Recordings with word and phone times, as aligned by align_speech."""
import glob
import os

import numpy as np
import scipy.io.wavfile
import scipy.signal

from utils.common.constants import INT16_SCALE, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.formats.timings import read_timings
from utils.speech.phones import PHONES, SILENCE
from utils.speech.utterance import Utterance

ALIGNED_SPEED_PERCENT = (90, 112)   # of real recordings


def aligned_recordings(folder):
    """Paths of the .wav files in `folder` that have their words and phones beside them (.csv).

    Raises UserError where there are none.
    """
    paths = [path for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*.wav")))
             if os.path.isfile(path[:-len(".wav")] + ".csv")]
    if not paths:
        raise UserError("%s holds no NAME.wav with its NAME.csv of word and phone times; make "
                        "them by ds_graph/align_speech.py" % folder)
    return paths


def aligned_minutes(paths):
    return sum(len(_aligned_levels(path)) for path in paths) / float(SAMPLE_RATE_HZ) / 60.0


def _aligned_levels(path):
    """int16 [num_samples], not read before it is used, of a .wav as align_speech.py writes it; for
    thousands of short ones the start of ffmpeg, which reads any other file, is most of the work."""
    try:
        rate_hz, levels = scipy.io.wavfile.read(path, mmap=True)
        fits = rate_hz == SAMPLE_RATE_HZ and levels.dtype == np.int16 and levels.ndim == 1
    except ValueError:
        fits = False
    if not fits:
        raise UserError("%s is no 16-bit mono .wav of %d Hz; make it by ds_graph/align_speech.py"
                        % (path, SAMPLE_RATE_HZ))
    return levels


def played(path, speed_percent):
    """The Utterance of an aligned recording, played at another speed (and so pitch).

    Times are in hundredths of a second: the last may lie behind the sound, and ends with it here.
    """
    timings = read_timings(path[:-len(".wav")] + ".csv")
    samples = _aligned_levels(path) / np.float32(INT16_SCALE)
    samples = scipy.signal.resample_poly(samples, 100, speed_percent)
    faster = speed_percent / 100.0
    length_s = len(samples) / float(SAMPLE_RATE_HZ)
    words, phones = ([(symbol, start_s / faster, min(end_s / faster, length_s))
                      for symbol, start_s, end_s in entries if start_s / faster < length_s]
                     for entries in (timings.words, timings.phones))
    return Utterance(samples.astype(np.float32), words, [
        (phone if phone in PHONES else SILENCE, start_s, end_s)
        for phone, start_s, end_s in phones])
