"""How loud the speech is at each animation frame, and where there is none."""
import numpy as np
import scipy.signal

from utils.common.constants import ANIMATION_FPS, INT16_SCALE, SAMPLE_RATE_HZ
from utils.common.curve_math import runs
from utils.common.resample import num_frames_of

RUMBLE_HZ = 80.0                # recordings carry rumble, faces do not follow it
ENVELOPE_S = 0.1
BLOCK_S, MARGIN_S = 60, 1       # of a long recording: what is filtered at a time, and its ends
FLOOR_DB = -40.0                # quieter than that below the 95th percentile is all alike
SILENT_DB = -30.0               # below the clip's own 95th percentile
SILENT_S = 0.3                  # a shorter gap belongs to the speech


def loudness_envelope(samples, smoothing_s):
    """RMS of samples (float, 16 kHz) in a Hann window of `smoothing_s`, one value per frame.

    Returns [ceil(seconds * ANIMATION_FPS)]; value i is centred on i / ANIMATION_FPS seconds.
    """
    window = np.hanning(int(smoothing_s * SAMPLE_RATE_HZ) | 1)
    power = scipy.signal.fftconvolve(np.asarray(samples, np.float64) ** 2,
                                     window / window.sum(), mode="same")
    num_frames = int(np.ceil(len(samples) * ANIMATION_FPS / float(SAMPLE_RATE_HZ) - 1e-6))
    at = np.arange(num_frames) * SAMPLE_RATE_HZ // ANIMATION_FPS
    return np.sqrt(np.maximum(power[at], 0.0))


def speech_envelope(samples):
    """[frames] loudness of the speech in `samples` (float, 16 kHz), without rumble."""
    above = scipy.signal.butter(4, RUMBLE_HZ, "highpass", fs=SAMPLE_RATE_HZ, output="sos")
    return loudness_envelope(scipy.signal.sosfiltfilt(above, samples), ENVELOPE_S)


def long_speech_envelope(samples):
    """speech_envelope of int16 samples of any length [frames], a minute at a time."""
    block, margin = (int(s * SAMPLE_RATE_HZ) for s in (BLOCK_S, MARGIN_S))
    pieces = []
    for start in range(0, len(samples), block):
        if pieces and len(samples) - start < margin:
            break                       # the last piece took so short a rest with it
        first = max(0, start - margin)
        last = start + block if len(samples) - start - block >= margin else len(samples)
        whole = speech_envelope(samples[first:last + margin] / INT16_SCALE)
        num_before = (start - first) * ANIMATION_FPS // SAMPLE_RATE_HZ
        num_frames = num_frames_of((last - start) / float(SAMPLE_RATE_HZ), ANIMATION_FPS)
        pieces.append(whole[num_before:num_before + num_frames])
    return np.concatenate(pieces)


def level_db(envelope):
    """[frames] dB of an envelope, no lower than FLOOR_DB below its 95th percentile."""
    level = 20.0 * np.log10(np.maximum(envelope, 1e-9))
    return np.maximum(level, np.percentile(level, 95) + FLOOR_DB)


def silent_frames(envelope):
    """[frames] bool: in a stretch of at least SILENT_S that is SILENT_DB below the loud parts."""
    quiet = 20.0 * np.log10(np.maximum(envelope, 1e-9)
                            / max(np.percentile(envelope, 95), 1e-9)) < SILENT_DB
    silent = np.zeros(len(envelope), bool)
    for start, end in zip(*runs(quiet)):
        if end - start >= SILENT_S * ANIMATION_FPS:
            silent[start:end] = True
    return silent
