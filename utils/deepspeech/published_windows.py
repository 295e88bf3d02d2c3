"""The `reference` feature profile: what the published checkpoint was trained on.

Needed to run that checkpoint, and only for that. It works in chunks (0.5 s in the published
training, 0.1 s in its demo) that share nothing but the LSTM state: each is resampled on its
own, gets zero context at both ends, is stretched to 16 steps whatever its length, whitened as
a whole, and its animation frames are padded with zeros before windows are taken. A tail
shorter than a chunk gives no frames.
"""
import numpy as np

from utils.common.constants import (ANIMATION_FPS, CONTEXT_FRAMES, CONTEXT_WINDOW_FRAMES,
                                    INT16_SCALE, MFCC_COEFFICIENTS, NUM_LETTERS, SAMPLE_RATE_HZ,
                                    WINDOW_FRAMES, WINDOW_PAST_FRAMES)


class ReferenceFeatures:
    """One stream, at the recording's own rate: the published code resamples chunk by chunk,
    and resampling the whole beforehand moves features by up to 5e-4."""

    def __init__(self, acoustic_graph, sample_rate_hz, chunk_s):
        self._acoustic_graph = acoustic_graph
        self._sample_rate_hz = sample_rate_hz
        # Rounded first: 0.7 * 30 is 20.99..., which int() alone would make 20.
        self._chunk_samples = int(round(chunk_s * sample_rate_hz, 6))
        self._chunk_frames = int(round(chunk_s * ANIMATION_FPS, 6))
        if not self._chunk_frames:
            raise ValueError("a chunk of %s s holds no animation frame" % chunk_s)
        self.reset()

    def reset(self):
        self._samples = np.zeros(0, np.float32)
        self._state = self._acoustic_graph.zero_state()

    def feed(self, samples):
        self._samples = np.concatenate([self._samples, samples])
        windows = [np.zeros((0, WINDOW_FRAMES, NUM_LETTERS), np.float32)]
        while len(self._samples) >= self._chunk_samples:
            pcm = _int16_at_16_khz(self._samples[:self._chunk_samples], self._sample_rate_hz)
            self._samples = self._samples[self._chunk_samples:]
            probabilities, self._state = self._acoustic_graph.run(
                _whitened_contexts(pcm, self._acoustic_graph.num_steps), self._state)
            windows.append(_zero_padded_windows(_stretched(probabilities, self._chunk_frames)))
        return np.concatenate(windows)

    def finish(self):
        return np.zeros((0, WINDOW_FRAMES, NUM_LETTERS), np.float32)


def _int16_at_16_khz(samples, sample_rate_hz):
    """int16 [any] at 16 kHz from [-1, 1); fractions are cut off, as the published cast does."""
    pcm = samples.astype(np.float64) * INT16_SCALE
    if sample_rate_hz != SAMPLE_RATE_HZ:
        import resampy      # brings numba: a second that 16 kHz audio need not wait
        pcm = resampy.resample(pcm, sample_rate_hz, SAMPLE_RATE_HZ)
    # The filter overshoots at full scale, where the cast would wrap to the other sign.
    return np.clip(pcm, -INT16_SCALE, INT16_SCALE - 1).astype(np.int16)


def _whitened_contexts(pcm, num_steps):
    """float32 [num_steps, 19, 26] for one run, from however many vectors `pcm` gives."""
    import python_speech_features       # brings scipy, which the other profile need not wait for
    vectors = python_speech_features.mfcc(pcm, SAMPLE_RATE_HZ, numcep=MFCC_COEFFICIENTS)
    vectors = vectors[::2]                                          # 100 -> 50 a second
    silence = np.zeros((CONTEXT_FRAMES, MFCC_COEFFICIENTS))
    contexts = _sliding(np.concatenate([silence, vectors, silence]), CONTEXT_WINDOW_FRAMES)
    steps = _stretched(contexts, num_steps)                         # [num_steps, 19, 26]
    return ((steps - steps.mean()) / steps.std()).astype(np.float32)


def _zero_padded_windows(frames):
    """float32 [n, 16, 29], one window a frame, from the n `frames` of one chunk."""
    padding = np.zeros((WINDOW_PAST_FRAMES, NUM_LETTERS))
    windows = _sliding(np.concatenate([padding, frames, padding]), WINDOW_FRAMES)
    return windows[:len(frames)].astype(np.float32)


def _sliding(rows, length):
    return np.stack([rows[i:i + length] for i in range(len(rows) - length + 1)])


def _stretched(rows, num_rows):
    """Linear interpolation over axis 0: row j is read at j * len(rows) / num_rows, held last."""
    position = np.minimum(np.arange(num_rows) * len(rows) / num_rows, len(rows) - 1)
    before = position.astype(int)
    after = np.minimum(before + 1, len(rows) - 1)
    share = (position - before).reshape((-1,) + (1,) * (rows.ndim - 1))
    return (1.0 - share) * rows[before] + share * rows[after]
