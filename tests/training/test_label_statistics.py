"""What labels say, worked out by hand on a few frames."""
import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.training.label_statistics import (LEAST_DEVIATION, closures,
                                             known_channels, label_deviations, label_means)
from utils.training.subjects import Subject

JAW, LIPS = MODEL_CHANNELS.index("jawOpen"), MODEL_CHANNELS.index("mouthClose")


def subject(columns, mask=None, valid=None):
    """A Subject of {channel: values}, everything else 0."""
    num_frames = len(next(iter(columns.values())))
    targets = np.zeros([num_frames, len(MODEL_CHANNELS)], np.float32)
    for channel, values in columns.items():
        targets[:, channel] = values
    mask = np.ones(len(MODEL_CHANNELS), np.float32) if mask is None else mask
    return Subject("s", np.zeros([num_frames, 16, 29], np.float32), targets, mask, "sound",
                   valid if valid is None else np.array(valid, bool))


def without(channel):
    mask = np.ones(len(MODEL_CHANNELS), np.float32)
    mask[channel] = 0.0
    return mask


def test_mean_and_deviation_over_both_subjects():
    subjects = [subject({JAW: [0.0, 0.2]}), subject({JAW: [0.4, 0.6]})]
    assert label_means(subjects)[JAW] == pytest.approx(0.3)
    # deviations from 0.3: -.3 -.1 .1 .3: sqrt((.09 + .01 + .01 + .09) / 4)
    assert label_deviations(subjects)[JAW] == pytest.approx(np.sqrt(0.05), rel=1e-5)
    assert label_deviations(subjects)[LIPS] == LEAST_DEVIATION


def test_invalid_frames_and_masked_channels_do_not_count():
    subjects = [subject({JAW: [0.0, 0.2, 0.9]}, valid=[1, 1, 0]),
                subject({JAW: [0.7, 0.7]}, mask=without(JAW))]
    assert label_means(subjects)[JAW] == pytest.approx(0.1)
    assert label_deviations(subjects)[JAW] == pytest.approx(0.1)


def test_known_channels():
    assert known_channels([subject({JAW: [0.1]}, mask=without(JAW))])[[JAW, LIPS]].tolist() == [
        False, True]
    assert known_channels([subject({JAW: [0.1]}, mask=without(JAW)),
                           subject({JAW: [0.1]})]).all()


def test_closures_are_short_and_between_open_frames():
    jaw = [0.4] * 5 + [0.05] * 3 + [0.4] * 5 + [0.05] * 12 + [0.4] * 5 + [0.0] * 4
    found = closures(subject({JAW: jaw}))
    # the first dip; twelve frames are a pause, and the last run has no opening after it
    assert list(np.flatnonzero(found)) == [5, 6, 7]


def test_the_lips_can_close_with_the_jaw_open():
    lips = np.zeros(11)
    lips[5] = 0.35
    assert list(np.flatnonzero(closures(subject({JAW: [0.4] * 11, LIPS: lips})))) == [5]
    # a source without mouthClose has nothing to tell by
    assert not closures(subject({JAW: [0.4] * 11, LIPS: lips}, mask=without(LIPS))).any()


@pytest.mark.parametrize("invalid", [4, 6, 7])
def test_a_closure_beside_or_over_invalid_frames_is_none(invalid):
    jaw = [0.4] * 5 + [0.05] * 2 + [0.4] * 5
    valid = np.ones(12)
    valid[invalid] = 0
    assert not closures(subject({JAW: jaw}, valid=valid)).any()
    assert closures(subject({JAW: jaw})).any()


def test_no_jaw_no_closures():
    assert not closures(subject({JAW: [0.4, 0.0, 0.4]}, mask=without(JAW))).any()
