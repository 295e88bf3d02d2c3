"""Letter masks: how many, of what, and the same again on resuming."""
import numpy as np
import pytest

from utils.common.constants import NUM_LETTERS, WINDOW_FRAMES
from utils.common.quiet_tensorflow import tf
from utils.network.letter_masks import with_letter_masks

NUM_INDICES = 400


def windows(seed=0):
    random = np.random.RandomState(seed)
    return random.uniform(-14, 0, [2 * NUM_INDICES, WINDOW_FRAMES, NUM_LETTERS, 1]).astype("f4")


def masked(rate=0.2, step=3, seed=1):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(with_letter_masks(tf.constant(windows()), rate, 2, seed,
                                             tf.constant(step)))


def test_nothing_unless_asked():
    np.testing.assert_array_equal(masked(rate=0.0), windows())


def test_the_same_step_draws_the_same_and_another_does_not():
    np.testing.assert_array_equal(masked(), masked())
    assert (masked() != masked(step=4)).any()
    assert (masked() != masked(seed=2)).any()


def test_a_mask_spans_the_window_and_is_shared_by_an_index():
    found = masked()
    changed = (found != windows()).all(axis=1)[:, :, 0]                 # [N, 29]
    assert ((found != windows()).any(axis=1)[:, :, 0] == changed).all()
    assert changed.mean() == pytest.approx(0.2, abs=0.02)
    np.testing.assert_array_equal(changed[::2], changed[1::2])


def test_a_masked_letter_holds_the_mean_of_the_batch():
    found, mean = masked(), windows().mean(axis=(0, 1))                 # [29, 1]
    changed = (found != windows()).all(axis=1)[:, :, 0]
    for window, letter in np.argwhere(changed)[:20]:
        np.testing.assert_allclose(found[window, :, letter, 0], mean[letter, 0], atol=1e-3)
