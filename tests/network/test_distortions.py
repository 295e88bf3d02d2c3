"""What training does to the inputs of layers: how much, when, and the same again on resuming."""
import numpy as np
import pytest

from utils.common.constants import NUM_LETTERS, WINDOW_FRAMES
from utils.common.quiet_tensorflow import tf
from utils.network import distortions
from utils.network.losses import DEFAULT_TRAINING

NUM_INDICES = 400


def windows(seed=0):
    random = np.random.RandomState(seed)
    return random.uniform(-14, 0, [2 * NUM_INDICES, WINDOW_FRAMES, NUM_LETTERS, 1]).astype("f4")


def distorted(step=3, seed=1, **options):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(distortions.distorted(
            tf.constant(windows()), DEFAULT_TRAINING._replace(**options), seed, tf.constant(step)))


def dropped(step=3, number=1, rate=0.25):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(distortions.dropped(
            tf.ones([100, 200]), rate, 1, tf.constant(step), number))


ALL = dict(feature_noise=0.5, time_mask_rate=0.5, letter_mask_rate=0.2)


def test_nothing_unless_asked():
    np.testing.assert_array_equal(distorted(), windows())
    assert (dropped(rate=0.0) == 1.0).all()


def test_the_same_step_draws_the_same_and_another_does_not():
    np.testing.assert_array_equal(distorted(**ALL), distorted(**ALL))
    assert (distorted(**ALL) != distorted(step=4, **ALL)).any()
    assert (distorted(**ALL) != distorted(seed=2, **ALL)).any()
    np.testing.assert_array_equal(dropped(), dropped())
    assert (dropped() != dropped(step=4)).any() and (dropped() != dropped(number=2)).any()


def test_time_blots_are_short_shared_by_an_index_and_hold_the_mean():
    found = distorted(time_mask_rate=0.5)
    changed = (found != windows()).any(axis=(2, 3)).reshape(NUM_INDICES, 2, WINDOW_FRAMES)
    np.testing.assert_array_equal(changed[:, 0], changed[:, 1])
    lengths = changed[:, 0].sum(axis=1)
    assert lengths.max() == distortions.MAX_BLOTTED_FRAMES
    assert np.mean(lengths > 0) == pytest.approx(0.5, abs=0.08)
    for index in np.flatnonzero(lengths)[:20]:
        frames = np.flatnonzero(changed[index, 0])
        assert frames[-1] - frames[0] + 1 == len(frames)                # one stretch
        np.testing.assert_allclose(found[2 * index, frames[0]],
                                   windows()[2 * index].mean(axis=0), atol=1e-4)


def test_letter_blots_span_the_window():
    changed = (distorted(letter_mask_rate=0.2) != windows()).all(axis=1)[:, :, 0]
    assert ((distorted(letter_mask_rate=0.2) != windows()).any(axis=1)[:, :, 0] == changed).all()
    assert changed.mean() == pytest.approx(0.2, abs=0.02)
    np.testing.assert_array_equal(changed[::2], changed[1::2])


def test_noise_has_its_deviation():
    noise = distorted(feature_noise=0.5) - windows()
    assert noise.std() == pytest.approx(0.5, rel=0.02) and abs(noise.mean()) < 0.01


def test_dropout_keeps_the_mean():
    found = dropped()
    assert np.mean(found == 0.0) == pytest.approx(0.25, abs=0.01)
    np.testing.assert_allclose(found[found > 0], 1.0 / 0.75, rtol=1e-6)
