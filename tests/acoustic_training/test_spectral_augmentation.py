"""utils/acoustic_training/spectral_augmentation.py: MFCCs as of another speaker and room."""
import numpy as np
import pytest

from utils.acoustic_training import spectral_augmentation as augmentation
from utils.common.constants import MFCC_COEFFICIENTS, SAMPLE_RATE_HZ
from utils.deepspeech.mfcc import MEL_CHANNELS, mfcc_of_samples
from utils.deepspeech.vtlp import MEL_AXIS, bands_at


def bands_of(mfccs):
    """Log magnitudes [n, 40] of the smooth spectrum that MFCCs [n, 26] stand for."""
    return np.dot(mfccs, bands_at(MEL_AXIS))


@pytest.fixture(scope="module")
def mfccs():
    """A buzz that swells, then digital silence: [100, 26]."""
    times_s = np.arange(SAMPLE_RATE_HZ * 2) / float(SAMPLE_RATE_HZ)
    samples = 0.1 * np.sign(np.sin(2 * np.pi * 120 * times_s)) * (1 + np.sin(9 * times_s))
    samples[SAMPLE_RATE_HZ:] = 0.0
    return mfcc_of_samples(samples.astype(np.float32))


@pytest.fixture
def silent(mfccs):
    return np.arange(len(mfccs)) > 48


def test_mfccs_are_the_transform_of_the_smooth_spectrum(mfccs):
    again = augmentation.mfccs_of(bands_of(mfccs))
    np.testing.assert_allclose(again, mfccs, atol=1e-3)


def test_bands_have_the_level_of_the_sound():
    noise = np.random.RandomState(0).randn(SAMPLE_RATE_HZ) * 0.05
    quiet, loud = (bands_of(mfcc_of_samples((noise * gain).astype(np.float32)))
                   for gain in (0.1, 1.0))
    np.testing.assert_allclose((loud - quiet).mean(0), np.log(10.0), atol=0.01)


def test_an_unbent_axis_changes_nothing(mfccs):
    class Middle(object):
        def randn(self, num):
            return np.zeros(num)
    matrix = augmentation._tract_of_another_length(Middle())
    np.testing.assert_allclose(np.dot(mfccs, matrix), bands_of(mfccs), atol=1e-3)


def test_a_longer_tract_moves_a_peak_and_leaves_the_ends():
    class Stretched(object):
        def randn(self, num):
            return np.array([1.0, 0.0])
    bands = np.zeros((1, MEL_CHANNELS))
    bands[0] = np.exp(-0.5 * ((np.arange(MEL_CHANNELS) - 20.0) / 3.0) ** 2)
    matrix = augmentation._tract_of_another_length(Stretched())
    moved = np.dot(augmentation.mfccs_of(bands), matrix)
    assert moved.argmax() in (18, 19) and abs(moved[0, 0]) < 0.02 and abs(moved[0, -1]) < 0.02


def test_the_sum_of_equal_sounds_is_three_decibels_louder():
    np.testing.assert_allclose(augmentation._added(np.zeros(3), np.array([0.0, -50.0, 50.0])),
                               [0.5 * np.log(2.0), 0.0, 50.0], atol=1e-6)


def test_a_room_holds_on_and_adds_no_sound_before():
    bands = np.full((40, MEL_CHANNELS), -20.0)
    bands[10] = 0.0
    tail = augmentation._in_a_room(np.random.RandomState(0), bands)[:, 0]
    assert np.ptp(tail[1:10]) < 0.5 and tail[:10].max() < -19.0
    assert abs(tail[10]) < 1e-3 and 0.0 > tail[11] > tail[14] > tail[20] > -20.0 and tail[11] > -5.0


def test_breaths_are_in_the_pauses_only(silent):
    bands = np.full((len(silent), MEL_CHANNELS), -10.0)
    found = [augmentation._with_breaths(np.random.RandomState(seed), bands, silent, loud=0.0)
             for seed in range(10)]
    assert all((breath[~silent] == bands[~silent]).all() for breath in found)
    short = np.arange(len(silent)) % 20 < 9
    assert (augmentation._with_breaths(np.random.RandomState(0), bands, short, 0.0) == bands).all()
    assert np.mean([(breath[silent] > -9.0).any() for breath in found]) >= 0.4


def test_speech_swells_out_of_a_pause():
    silent = np.arange(60) < 20
    bands = np.where(silent, -6.0, 0.0)[:, np.newaxis] * np.ones(MEL_CHANNELS)
    floor = np.full(MEL_CHANNELS, -1.0)
    softer = [augmentation._with_soft_onsets(np.random.RandomState(seed), bands, silent, floor)
              for seed in range(20)]
    for changed in softer:
        assert (changed[:20] == bands[:20]).all() and (changed[30:] == 0.0).all()
        assert (np.diff(changed[20:31], axis=0) >= 0.0).all() and changed[20:].min() >= -1.0
    assert np.mean([changed[20, 0] for changed in softer]) < -0.5
    assert min(changed[20, 0] for changed in softer) == -1.0


def test_digital_silence_and_what_is_nothing_else_stay(mfccs, silent):
    for seed in range(20):
        changed = augmentation.augmented(np.random.RandomState(seed), mfccs, silent)
        assert changed.dtype == np.float32 and changed.shape == (len(mfccs), MFCC_COEFFICIENTS)
        assert np.isfinite(changed).all() and changed[:45, 0].min() > -100.0
        np.testing.assert_array_equal(changed[55:], mfccs[55:].astype(np.float32))
        assert np.abs(changed[:45] - mfccs[:45]).mean() > 0.05
    zeros = mfccs[55:]
    np.testing.assert_array_equal(
        augmentation.augmented(np.random.RandomState(0), zeros, np.ones(len(zeros), bool)),
        zeros.astype(np.float32))


