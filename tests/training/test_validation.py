"""Validation: each batch of a subject gets that subject's style."""
import numpy as np

from utils.common.constants import NUM_BLENDSHAPES, NUM_LETTERS, WINDOW_FRAMES
from utils.network.losses import LOSS_NAMES
from utils.training.subjects import Subject
from utils.training.validation import validation_losses


class RecordingModel(object):
    """Keeps the styles that it is evaluated with; every loss is 1."""

    def __init__(self):
        self.styles = []

    def evaluate(self, windows, targets, mask, styles):
        assert styles is None or len(styles) == len(windows)
        self.styles.append(None if styles is None else sorted(set(map(tuple, styles.tolist()))))
        return dict.fromkeys(LOSS_NAMES, 1.0)


def subject(name, num_frames):
    return Subject(name, np.zeros((num_frames, WINDOW_FRAMES, NUM_LETTERS), np.float32),
                   np.zeros((num_frames, NUM_BLENDSHAPES), np.float32),
                   np.ones(NUM_BLENDSHAPES, np.float32), "0" * 64)


def test_every_batch_has_the_style_of_its_subject():
    model = RecordingModel()
    losses = validation_losses(model, [subject("anna_1", 3000), subject("ben_1", 40)], 2,
                               ["anna", "ben"])
    assert losses == dict.fromkeys(LOSS_NAMES, 1.0)
    assert len(model.styles) > 2                        # more than one batch of the long one
    assert model.styles == [[(1.0, 0.0)]] * (len(model.styles) - 1) + [[(0.0, 1.0)]]


def test_without_styles_there_are_none():
    model = RecordingModel()
    validation_losses(model, [subject("anna_1", 40)], 2)
    assert model.styles == [None]
