"""The losses by hand: one index of two or three frames, two of the 52 channels at work."""
import numpy as np
import pytest

from utils.common.constants import NUM_BLENDSHAPES
from utils.common.quiet_tensorflow import tf
from utils.network import losses


def evaluate(loss, predicted, targets, mask=None, **options):
    """The loss of frames given as {channel: values over time}, everything else 0."""
    def frames(columns, fill):
        array = np.full([num_frames, NUM_BLENDSHAPES, 1, 1], fill, np.float32)
        for channel, values in columns.items():
            array[:, channel, 0, 0] = values
        return array

    num_frames = len(next(iter(predicted.values())))
    with tf.Graph().as_default(), tf.Session() as session:
        arrays = [tf.constant(frames(predicted, 0)), tf.constant(frames(targets, 0)),
                  tf.constant(frames(mask or {}, 1))]
        return float(session.run(loss(*arrays, **options)))


def test_reconstruction_is_the_mean_over_frames_and_channels():
    # errors 0.5 and -1 in channel 3 of two frames: (0.25 + 1) / (2 * 52)
    value = evaluate(losses.reconstruction_loss, {3: [0.5, 0.0]}, {3: [0.0, 1.0]})
    assert value == pytest.approx(1.25 / 104, rel=1e-6)


def test_absolute_reconstruction():
    value = evaluate(losses.reconstruction_loss, {3: [0.5, 0.0]}, {3: [0.0, 1.0]}, absolute=True)
    assert value == pytest.approx(1.5 / 104, rel=1e-6)


def test_velocity_is_of_the_last_two_frames():
    # predicted moves by 0.6, the truth by 0.1: error 0.5, squared, over 52 channels
    value = evaluate(losses.velocity_loss, {0: [0.2, 0.8]}, {0: [0.4, 0.5]},
                     num_consecutive_frames=2)
    assert value == pytest.approx(0.25 / 52, rel=1e-5)
    of_three = evaluate(losses.velocity_loss, {0: [9.0, 0.2, 0.8]}, {0: [0.0, 0.4, 0.5]},
                        num_consecutive_frames=3)
    assert of_three == pytest.approx(0.25 / 52, rel=1e-5)


def test_velocity_never_pairs_frames_of_two_indices():
    # two indices of two frames; inside each the motion is right, between them it jumps
    value = evaluate(losses.velocity_loss, {0: [0.0, 0.1, 0.9, 1.0]}, {0: [0.3, 0.4, 0.3, 0.4]},
                     num_consecutive_frames=2)
    assert value == pytest.approx(0.0, abs=1e-12)


def test_acceleration_is_the_second_difference():
    # predicted 0, 0.5, 0: second difference -1; the truth is a straight line: 0
    value = evaluate(losses.acceleration_loss, {7: [0.0, 0.5, 0.0]}, {7: [0.1, 0.2, 0.3]},
                     num_consecutive_frames=3)
    assert value == pytest.approx(1.0 / 52, rel=1e-5)


def test_masked_channel_leaves_the_mean_of_the_others():
    # channel 3 is wrong by 1 but masked; channel 4 is wrong by 0.5 among the other 51
    value = evaluate(losses.reconstruction_loss, {3: [1.0], 4: [0.5]}, {3: [0.0]}, {3: [0.0]})
    assert value == pytest.approx(0.25 / 51, rel=1e-5)


def test_velocity_counts_only_where_both_frames_are_known():
    value = evaluate(losses.velocity_loss, {3: [0.0, 1.0]}, {3: [0.0, 0.0]}, {3: [0.0, 1.0]},
                     num_consecutive_frames=2)
    assert value == 0.0


def test_everything_masked_is_zero_not_nan():
    mask = {channel: [0.0] for channel in range(NUM_BLENDSHAPES)}
    assert evaluate(losses.reconstruction_loss, {3: [1.0]}, {3: [0.0]}, mask) == 0.0


def test_regularizer_is_the_mean_size():
    with tf.Graph().as_default(), tf.Session() as session:
        predicted = np.zeros([1, NUM_BLENDSHAPES, 1, 1], np.float32)
        predicted[0, :2, 0, 0] = [0.4, -0.2]
        value = session.run(losses.offset_regularizer(predicted, np.ones_like(predicted)))
    assert value == pytest.approx(0.6 / 52, rel=1e-5)


def test_weights_in_the_mask_weigh_the_mean():
    # errors 1 in channel 3 of both frames, the first frame three times as heavy as the second
    mask = {channel: [3.0, 1.0] for channel in range(NUM_BLENDSHAPES)}
    value = evaluate(losses.reconstruction_loss, {3: [1.0, 0.5]}, {3: [0.0, 0.0]}, mask)
    assert value == pytest.approx((3 * 1.0 + 1 * 0.25) / (4 * 52), rel=1e-5)
    # two indices, the first one wrong: its motion weighs 3 (not 3 x 3) against 1
    mask = {channel: [3.0, 3.0, 1.0, 1.0] for channel in range(NUM_BLENDSHAPES)}
    value = evaluate(losses.velocity_loss, {3: [0.0, 0.5, 0.0, 0.0]}, {3: [0.0] * 4}, mask,
                     num_consecutive_frames=2)
    assert value == pytest.approx(3 * 0.25 / (4 * 52), rel=1e-5)


def test_opening_is_of_the_difference():
    """jawOpen and mouthClose both 0.2 too high: the lips are as far apart as they should be."""
    jaw, lips = losses.JAW_OPEN, losses.MOUTH_CLOSE
    both = evaluate(losses.opening_loss, {jaw: [0.5], lips: [0.3]}, {jaw: [0.3], lips: [0.1]})
    assert both == pytest.approx(0.0, abs=1e-12)
    # 0.5 - 0.3 against 0.3 - 0.3, in units of 1 / 2
    value = evaluate(losses.opening_loss, {jaw: [0.5], lips: [0.3]}, {jaw: [0.3], lips: [0.3]},
                     unit=2.0)
    assert value == pytest.approx((2.0 * 0.2) ** 2, rel=1e-5)
    value = evaluate(losses.opening_loss, {jaw: [0.5]}, {jaw: [0.3]}, absolute=True)
    assert value == pytest.approx(0.2, rel=1e-5)
    masked = evaluate(losses.opening_loss, {jaw: [0.5]}, {jaw: [0.3]}, {lips: [0.0]})
    assert masked == 0.0
