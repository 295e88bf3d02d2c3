"""utils/media/loudness.py: the hum of a mains supply is no speech."""
import numpy as np

from utils.common.constants import SAMPLE_RATE_HZ
from utils.media.loudness import level_db, silent_frames, speech_envelope


def test_a_hum_under_silence_is_silence():
    """Speech-like noise of 1 s, 1 s of nothing, 1 s of noise; a hum as loud as the noise in all."""
    samples = np.random.RandomState(0).randn(3 * SAMPLE_RATE_HZ) * 0.07
    samples[SAMPLE_RATE_HZ:2 * SAMPLE_RATE_HZ] = 0.0
    samples += 0.1 * np.sin(2 * np.pi * 50.0 * np.arange(len(samples)) / SAMPLE_RATE_HZ)
    envelope = speech_envelope(samples)
    silent = silent_frames(envelope)
    assert len(silent) == 90 and silent[34:56].all()
    assert not silent[:27].any() and not silent[63:].any()
    level = level_db(envelope)
    assert level[:27].min() - level[34:56].max() > 25.0
