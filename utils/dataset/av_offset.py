"""By how much a face runs late against its sound: the mouth opens when the voice is loud.

    lag = search_lag(mouth_opening(weights, names), valid, speech_envelope(samples), fps, 0.5)
    if lag.confidence >= MIN_CONFIDENCE: ...

The same search serves the few frames by which a camera's picture lags its microphone and the
unknown minutes between the clocks of a phone and a video. What is compared is the opening with
the loudness in dB, twice: as they are (pauses, which place a take roughly and surely), and in the
band of single syllables (which place it exactly). The shift with the best mean of both is taken.
"""
import collections

import numpy as np
import scipy.signal
import scipy.special

from utils.common.curve_math import moves
from utils.media.loudness import level_db

SYLLABLES_HZ = (3.0, 8.0)
# The opening is widest a little after the voice is loudest. Measured where sound and picture are
# known to be in step: 12 to 18 ms (three faces, two trackers).
OPENING_AFTER_VOICE_S = 0.015
MIN_COMPARED_S = 2.0            # of valid frames; less cannot tell anything
MIN_OVERLAP = 0.5               # of the shorter of face and sound, at any shift tried
NEAR_S = 0.14                   # a rival peak within that of the best is the best
CORRELATED_S = 2.0              # beyond that, neither curve remembers itself
# How much wider than Gaussian noise the correlations of faces with other people's speech are
# spread, and by how much the best shift must beat its rival: both from measured wrong pairs.
SPREAD = 1.2
RIVAL_MARGIN = 0.02
PEAKS_PER_S = 6.0               # independent shifts in a second of search
MIN_CONFIDENCE = 0.95           # below it the lag is not to be relied upon

# lag_s: the labels come that much LATE against the sound (negative: early). confidence: 0 to 1.
# r: Pearson's r of opening and dB at that shift.
Lag = collections.namedtuple("Lag", "lag_s confidence r")
NO_LAG = Lag(0.0, 0.0, 0.0)


def search_lag(opening, valid, envelope, fps, max_lag_s):
    """The Lag within +- max_lag_s at which `opening` goes best with `envelope`.

    Face and sound may differ in length and both begin at 0 of their own clock: opening frame i
    belongs to the sound at i / fps - lag_s. (A take whose first row stands at second 40 of the
    sound has the lag -40.) The peak is found between frames, too.

    Args:
      opening: [frames] mouth opening, utils.common.channels.mouth_opening.
      valid: [frames] bool; other frames have no say.
      envelope: [m] utils.media.loudness.speech_envelope, at the same `fps`.
    Returns:
      Lag. Its confidence is the chance that a face that does not belong to the sound would have
      no peak as high anywhere in the search, given how many syllables were compared, and is less
      where another shift does nearly as well. NO_LAG (confidence 0) where there is too little to
      compare, or one of the two stands still.
    """
    opening, valid = np.asarray(opening, np.float64), np.asarray(valid, bool)
    envelope = np.asarray(envelope, np.float64)
    shorter = min(valid.sum(), len(envelope))
    if shorter < MIN_COMPARED_S * fps:
        return NO_LAG
    level = level_db(envelope)
    if not (moves(opening[valid]) and moves(level)):
        return NO_LAG
    mask = valid.astype(np.float64)
    filled = np.interp(np.arange(len(opening)), np.flatnonzero(valid), opening[valid])
    # As wide as the search may get; the neighbours of the outermost shift are looked at, too.
    most = min(int(round(max_lag_s * fps)), max(len(opening), len(envelope)) - 1) + 1
    whole_r, overlap, _ = _correlations(filled, mask, level, most)
    syllable_r, _, independent = _correlations(
        _syllables(filled, fps), mask, _syllables(level, fps), most, int(CORRELATED_S * fps))
    enough = overlap >= MIN_OVERLAP * shorter                   # [2 most + 1]
    score = np.where(enough, (whole_r + syllable_r) / 2.0, -1.0)
    searched = enough.copy()
    searched[[0, -1]] = False
    if not searched.any():
        return NO_LAG
    best = int(np.argmax(np.where(searched, score, -1.0)))
    shift = best - most + _between(score, enough, best)
    return Lag(shift / fps - OPENING_AFTER_VOICE_S,
               _confidence(score, searched, best, syllable_r[best], independent[best], fps),
               float(whole_r[best]))