def test_without_strength_nothing_joins_in_and_nobody_is_bent(mfccs, silent, monkeypatch):
    for name in ("_added", "_changing_effort", "_with_soft_onsets", "_with_breaths", "_in_a_room",
                 "_missing_band", "_narrow_band"):
        monkeypatch.setattr(augmentation, name, lambda *_: 1 / 0)
    others = mfccs[np.newaxis, :40]
    for seed in range(20):
        changed = augmentation.augmented(np.random.RandomState(seed), mfccs, silent, others, 0.0)
        # Another microphone, and formants more or less marked: as much in every frame.
        ratio = (changed[:45, 1] - changed[:1, 1]) / (mfccs[:45, 1] - mfccs[0, 1] + 1e-9)
        np.testing.assert_allclose(ratio[1:], np.median(ratio[1:]), rtol=0.05)


def test_babble_is_of_several_others_and_as_loud_as_asked(mfccs):
    others = np.stack([mfccs[:40], mfccs[5:45]]).astype(np.float32)
    babble = augmentation._babble(np.random.RandomState(0), others, 100)
    assert babble.shape == (100, MEL_CHANNELS)
    assert np.percentile(babble.mean(1), 90) == pytest.approx(0.0, abs=1e-6)
    # Voices are made equally loud.
    quieter = augmentation.mfccs_of(bands_of(others[1]) - 5.0)
    again = augmentation._babble(np.random.RandomState(0), np.stack([others[0], quieter]), 100)
    np.testing.assert_allclose(again, babble, atol=1e-3)
    # Its spectrum is theirs.
    assert np.corrcoef(babble.mean(0), bands_of(others[0]).mean(0))[0, 1] > 0.95


def test_babble_joins_in_at_times(mfccs, silent, monkeypatch):
    asked, others = [], mfccs[np.newaxis, :40]
    babble = augmentation._babble
    monkeypatch.setattr(augmentation, "_babble",
                        lambda *given: asked.append(given) or babble(*given))
    for seed in range(80):
        changed = augmentation.augmented(np.random.RandomState(seed), mfccs, silent, others)
        np.testing.assert_array_equal(changed[55:], mfccs[55:].astype(np.float32))
    assert 8 <= len(asked) <= 32 and all(given[1] is others for given in asked)
    del asked[:]
    augmentation.augmented(np.random.RandomState(0), mfccs, silent)
    assert not asked


def test_a_narrow_band_keeps_its_middle():
    for seed in range(20):
        curve = augmentation._narrow_band(np.random.RandomState(seed))
        middle = (MEL_AXIS > 0.2) & (MEL_AXIS < 0.8)
        assert (curve[middle] == 0.0).all() and curve.min() >= -4.0
        assert curve[0] <= curve[3] <= 0.0 and curve[-1] <= curve[-4] <= 0.0


def test_the_same_seed_augments_alike(mfccs, silent):
    first, second = (augmentation.augmented(np.random.RandomState(3), mfccs, silent)
                     for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_noise_falls_or_rises_towards_high_bands_as_white_noise_does():
    white = bands_of(mfcc_of_samples(
        np.int16(np.random.RandomState(0).randn(32000) * 1000))).mean(0)
    rises = [np.ptp(bands[[0, -1]]) * np.sign(bands[-1] - bands[0]) for bands in (
        augmentation._noise(np.random.RandomState(seed), 500).mean(0) for seed in range(40))]
    assert min(rises) < -1.5 and max(rises) > white[-5] - white[5] > 1.0


def test_time_warping_keeps_the_order_and_each_letters_ends():
    letters = np.repeat(np.random.RandomState(0).randint(0, 29, 120), 5)
    paces = []
    for seed in range(20):
        frames = augmentation.time_warped(np.random.RandomState(seed), letters)
        assert len(frames) == len(letters) and frames[0] == 0
        steps = np.diff(frames)
        anew = np.flatnonzero(steps < 0)
        assert len(anew) <= 1 and (steps[steps >= 0] <= 5).all()
        found = frames[:anew[0] + 1] if len(anew) else frames
        changes = np.flatnonzero(np.diff(letters[:found[-1] + 1]))
        assert np.isin(changes, found).all() and np.isin(changes + 1, found).all()
        paces += list(np.convolve(np.diff(found), np.ones(40) / 40.0, "valid"))
    assert min(paces) < 0.85 and max(paces) > 1.15


def test_letters_and_phones_stay_with_the_augmented_stream(mfccs, silent):
    letters = np.arange(len(mfccs)) // 3
    for seed in range(5):
        changed, letters_then, phones = augmentation.augmented_stream(
            np.random.RandomState(seed), mfccs, letters, np.where(silent, 7, letters), 7)
        assert changed.shape == mfccs.shape and np.isfinite(changed).all()
        assert ((phones == 7) | (phones == letters_then)).all()
        assert (letters_then != letters).any()


def test_a_missing_band_is_missing():
    notches = [augmentation._missing_band(np.random.RandomState(seed)) for seed in range(20)]
    assert all(notch.shape == (MEL_CHANNELS,) and notch.max() <= 0.0 for notch in notches)
    assert all(-3.0 <= notch.min() for notch in notches)
    assert np.mean([notch.min() < -0.4 for notch in notches]) > 0.8
