"""utils/tracking/landmarker.py and what it stands on: the mediapipe package's numbers."""
import io
import itertools
import os
import zipfile

import numpy as np
import pytest

from tests.helpers.one_euro import SMOOTHING, OneEuroFilter
from tests.measure.tracker_agreement import agreement, read_labels
from utils.common.channels import MODEL_CHANNELS, reorder
from utils.common.errors import UserError
from utils.media.video import video_frames
from utils.tracking.face_detection import (Box, box_of_detection, box_of_landmarks, crop,
                                           decode_detections, from_crop, letterbox, make_anchors)
from utils.tracking.landmarker import BLENDSHAPE_LANDMARKS, FACE_LANDMARKER_CHANNELS, FaceLandmarker

NUM_FRAMES = 120
# mediapipe 1.2.2 in video mode, num_faces 1, on grid_s1_video/1.mp4.
PACKAGE_FRAMES = (0, 30, 60, 90, 119)
PACKAGE_WEIGHTS = (
    ("jawOpen", (0.0156, 0.1171, 0.0249, 0.1482, 0.0337)),
    ("mouthClose", (0.0048, 0.0819, 0.0140, 0.0719, 0.0206)),
    ("mouthPucker", (0.0057, 0.0323, 0.0026, 0.0382, 0.0055)),
    ("mouthPressLeft", (0.0424, 0.0230, 0.0540, 0.0111, 0.0334)),
    ("mouthRollUpper", (0.0221, 0.0707, 0.0269, 0.0407, 0.0193)),
    ("eyeBlinkLeft", (0.1186, 0.2522, 0.3734, 0.0895, 0.3567)),
    ("eyeLookInRight", (0.0427, 0.0181, 0.0260, 0.0169, 0.0233)),
    ("browInnerUp", (0.0536, 0.0076, 0.0054, 0.0040, 0.0038)))


@pytest.fixture
def task_path(realdata):
    return os.path.join(realdata, "models", "face_landmarker.task")


@pytest.fixture
def video_path(realdata):
    return os.path.join(realdata, "grid_s1_video", "1.mp4")


def first_frames(path, num_frames):
    return list(itertools.islice(video_frames(path), num_frames))


def weights_of(tracked_frames):
    return np.array([np.full(len(FACE_LANDMARKER_CHANNELS), np.nan) if one.weights is None
                     else one.weights for one in tracked_frames])


# Geometry, by hand

def test_anchors_cover_two_grids():
    anchors = make_anchors()
    assert anchors.shape == (896, 2)
    np.testing.assert_allclose(anchors[:3], [[1 / 32., 1 / 32.]] * 2 + [[3 / 32., 1 / 32.]])
    np.testing.assert_allclose(anchors[512:519], [[1 / 16., 1 / 16.]] * 6 + [[3 / 16., 1 / 16.]])
    np.testing.assert_allclose(anchors[-1], [15 / 16., 15 / 16.])


def test_detections_are_decoded_and_merged_by_score():
    regressors, logits = np.zeros((896, 16)), np.full(896, -50.0)
    for anchor, width, logit in ((0, 32.0, np.log(3.0)), (1, 40.0, np.log(9.0)),
                                 (895, 16.0, 0.1), (894, 16.0, -0.1)):
        regressors[anchor, 2:4] = width
        regressors[anchor, 4:6] = 64.0, -64.0               # the first keypoint
        logits[anchor] = logit
    found = decode_detections(regressors, logits, make_anchors())
    assert found.shape == (2, 16)
    # Scores 0.75 and 0.9: (0.75 * 32 + 0.9 * 40) / 1.65 / 128 wide, about the first anchor.
    width = (0.75 * 32 + 0.9 * 40) / 1.65 / 128
    np.testing.assert_allclose(found[0, :6], [1 / 32. - width / 2] * 2 + [1 / 32. + width / 2] * 2
                               + [1 / 32. + 0.5, 1 / 32. - 0.5], atol=1e-7)
    np.testing.assert_allclose(found[1, 2] - found[1, 0], 16 / 128.)


def test_no_detection_is_an_empty_array():
    assert decode_detections(np.zeros((896, 16)), np.full(896, -9.0),
                             make_anchors()).shape == (0, 16)


