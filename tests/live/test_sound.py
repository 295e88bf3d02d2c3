"""utils/live/sound.py: any rate, any cut, and the queue between threads."""
import threading

import numpy as np
import pytest
from scipy.signal import resample_poly

from utils.common.errors import UserError
from utils.live.sound import CAPACITY_S, PcmDecoder, Resampler, SoundQueue


@pytest.mark.parametrize("rate_hz, up, down", [
    (44100, 160, 441), (48000, 1, 3), (8000, 2, 1), (22050, 320, 441), (11025, 640, 441)])
def test_blocks_are_resampled_as_the_whole(rate_hz, up, down):
    random = np.random.RandomState(0)
    samples = random.uniform(-0.5, 0.5, rate_hz // 2 + 7).astype(np.float32)
    expected = resample_poly(samples.astype(np.float64), up, down)
    resampler = Resampler(rate_hz, 16000)
    pieces, at = [], 0
    while at < len(samples):
        size = random.randint(0, 1500)
        pieces.append(resampler.feed(samples[at:at + size]))
        at += size
    pieces.append(resampler.finish())
    made = np.concatenate(pieces)
    assert made.dtype == np.float32 and len(made) == len(expected)
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_the_resampler_keeps_no_sound_for_long():
    resampler = Resampler(48000, 16000)
    num_out = sum(len(resampler.feed(np.zeros(480, np.float32))) for _ in range(100))
    assert 16000 - num_out < 16                     # less than a millisecond


def test_16_khz_passes_untouched():
    samples = np.float32([0.1, -0.2, 0.3])
    np.testing.assert_array_equal(Resampler(16000, 16000).feed(samples), samples)


@pytest.mark.parametrize("sample_format, dtype, scale", [("s16", "<i2", 32768), ("f32", "<f4", 1)])
def test_stereo_pcm_cut_anywhere(sample_format, dtype, scale):
    random = np.random.RandomState(1)
    stereo = random.randint(-20000, 20000, (500, 2))
    payload = (stereo if scale > 1 else stereo / 32768.0).astype(dtype).tobytes()
    decoder = PcmDecoder(16000, 2, sample_format, 16000)
    pieces, at = [], 0
    while at < len(payload):
        size = random.randint(1, 9)
        pieces.append(decoder.feed(payload[at:at + size]))
        at += size
    np.testing.assert_allclose(np.concatenate(pieces), stereo.mean(axis=1) / 32768.0, atol=1e-6)


def test_a_wav_is_no_raw_pcm():
    decoder = PcmDecoder(16000, 1, "s16", 16000)
    decoder.feed(b"RI")
    with pytest.raises(UserError, match="header of a wav.*ffmpeg"):
        decoder.feed(b"FF\0\0\0\0WAVE")


def test_floats_that_are_no_sound():
    told = []
    decoder = PcmDecoder(16000, 1, "f32", 16000, told.append)
    payload = np.float32([0.5, np.nan, np.inf, 20000.0, -0.5]).tobytes()
    np.testing.assert_array_equal(decoder.feed(payload), np.float32([0.5, 0, 0, 0, -0.5]))
    decoder.feed(payload)
    assert len(told) == 1 and "3 of 5 samples are no sound" in told[0]


def test_a_full_queue_holds_its_source_up():
    queue = SoundQueue(16000)
    put = threading.Thread(target=queue.put, args=(np.zeros(int(CAPACITY_S * 16000) + 800,
                                                            np.float32),))
    put.start()
    put.join(0.2)
    assert put.is_alive()
    while put.is_alive():
        if queue.head():
            queue.pop()
    put.join()


def test_a_closed_queue_lets_its_source_go():
    queue = SoundQueue(16000)
    results = []
    put = threading.Thread(target=lambda: results.append(
        queue.put(np.zeros(int(CAPACITY_S * 16000) + 800, np.float32))))
    put.start()
    queue.close()
    put.join(20)
    assert results == [False]


def test_a_microphone_is_not_held_up():
    queue = SoundQueue(16000)
    queue.put(np.zeros(int(CAPACITY_S * 16000) + 1280, np.float32), is_held_up=False)
    assert queue.num_lost == 1280


def test_a_reset_empties_the_queue():
    queue = SoundQueue(16000)
    queue.put(np.zeros(1000, np.float32))
    queue.reset()
    assert queue.head() is None and queue.take_reset() and not queue.take_reset()


def test_the_end_and_an_error():
    queue = SoundQueue(16000)
    queue.put(np.zeros(10, np.float32))
    queue.end()
    assert not queue.is_over
    queue.pop()
    assert queue.is_over
    queue.end(UserError("gone"))
    with pytest.raises(UserError, match="gone"):
        queue.is_over
