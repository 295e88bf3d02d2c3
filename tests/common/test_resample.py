"""utils/common/resample.py: linear, by time, held at the ends, ceil(seconds x fps) frames."""
import numpy as np
import pytest

from utils.common.resample import num_frames_of, resample_frames


@pytest.mark.parametrize("duration_s, fps, expected", [
    (1.0, 30, 30), (1.001, 30, 31), (0.1, 30, 3), (2.0, 29.97, 60), (1 / 3.0, 30, 10),
    (3600.0, 24, 86400), (0.001, 24, 1), (4.64, 30, 140)])
def test_num_frames(duration_s, fps, expected):
    assert num_frames_of(duration_s, fps) == expected


@pytest.mark.parametrize("from_fps, to_fps", [(60, 30), (30, 60), (30, 24), (25, 30), (29.97, 30)])
def test_a_straight_line_stays_one(from_fps, to_fps):
    num_rows = 50
    line = np.arange(num_rows)[:, np.newaxis] / float(from_fps) * [1.0, -2.0]
    resampled = resample_frames(line, from_fps, to_fps)
    assert resampled.dtype == np.float32
    assert len(resampled) == num_frames_of(num_rows / float(from_fps), to_fps)
    times_s = np.minimum(np.arange(len(resampled)) / float(to_fps), (num_rows - 1.0) / from_fps)
    np.testing.assert_allclose(resampled, times_s[:, np.newaxis] * [1.0, -2.0], atol=1e-5)


def test_against_numpy_on_uneven_times():
    random = np.random.RandomState(0)
    times_s = np.cumsum(random.rand(200) * 0.05)
    values = random.rand(200, 5)
    resampled = resample_frames(values, times_s, 30, num_frames=400)    # beyond both ends
    wanted_s = np.arange(400) / 30.0
    expected = np.stack([np.interp(wanted_s, times_s, column) for column in values.T], 1)
    np.testing.assert_allclose(resampled, expected, atol=1e-6)


def test_worked_by_hand():
    values = [[0.0], [1.0], [0.0]]
    np.testing.assert_allclose(resample_frames(values, [0.0, 0.1, 0.2], 20),
                               [[0.0], [0.5], [1.0], [0.5], [0.0], [0.0]], atol=1e-6)
    np.testing.assert_allclose(resample_frames(values, 10, 10, num_frames=5),
                               [[0.0], [1.0], [0.0], [0.0], [0.0]])


def test_one_row_is_held_and_equal_times_are_borne():
    np.testing.assert_array_equal(resample_frames([[0.3]], [0.0], 30, num_frames=3),
                                  np.full((3, 1), 0.3, np.float32))
    assert len(resample_frames([[0.3]], [0.0], 30)) == 1
    resampled = resample_frames([[0.0], [1.0], [2.0]], [0.0, 0.0, 1.0], 2)
    assert np.isfinite(resampled).all()


def test_the_same_rate_changes_nothing_and_shares_nothing():
    values = np.random.RandomState(0).rand(40, 3).astype(np.float32)
    same = resample_frames(values, 29.97, 29.97)
    np.testing.assert_array_equal(same, values)
    assert not np.shares_memory(same, values)


@pytest.mark.parametrize("values, times", [
    (np.zeros((0, 3)), 30), (np.zeros(3), 30), (np.zeros((3, 1)), [0.0, 1.0]),
    (np.zeros((3, 1)), [0.0, 2.0, 1.0])])
def test_what_is_no_curve(values, times):
    with pytest.raises(ValueError):
        resample_frames(values, times, 30)
