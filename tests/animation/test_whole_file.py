"""utils/animation/audio_file.py: the weights of a whole sound, put together of its blocks."""
import types

import numpy as np
import pytest

from utils.animation.audio_file import animate_audio

BLOCK = 16000                           # samples: 30 frames


@pytest.mark.parametrize("duration_s", [None, 0.1, 3.0, 1e12])
def test_a_sound_may_last_longer_or_shorter_than_its_file_says(duration_s):
    frames = np.random.RandomState(0).rand(90, 2).astype(np.float32)
    blocks = iter(np.split(frames, [30, 60]))
    animator = types.SimpleNamespace(
        profile="deepspeech", fps=30, channels=("a", "b"), start=lambda rate_hz: None,
        feed=lambda samples: next(blocks), finish=lambda: frames[:0])
    audio = types.SimpleNamespace(
        path="a.wav", duration_s=duration_s,
        blocks=lambda block_s, resampler: iter(np.zeros((3, BLOCK), np.float32)))
    weights, loudness, found_s = animate_audio(animator, audio)
    np.testing.assert_array_equal(weights, frames)
    assert (len(loudness), found_s) == (90, 3.0)