def test_letterbox_puts_a_detection_back():
    seen_in = letterbox(200, 100)
    assert seen_in == Box(100, 50, 200, 200, 0.0)
    detection = np.full(16, 0.5)
    detection[:4] = 0.4, 0.25, 0.6, 0.75
    detection[4:8] = 0.45, 0.45, 0.55, 0.55                 # eyes at 45 degrees
    box = box_of_detection(detection, seen_in)
    np.testing.assert_allclose(box, [100, 50, 1.5 * 40, 1.5 * 100, np.pi / 4])


def test_box_of_landmarks_is_square_and_level_with_the_eyes():
    landmarks = np.array([[10.0, 20.0], [50.0, 40.0], [30.0, 100.0]])
    box = box_of_landmarks(landmarks, 0, 1)
    np.testing.assert_allclose(box, [30, 60, 120, 120, np.arctan2(20, 40)])


def test_crop_turns_the_box_upright_and_back():
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[60:64, 30:34] = 255
    box = Box(40.0, 50.0, 60.0, 60.0, np.pi / 6)
    image = crop(frame, box, 120, is_edge_repeated=True)
    rows, columns = np.nonzero(image[:, :, 0] > 128)
    place = from_crop([[columns.mean() / 120, rows.mean() / 120]], box)
    np.testing.assert_allclose(place, [[31.5, 61.5]], atol=0.3)


def test_beyond_the_frame_is_black_or_its_edge():
    frame = np.full((10, 20, 3), 200, np.uint8)
    seen_in = letterbox(20, 10)
    assert crop(frame, seen_in, 20, is_edge_repeated=False)[0, 10, 0] == 0
    assert crop(frame, seen_in, 20, is_edge_repeated=True)[0, 10, 0] == 200


def test_one_euro_filter_by_hand():
    steady = OneEuroFilter(min_cutoff_hz=1.0, beta=2.0, speed_cutoff_hz=0.5)
    assert steady.filter(0.0, [3.0]) == [3.0]
    step_s, size = 0.1, 4.0
    speed = (1 / (1 + 1 / (2 * np.pi * 0.5 * step_s))) * (7.0 - 3.0) / size / step_s
    cutoff_hz = 1.0 + 2.0 * speed
    share = 1 / (1 + 1 / (2 * np.pi * cutoff_hz * step_s))
    np.testing.assert_allclose(steady.filter(0.1, [7.0], scale=size), [3.0 + share * 4.0])
    steady.reset()
    assert steady.filter(0.2, [5.0]) == [5.0]


def test_channels_are_arkit_names_without_tongue():
    assert set(MODEL_CHANNELS) - set(FACE_LANDMARKER_CHANNELS) == {"tongueOut"}
    assert len(set(FACE_LANDMARKER_CHANNELS)) == 51 and len(set(BLENDSHAPE_LANDMARKS)) == 146


# The model file

def test_agrees_with_mediapipe(realdata, task_path, video_path):
    frames = first_frames(video_path, NUM_FRAMES)
    landmarker = FaceLandmarker(task_path)
    tracked = list(landmarker.track(frames))
    assert {one.num_faces for one in tracked} == {1}
    assert [one.time_s for one in tracked] == [time_s for time_s, _ in frames]
    # The package smooths the landmarks of a video before it takes blendshapes from them.
    steady = OneEuroFilter(**SMOOTHING)
    weights = np.stack([landmarker.weights_of_landmarks(steady.filter(
        one.time_s, one.landmarks, scale=np.ptp(one.landmarks, axis=0).mean()))
        for one in tracked])
    for name, expected in PACKAGE_WEIGHTS:
        column = landmarker.names.index(name)
        np.testing.assert_allclose(weights[list(PACKAGE_FRAMES), column], expected, atol=0.006,
                                   err_msg=name)
    # These labels were tracked clip by clip: the package itself differs from them as much.
    labels, names = read_labels(os.path.join(realdata, "grid_s1_video", "1_mediapipe52.csv"))
    difference, correlation, moves = agreement(
        weights, reorder(labels[:NUM_FRAMES], names, landmarker.names))
    assert difference.max() < 0.02
    assert moves.sum() > 15 and np.median(correlation[moves]) > 0.98
    column = landmarker.names.index("jawOpen")
    assert correlation[column] > 0.99


