"""utils/preview/drawers.py: the same pictures in order, and ends that leave nothing."""
import os
import signal
import time

import numpy as np
import pytest

from utils.common.errors import UserError
from utils.preview.drawers import RUN_FRAMES, RUNS_AHEAD, Drawers
from utils.preview.face import moving_box, render_face
from utils.preview.shapes import FACE_CHANNELS
from utils.preview.video import preview_beside, write_preview

SIZE = 64
NUM_FRAMES = 3 * RUNS_AHEAD * RUN_FRAMES + 1
WEIGHTS = np.random.RandomState(0).rand(NUM_FRAMES, 52).astype(np.float32)


@pytest.mark.parametrize("num_processes, num_frames", [(1, NUM_FRAMES), (3, NUM_FRAMES), (3, 2)])
def test_the_pictures_are_those_of_render_face_in_their_order(num_processes, num_frames):
    with Drawers(SIZE, num_processes) as drawers:
        pictures = [picture.copy() for picture in drawers.pictures(WEIGHTS[:num_frames])]
    assert len(pictures) == num_frames
    left, top, right, bottom = moving_box(SIZE)
    for picture, weights in zip(pictures, WEIGHTS):
        frame = render_face(weights, FACE_CHANNELS, SIZE)
        np.testing.assert_array_equal(picture[:, :, ::-1], frame[top:bottom, left:right])


def test_the_video_is_the_one_that_one_process_writes(tmp_path):
    here, beside = str(tmp_path / "here.mp4"), str(tmp_path / "beside.mp4")
    weights = np.repeat(WEIGHTS, 2, axis=0)                 # each is drawn once
    write_preview(here, weights, FACE_CHANNELS, 30, size=SIZE)
    with Drawers(SIZE, 2) as drawers:
        with preview_beside(drawers, beside, weights, FACE_CHANNELS, 30, None, SIZE):
            pass
        with open(here, "rb") as one, open(beside, "rb") as other:
            assert one.read() == other.read()


def test_a_process_that_dies_is_told_and_leaves_nothing(tmp_path):
    path = str(tmp_path / "p.mp4")
    with Drawers(SIZE, 2) as drawers:
        os.kill(drawers._workers[1][0].pid, signal.SIGKILL)
        with pytest.raises(UserError, match="ended with exit code -9"):
            with preview_beside(drawers, path, WEIGHTS, FACE_CHANNELS, 30, None, SIZE):
                pass
    assert os.listdir(str(tmp_path)) == []


def test_an_error_beside_the_preview_stops_it_and_leaves_nothing(tmp_path):
    path = str(tmp_path / "p.mp4")
    long = np.random.RandomState(1).rand(100000, 52)
    started_s = time.time()
    with Drawers(SIZE, 2) as drawers:
        with pytest.raises(UserError, match="disk"):
            with preview_beside(drawers, path, long, FACE_CHANNELS, 30, None, SIZE):
                raise UserError("disk full")
    assert time.time() - started_s < 60
    assert os.listdir(str(tmp_path)) == []
    assert not any(process.is_alive() for process, _, _ in drawers._workers)


def test_what_the_preview_raises_is_raised_at_the_end_of_the_block(tmp_path):
    did = []
    with Drawers(SIZE, 1) as drawers:
        with pytest.raises(ValueError, match="not a number"):
            with preview_beside(drawers, str(tmp_path / "p.mp4"), WEIGHTS * np.nan, FACE_CHANNELS,
                                30, None, SIZE):
                did.append("the rest")
    assert did == ["the rest"]
