"""The MFCC front end of DeepSpeech 0.5.0, in numpy, a whole block of frames at a time.

What its feeding.py asks of TensorFlow's AudioSpectrogram and Mfcc ops, step by step: periodic
Hann window, FFT, MAGNITUDE (not power) in 40 triangular mel channels from 20 to 4000 Hz,
natural log, DCT-II. No pre-emphasis, lifter, energy term or normalisation. Agrees with the
ops within 1e-5.
"""
import numpy as np

from utils.common.constants import (MFCC_COEFFICIENTS, MFCC_STEP_SAMPLES, MFCC_WINDOW_SAMPLES,
                                    SAMPLE_RATE_HZ)

# The ops' own defaults (DeepSpeech moved to 8000 Hz only in 0.7).
MEL_CHANNELS = 40
MEL_LOWEST_HZ = 20.0
MEL_HIGHEST_HZ = 4000.0
MEL_FLOOR = 1e-12

NUM_BINS = MFCC_WINDOW_SAMPLES // 2 + 1                     # 257


def _mel(frequency_hz):
    return 1127.0 * np.log1p(frequency_hz / 700.0)


def _mel_filter_bank():
    """[257, 40]: the weight of each FFT bin in each mel channel."""
    bin_hz = SAMPLE_RATE_HZ / MFCC_WINDOW_SAMPLES
    edges = np.linspace(_mel(MEL_LOWEST_HZ), _mel(MEL_HIGHEST_HZ), MEL_CHANNELS + 2)
    first_bin = int(1.5 + MEL_LOWEST_HZ / bin_hz)           # as TensorFlow rounds it
    last_bin = int(MEL_HIGHEST_HZ / bin_hz)
    bank = np.zeros((NUM_BINS, MEL_CHANNELS))
    for i in range(first_bin, last_bin + 1):
        mel = _mel(i * bin_hz)
        # The edge below the bin; the last bin lies on the last edge but for rounding.
        left = min(np.searchsorted(edges, mel) - 1, MEL_CHANNELS)
        falling = (edges[left + 1] - mel) / (edges[left + 1] - edges[left])
        if left >= 1:                                       # channel c peaks at edges[c + 1]
            bank[i, left - 1] = falling
        if left < MEL_CHANNELS:
            bank[i, left] = 1.0 - falling
    return bank


def cosines_at(channels):
    """[n, 26]: DCT-II at `channels` [n], every coefficient scaled by sqrt(2/40), c0 too.

    The middle of mel channel c, from 0, lies at c + 0.5; between them cosines go on.
    """
    order = np.arange(MFCC_COEFFICIENTS)
    return np.sqrt(2.0 / MEL_CHANNELS) * np.cos(
        np.pi / MEL_CHANNELS * order * channels[:, np.newaxis])


HANN = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(MFCC_WINDOW_SAMPLES) / MFCC_WINDOW_SAMPLES)
MEL_FILTER_BANK = _mel_filter_bank()
CHANNEL_MIDDLES = np.arange(MEL_CHANNELS) + 0.5
COSINE_TRANSFORM = cosines_at(CHANNEL_MIDDLES)              # [40, 26]


def mfcc(frames):
    """MFCCs of windows of samples.

    Args:
      frames: [n, 512], PCM in [-1, 1) at 16 kHz.
    Returns:
      float32 [n, 26]. Speech has c0 about -28 +- 10 and the rest +- 1.5; digital silence has
      c0 = -247.1 and zeros.
    """
    windowed = np.asarray(frames, np.float64) * HANN                # [n, 512]
    magnitudes = np.abs(np.fft.rfft(windowed, axis=1))              # [n, 257]
    mel_energies = np.dot(magnitudes, MEL_FILTER_BANK)              # [n, 40]
    log_energies = np.log(np.maximum(mel_energies, MEL_FLOOR))
    return np.dot(log_energies, COSINE_TRANSFORM).astype(np.float32)    # [n, 26]


def frames_of_samples(samples):
    """The full windows of `samples` [N], every 320 samples: a view [1 + (N-512)//320, 512]."""
    samples = np.ascontiguousarray(samples)
    num_frames = num_full_windows(len(samples))
    stride = samples.strides[0]
    return np.lib.stride_tricks.as_strided(
        samples, (num_frames, MFCC_WINDOW_SAMPLES), (MFCC_STEP_SAMPLES * stride, stride),
        writeable=False)


def num_full_windows(num_samples):
    """How many whole windows lie in so many samples."""
    if num_samples < MFCC_WINDOW_SAMPLES:
        return 0
    return 1 + (num_samples - MFCC_WINDOW_SAMPLES) // MFCC_STEP_SAMPLES


def mfcc_of_samples(samples):
    """MFCCs of the full windows of `samples` [N] in [-1, 1) at 16 kHz.

    Returns:
      float32 [1 + (N-512)//320, 26], one row every 20 ms; no rows below 512 samples.
    """
    return mfcc(frames_of_samples(samples))
