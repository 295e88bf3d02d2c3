"""A checkpoint written on one stack gives the same output on the other.

tests/cross_stack/ holds, for each stack, a small network after a few training steps there and
what it then predicted. Made by running this file, once on each stack:

    python -m tests.network.test_cross_stack
"""
import os

import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS, NUM_LETTERS, WINDOW_FRAMES
from utils.common.quiet_tensorflow import tf
from utils.network.checkpoint import read_checkpoint_info, save_checkpoint
from utils.network.layers import filters_of_size_factor
from utils.network.losses import DEFAULT_TRAINING
from utils.network.voca_model import VocaModel

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cross_stack")
STACKS = {"reference": "1.", "modern": "2."}
NUM_STEPS = 20


def sample_windows():
    """[32, 16, 29] like features: log-probabilities from 0 down to about -14."""
    return np.random.RandomState(4).uniform(-14.0, 0.0, (32, WINDOW_FRAMES, NUM_LETTERS)).astype(
        np.float32)


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_checkpoint_of_either_stack_gives_what_it_gave_there(stack):
    prefix = os.path.join(FOLDER, "%s.model" % stack)
    assert read_checkpoint_info(prefix)["package_versions"]["tensorflow"].startswith(STACKS[stack])
    model = VocaModel.from_checkpoint(prefix)
    expected = np.load(os.path.join(FOLDER, "%s.npy" % stack))
    np.testing.assert_allclose(model.predict(sample_windows()), expected, atol=1e-5, rtol=0)
    # A network that learnt nothing would pass all of this.
    assert expected.std() > 0.05


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_training_goes_on_from_a_checkpoint_of_either_stack(stack):
    model = VocaModel(filters_of_size_factor(0.25), 10, DEFAULT_TRAINING)
    model.restore(os.path.join(FOLDER, "%s.model" % stack))
    assert model.step == NUM_STEPS
    before = model.evaluate(sample_windows(), sample_targets())["loss"]
    for _ in range(5):
        model.train_step(sample_windows(), sample_targets(), 3e-3)
    assert model.step == NUM_STEPS + 5
    assert model.evaluate(sample_windows(), sample_targets())["loss"] < before


def sample_targets():
    return np.random.RandomState(5).uniform(0.0, 1.0, (32, len(MODEL_CHANNELS))).astype(np.float32)


def make():
    stack = "reference" if tf.__version__.startswith("1.") else "modern"
    model = VocaModel(filters_of_size_factor(0.25), 10, DEFAULT_TRAINING)
    model.initialize()
    for _ in range(NUM_STEPS):
        model.train_step(sample_windows(), sample_targets(), 3e-3)
    save_checkpoint(model.session, model.saver, os.path.join(FOLDER, "%s.model" % stack), {
        "feature_profile": "deepspeech", "acoustic_graph": None, "channels": list(MODEL_CHANNELS),
        "fps": ANIMATION_FPS, "window_frames": WINDOW_FRAMES, "step": NUM_STEPS,
        "package_versions": {"tensorflow": tf.__version__, "numpy": np.__version__}})
    np.save(os.path.join(FOLDER, "%s.npy" % stack), model.predict(sample_windows()))


if __name__ == "__main__":
    make()
