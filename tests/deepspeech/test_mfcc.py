"""utils/deepspeech/mfcc.py against TensorFlow's own ops, and against cases worked by hand."""
import numpy as np
import pytest

from utils.common.constants import (MFCC_COEFFICIENTS, MFCC_STEP_SAMPLES, MFCC_WINDOW_SAMPLES,
                                    SAMPLE_RATE_HZ)
from utils.common.quiet_tensorflow import tf
from utils.deepspeech.mfcc import MEL_CHANNELS, MEL_FILTER_BANK, mfcc, mfcc_of_samples


def mfcc_by_tensorflow(samples):
    with tf.Graph().as_default(), tf.Session() as session:
        spectrogram = tf.raw_ops.AudioSpectrogram(
            input=samples[:, np.newaxis], window_size=MFCC_WINDOW_SAMPLES,
            stride=MFCC_STEP_SAMPLES, magnitude_squared=True)
        features = tf.raw_ops.Mfcc(spectrogram=spectrogram, sample_rate=SAMPLE_RATE_HZ,
                                   dct_coefficient_count=MFCC_COEFFICIENTS)
        return session.run(features)[0]


def sweep(num_samples, loudness):
    """A rising tone with noise and a digitally silent middle, quantised as int16 PCM is."""
    time_s = np.arange(num_samples) / SAMPLE_RATE_HZ
    noise = np.random.RandomState(1).randn(num_samples)
    samples = loudness * (0.8 * np.sin(2 * np.pi * (100 + 900 * time_s) * time_s) + 0.05 * noise)
    samples[num_samples // 3:num_samples // 2] = 0.0
    return (np.round(samples * 32767) / 32768).astype(np.float32)


@pytest.mark.parametrize("loudness", [1.0, 0.01, 0.0])
def test_agrees_with_tensorflows_ops(loudness):
    samples = sweep(40000, loudness)
    expected = mfcc_by_tensorflow(samples)
    found = mfcc_of_samples(samples)
    assert found.shape == expected.shape == (1 + (40000 - 512) // 320, 26)
    # One coefficient of -247 has a float32 step of 1.5e-5: relative there, absolute elsewhere.
    np.testing.assert_allclose(found, expected, rtol=2e-7, atol=1e-5)


def test_digital_silence():
    found = mfcc(np.zeros((2, MFCC_WINDOW_SAMPLES), np.float32))
    np.testing.assert_allclose(found[:, 0], np.sqrt(2 / 40.0) * 40 * np.log(1e-12), rtol=1e-6)
    np.testing.assert_allclose(found[:, 1:], 0.0, atol=1e-5)


def test_frames_advance_by_one_step():
    samples = sweep(6000, 0.5)
    np.testing.assert_array_equal(mfcc_of_samples(samples)[1:4],
                                  mfcc_of_samples(samples[MFCC_STEP_SAMPLES:])[:3])


@pytest.mark.parametrize("num_samples, num_frames",
                         [(0, 0), (511, 0), (512, 1), (831, 1), (832, 2), (46797, 145)])
def test_number_of_frames(num_samples, num_frames):
    assert mfcc_of_samples(np.zeros(num_samples, np.float32)).shape == (num_frames, 26)


def test_every_inner_bin_is_shared_out_whole():
    shares = MEL_FILTER_BANK.sum(axis=1)
    peak_of_last_channel = np.argmax(MEL_FILTER_BANK[:, MEL_CHANNELS - 1])
    assert not shares[:2].any() and not shares[129:].any()
    np.testing.assert_allclose(shares[3:peak_of_last_channel], 1.0)
