"""utils/tracking/tracker.py: either tracker on a real face, covered, doubled, at odd times."""
import importlib.util
import itertools
import os
import sys

import numpy as np
import pytest

from tests.measure.tracker_agreement import agreement
from utils.common.channels import LANDMARKER_CHANNELS
from utils.common.dropped_lines import stderr_lines_dropped
from utils.common.errors import UserError
from utils.media.video import video_frames
from utils.tracking import tracker as tracker_module
from utils.tracking.face_detection import Box
from utils.tracking.landmarker import FaceLandmarker
from utils.tracking.task_file import TASK_SHA256
from utils.tracking.tracker import COUNT_EVERY_S, MEDIAPIPE, TENSORFLOW, track_faces

HAS_PACKAGE = importlib.util.find_spec("mediapipe") is not None
FPS = 25
GREY = 128

needs_package = pytest.mark.skipif(not HAS_PACKAGE, reason="needs the mediapipe package")
both_trackers = pytest.mark.parametrize(
    "tracker", [TENSORFLOW, pytest.param(MEDIAPIPE, marks=needs_package)])


@pytest.fixture
def task_path(realdata):
    return os.path.join(realdata, "models", "face_landmarker.task")


@pytest.fixture
def face_frames(realdata):
    """Makes [(time_s, frame)] of the first frames of a real take, 25 a second."""
    def frames_of(num_frames):
        return list(itertools.islice(video_frames(os.path.join(
            realdata, "grid_s1_video", "1.mp4")), num_frames))
    return frames_of


@pytest.fixture
def tracked(task_path, monkeypatch):
    """Tracks frames in memory as if they were a video."""
    def track(timed_frames, tracker):
        monkeypatch.setattr(tracker_module, "video_frames", lambda path, warn: iter(timed_frames))
        return track_faces("in memory", task_path, tracker)
    return track


@both_trackers
def test_a_covered_face_is_lost_and_found_at_once(tracked, face_frames, tracker):
    frames = face_frames(45)
    empty = GREY * np.ones_like(frames[0][1])
    left = [(time_s, np.concatenate([frame, empty], axis=1)) for time_s, frame in frames]
    take = list(left)
    for i in range(10, 10 + FPS):                   # gone for a second, and back elsewhere
        take[i] = (frames[i][0], np.concatenate([empty, empty], axis=1))
    for i in range(10 + FPS, 45):
        take[i] = (frames[i][0], np.concatenate([empty, frames[i][1]], axis=1))
    track = tracked(take, tracker)
    assert list(track.num_faces) == [1] * 10 + [0] * FPS + [1] * 10
    assert not track.weights[10:35].any()
    # Found anew by the rough detector, then boxed by its landmarks as if nothing had been.
    whole = tracked(left, tracker)
    np.testing.assert_array_equal(track.weights[:10], whole.weights[:10])
    assert np.abs(track.weights[36:] - whole.weights[36:]).mean() < 0.01
    assert np.abs(track.weights[38:] - whole.weights[38:]).max() < 0.1


@both_trackers
def test_a_hand_before_the_face(tracked, face_frames, tracker):
    frames = face_frames(12)
    for i in range(4, 8):
        frame = frames[i][1].copy()
        frame[40:270, 60:300] = GREY
        frames[i] = (frames[i][0], frame)
    assert list(tracked(frames, tracker).num_faces) == [1] * 4 + [0] * 4 + [1] * 4


@both_trackers
def test_a_second_face_is_noticed_and_forgotten(tracked, face_frames, tracker):
    frames = face_frames(24)
    alone, other = GREY * np.ones_like(frames[0][1]), frames[0][1]
    take = [(time_s, np.concatenate([frame, other if 8 <= i < 16 else alone], axis=1))
            for i, (time_s, frame) in enumerate(frames)]
    track = tracked(take, tracker)
    late = int(round(COUNT_EVERY_S * FPS))
    assert set(track.num_faces[8 + late:16]) == {2} and set(track.num_faces[16 + late:]) == {1}
    assert set(track.num_faces[:8]) == {1}
    assert track.num_faces.max() == 2


def test_the_detector_alone_counts_no_face(task_path, face_frames, monkeypatch):
    landmarker = FaceLandmarker(task_path)
    detect = landmarker.detect
    corner = Box(30, 30, 50, 50, 0.0)               # a wall
    monkeypatch.setattr(landmarker, "detect", lambda frame: detect(frame) + [corner])
    assert [one.num_faces for one in landmarker.track(face_frames(2))] == [1, 1]
    # And the face followed is not counted again, however the detector boxes it.
    monkeypatch.setattr(landmarker, "detect", lambda frame: 2 * detect(frame))
    assert [one.num_faces for one in landmarker.track(face_frames(2))] == [1, 1]