def test_face_is_lost_and_found_again(task_path, video_path):
    frames = first_frames(video_path, 8)
    black = np.zeros_like(frames[0][1])
    take = [(time_s, black if 2 <= i < 5 else frame) for i, (time_s, frame) in enumerate(frames)]
    landmarker = FaceLandmarker(task_path)
    tracked = list(landmarker.track(take))
    assert [one.weights is None for one in tracked] == [2 <= i < 5 for i in range(8)]
    assert [one.num_faces for one in tracked] == [0 if 2 <= i < 5 else 1 for i in range(8)]
    # Found anew, nothing of what came before the gap is left.
    afresh = list(landmarker.track(frames[5:]))
    np.testing.assert_array_equal(weights_of(tracked[5:]), weights_of(afresh))


def test_a_turned_head_in_a_tall_picture(task_path, video_path):
    cv2 = pytest.importorskip("cv2")
    (_, frame), = first_frames(video_path, 1)
    turn = cv2.getRotationMatrix2D((180, 144), 30, 1.0)
    turn[1, 2] += 200
    turned = cv2.warpAffine(frame, turn, (360, 640))
    landmarker = FaceLandmarker(task_path)
    # The second look at a still is boxed by its landmarks, not by the rough detection.
    upright, turned = (list(landmarker.track([(0.0, one), (0.04, one)]))[1]
                       for one in (frame, turned))
    there = upright.landmarks.dot(turn[:, :2].T) + turn[:, 2]
    assert np.abs(turned.landmarks - there).mean() < 1.0
    assert np.abs(turned.weights - upright.weights).max() < 0.12


def test_two_faces_are_counted(task_path, video_path):
    (_, frame), = first_frames(video_path, 1)
    tracked, = FaceLandmarker(task_path).track([(0.0, np.concatenate([frame, frame], axis=1))])
    assert tracked.num_faces == 2 and tracked.weights is not None


def test_a_known_file_says_nothing(task_path, capfd):
    FaceLandmarker(task_path)
    said = capfd.readouterr()
    assert said.out == "" and said.err == ""


# Wrong files

def zipped(members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as task:
        for name, member in members.items():
            task.writestr(name, member)
    return content.getvalue()


def test_an_unknown_version_is_warned_of_and_works(task_path, tmp_path, capfd):
    with zipfile.ZipFile(task_path) as task:
        members = {name: task.read(name) for name in task.namelist()}
    path = tmp_path / "other.task"
    path.write_bytes(zipped(dict(members, note="another")))
    FaceLandmarker(path)
    said = capfd.readouterr().err
    assert said.startswith("warning: ") and "not the known version" in said
    assert said.count("\n") == 1


def test_wrong_networks(task_path, tmp_path):
    with zipfile.ZipFile(task_path) as task:
        members = {name: task.read(name) for name in task.namelist()}
    detector = members["face_detector.tflite"]
    for changed, said in (
            ({"face_detector.tflite": detector[:len(detector) // 2]}, "not whole"),
            ({"face_detector.tflite": b"no network"}, "not whole"),
            ({"face_landmarks_detector.tflite": detector}, "not the network expected")):
        path = tmp_path / "wrong.task"
        path.write_bytes(zipped(dict(members, **changed)))
        with pytest.raises(UserError) as caught:
            FaceLandmarker(path)
        assert said in str(caught.value)


def test_what_is_no_task(tmp_path):
    (tmp_path / "text.task").write_text("<html>not found</html>")
    (tmp_path / "empty.task").write_bytes(b"")
    (tmp_path / "other.task").write_bytes(zipped({"hand.tflite": b"TFL3"}))
    for name, said in (("text.task", "no face_landmarker.task"),
                       ("empty.task", "no face_landmarker.task"),
                       ("other.task", "has no face_detector.tflite"),
                       ("absent.task", "no file"), (".", "folder")):
        with pytest.raises(UserError) as caught:
            FaceLandmarker(tmp_path / name)
        assert said in str(caught.value) and "\n" not in str(caught.value), name