def _syllables(curve, fps):
    sos = scipy.signal.butter(2, SYLLABLES_HZ, "bandpass", fs=fps, output="sos")
    return scipy.signal.sosfiltfilt(sos, curve, padlen=min(int(fps), len(curve) - 1))


def _correlations(face, mask, sound, most, memory=0):
    """(r, overlap, independent) [2 most + 1] each, of face[i + shift] with sound[i].

    shift: -most .. most. overlap: valid frames compared there. independent: as many independent
    pairs would scatter as much, by Bartlett's formula of two curves that remember themselves for
    up to `memory` frames.
    """
    face = np.where(mask > 0, face - face[mask > 0].mean(), 0.0)
    sound = sound - sound.mean()
    size = 1 << int(len(face) + len(sound) + 2 * most).bit_length()
    shifts = np.arange(-most, most + 1)

    def against(first, second):
        product = np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size))
        return np.fft.irfft(product, size)[shifts]

    everywhere = np.ones(len(sound))
    overlap = np.maximum(np.round(against(mask, everywhere)), 0.0)
    count = np.maximum(overlap, 1.0)
    face_sum, sound_sum = against(face, everywhere), against(mask, sound)
    covariance = against(face, sound) - face_sum * sound_sum / count
    face_power = against(face ** 2, everywhere) - face_sum ** 2 / count
    sound_power = against(mask, sound ** 2) - sound_sum ** 2 / count
    least = 1e-9 * max(np.sum(face ** 2), 1e-30) * max(np.sum(sound ** 2), 1e-30)
    r = covariance / np.sqrt(np.maximum(face_power * sound_power, least))
    memory = min(memory, len(face) - 1, len(sound) - 1)
    together = np.sum(_memory(face, memory) * _memory(sound, memory))
    return np.clip(r, -1.0, 1.0), overlap, overlap / max(1.0 + 2.0 * together, 0.3)


def _memory(curve, frames):
    """[frames] autocorrelation of a curve of mean 0 at 1, 2 ... frames."""
    size = 1 << (2 * len(curve)).bit_length()
    power = np.abs(np.fft.rfft(curve, size)) ** 2
    products = np.fft.irfft(power, size)[:frames + 1]
    return products[1:] / max(products[0], 1e-30)


def _between(score, enough, best):
    """Where the parabola through the best score and its neighbours is highest, -0.5 to 0.5."""
    if not (enough[best - 1] and enough[best + 1]):
        return 0.0
    before, peak, after = score[best - 1:best + 2]
    bend = before - 2.0 * peak + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _confidence(score, searched, best, r, independent, fps):
    deviations = np.arctanh(np.clip(r, 0.0, 0.999)) * np.sqrt(max(independent - 3.0, 0.0))
    peaks = 1.0 + PEAKS_PER_S * searched.sum() / fps
    unlikely = scipy.special.ndtr(deviations / SPREAD) ** peaks
    return float(unlikely * -np.expm1(-_margin(score, searched, best, fps) / RIVAL_MARGIN))


def _margin(score, searched, best, fps):
    """By how much the best score beats the next best peak of the search."""
    peaks = np.zeros(len(score), bool)
    peaks[1:-1] = (score[1:-1] >= score[:-2]) & (score[1:-1] > score[2:])
    peaks &= searched & (np.abs(np.arange(len(score)) - best) > NEAR_S * fps)
    rival = score[peaks].max() if peaks.any() else 0.0
    return score[best] - max(rival, 0.0)