def test_a_frame_has_its_own_time(realdata, task_path, monkeypatch):
    path = os.path.join(realdata, "video", "videoretalking_face1.mp4")
    monkeypatch.setattr(tracker_module, "video_frames",
                        lambda path, warn: itertools.islice(video_frames(path, warn), 30))
    seen = []
    track = track_faces(path, task_path, TENSORFLOW,
                        progress=lambda done_s, total_s: seen.append((done_s, total_s)))
    assert track.weights.shape == (30, 51) and track.names == LANDMARKER_CHANNELS
    assert set(track.num_faces) == {1} and track.weights.dtype == np.float32
    steps_s = np.diff(track.times_s)
    assert steps_s.min() < 0.04 and steps_s.max() > 0.06       # a variable rate
    assert track.times_s[-1] > 1.2 * 30 / 30.0      # which i / 30 would not give
    assert [done_s for done_s, _ in seen] == list(track.times_s)
    totals_s = {total_s for _, total_s in seen}
    assert len(totals_s) == 1 and totals_s.pop() == pytest.approx(6.1, abs=0.1)
    assert track.notes["tracker"] == TENSORFLOW and track.notes["landmarker_sha256"] == TASK_SHA256


@needs_package
def test_both_trackers_agree(tracked, face_frames):
    frames = face_frames(100)
    package, ours = tracked(frames, MEDIAPIPE), tracked(frames, TENSORFLOW)
    difference, correlation, moves = agreement(ours.weights, package.weights)
    assert difference.max() < 0.02 and difference.mean() < 0.002
    assert moves.sum() > 15 and correlation[moves].min() > 0.98
    assert package.notes["tracker"] == MEDIAPIPE and package.notes["tracker_version"]
    assert package.notes["landmarker_sha256"] == TASK_SHA256


@needs_package
def test_the_package_is_quiet(task_path, face_frames, tracked, capfd):
    tracked(face_frames(3), MEDIAPIPE)
    said = capfd.readouterr()
    assert said.out == "" and said.err == ""


def test_nothing_is_smoothed(tracked, task_path, face_frames):
    frames = face_frames(8)
    rough = list(FaceLandmarker(task_path).track(frames))
    np.testing.assert_array_equal(tracked(frames, TENSORFLOW).weights,
                                  [one.weights for one in rough])


def test_which_tracker(monkeypatch, tmp_path, capfd):
    video = tmp_path / "a.mp4"
    with pytest.raises(UserError, match="no tracker 'arkit'; expected one of auto, mediapipe"):
        track_faces(video, "x.task", "arkit")
    started = []

    def start(name):
        return lambda path, warn: started.append(name) or (lambda frames: iter(()), {})

    for name in (TENSORFLOW, MEDIAPIPE):
        monkeypatch.setattr(tracker_module, "_start_" + name, start(name))
    monkeypatch.setattr(tracker_module, "video_frames", lambda path, warn: iter(()))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    track_faces(video, "x.task")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "there")
    monkeypatch.setitem(sys.modules, "mediapipe", None)         # its import fails
    track_faces(video, "x.task")
    said = capfd.readouterr().err
    assert said.startswith("warning: the mediapipe package cannot be loaded (")
    assert said.count("\n") == 1
    warnings = []
    track_faces(video, "x.task", warn=warnings.append)
    assert warnings == [said[len("warning: "):].strip()] and not capfd.readouterr().err
    monkeypatch.setattr(tracker_module, "_package", lambda: None)
    track_faces(video, "x.task")
    assert started == [TENSORFLOW, TENSORFLOW, TENSORFLOW, MEDIAPIPE]


def test_the_package_is_asked_for_and_missing(monkeypatch, tmp_path, task_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="mediapipe package is not installed"):
        track_faces(tmp_path / "a.mp4", task_path, MEDIAPIPE)


@pytest.mark.parametrize("tracker", [TENSORFLOW, MEDIAPIPE])
def test_a_missing_task_is_one_line(tmp_path, tracker):
    # The file is looked at before the package is: no need to have that here.
    with pytest.raises(UserError, match="no file .*face_landmarker.task; download it from"):
        track_faces(tmp_path / "a.mp4", tmp_path / "face_landmarker.task", tracker)


def test_a_sound_has_no_face(task_path, realdata):
    path = os.path.join(realdata, "speech", "a2f_Mark_neutral.wav")
    with pytest.raises(UserError, match="no picture"):
        track_faces(path, task_path, TENSORFLOW)


def test_chatter_is_dropped_and_the_rest_is_not(capfd):
    with stderr_lines_dropped(b"INFO: |W0000 "):
        os.write(2, b"INFO: created\nreal trouble\nW0000 00:00 x\n INFO: indented\n")
    assert capfd.readouterr().err == "real trouble\n INFO: indented\n"
