"""utils/dataset/label_sources.py: which file is taken, what each kind reads as, hostile files."""
import glob
import json
import os
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from utils.common.channels import (LANDMARKER_CHANNELS, MODEL_CHANNELS, TRACKER_CHANNELS,
                                   UNREAL_CHANNELS)
from utils.common.errors import UserError, print_warning
from utils.dataset import label_sources
from utils.dataset.label_sources import KINDS, find_label_source, neutral_take_of, read_label_track
from utils.formats.face_files import read_face
from utils.formats.live_link_csv import (ANGLES, LiveLinkTake, read_live_link_csv,
                                         read_live_link_take, write_live_link_csv,
                                         write_live_link_take)
from utils.formats.npz import write_npz
from utils.media.ffmpeg import media_timecode_s
from utils.tracking.tracker import FaceTrack

TAKE = "Timecode,BlendshapeCount,JawOpen,MouthClose\n"
TABLE = "time,jawOpen,mouthClose\n"


def put(folder, name, content=""):
    path = folder / name
    path.write_text(content)
    return str(path)


def read(kind, path, **kwargs):
    return read_label_track(kind, path, None, **kwargs)


def row_of(values):
    return "[" + ", ".join("%g" % value for value in values) + "]\n"


def log_of(name, times_s, level=0.25, width=len(TRACKER_CHANNELS)):
    lines = ["-----\n"] + (["[%s]\n" % name] if name else [])
    for time_s in times_s:
        lines += ["%g\n" % time_s, row_of([level] * width)]
    return "".join(lines)


# ---- which file

def test_a_video_alone_is_tracked(tmp_path):
    video = put(tmp_path, "a.mp4")
    put(tmp_path, "b.csv", TABLE)
    put(tmp_path, "a_words.csv", "start_s,end_s,word\n")
    put(tmp_path, "a.txt", "Bin blue at f two now.\n")
    put(tmp_path, "debugout-1.txt", log_of("b.mp4", [0]))
    assert find_label_source(video) == ("tracker", video)
    assert neutral_take_of(video) is None


@pytest.mark.parametrize("name, content, kind", [
    ("a.csv", TAKE, "live_link"),
    ("a.csv", "Timecode, FrameRate, JawOpen\n", "live_link"),
    ("a_iPhone_cal.csv", TAKE.replace("shape", "Shape"), "live_link"),
    ("a_raw.csv", TAKE, "live_link"),
    ("a.csv", TABLE, "mediapipe_csv"),
    ("a_mediapipe52.csv", TABLE, "mediapipe_csv"),
    ("a.csv", ",timeCode,blendShapes.JawOpen\n", "audio2face"),
    ("a.json", '{"exportFps":30, "facsNames": ["jawOpen"], "weightMat": [[0]]}', "audio2face"),
    ("a.json", '{"names": ["jawOpen"], "frames": [{"weights": [0]}]}', "beat"),
    ("a.json", '[{"version": "3,0", "fps": 30, "scene": {"actors": []}}]', "rokoko"),
    ("a.npz", "", "npz"),
    ("a.csv", TAKE.replace(",", ";"), "live_link"),
    ("a.csv", "," + TAKE, "live_link"),
    ("a.csv", "frame,time,jawOpen\n", "mediapipe_csv"),
    ("a.csv", "Time (ms)\tjawOpen\n", "mediapipe_csv"),
    ("a.txt", "0.033\n[0.1, 0.2]\n", "debugout"),
    ("debugout-3.txt", "---\n a.mp4 \n0.033\n[0.1, 0.2]\n", "debugout"),
    ("debugout-3.txt", "[b.mp4]\n0\n[0.1]\n---\n[a.mp4]\n0\n[0.1]\n", "debugout"),
])
def test_what_lies_beside(tmp_path, name, content, kind):
    video, path = put(tmp_path, "a.mp4"), put(tmp_path, name, content)
    assert find_label_source(video) == (kind, path)
    assert find_label_source(video, kind) == (kind, path)
    assert find_label_source(video, "tracker") == ("tracker", video)
    assert find_label_source(put(tmp_path, "a.wav")) == (kind, path)
    assert find_label_source(path) == (kind, path)


def test_a_calibrated_take_comes_first(tmp_path):
    video = put(tmp_path, "My_Slate.mov")
    neutral = put(tmp_path, "My_Slate_iPhone_neutral.csv", TAKE)
    assert find_label_source(video) == ("live_link", neutral)
    raw = put(tmp_path, "My_Slate_iPhone_raw.csv", TAKE)
    assert find_label_source(video) == ("live_link", raw)
    cal = put(tmp_path, "My_Slate_iPhone_cal.csv", TAKE)
    assert find_label_source(video) == ("live_link", cal)
    assert neutral_take_of(video) == neutral


def test_a_longer_name_keeps_its_own_labels(tmp_path):
    short, longer = put(tmp_path, "take.mp4"), put(tmp_path, "take_1.mp4")
    path = put(tmp_path, "take_1_cal.csv", TAKE)
    assert find_label_source(short) == ("tracker", short)
    assert find_label_source(longer) == ("live_link", path)
    put(tmp_path, "take_i.mp4")                     # but that is an iPhone's
    path = put(tmp_path, "take_iPhone_cal.csv", TAKE)
    assert find_label_source(short) == ("live_link", path)


def test_two_candidates_must_be_told_apart(tmp_path):
    video = put(tmp_path, "a.mp4")
    table, npz = put(tmp_path, "a.csv", TABLE), put(tmp_path, "a.npz")
    with pytest.raises(UserError) as caught:
        find_label_source(video)
    for told in ("a.csv (mediapipe_csv)", "a.npz (npz)", "--labels"):
        assert told in str(caught.value)
    assert find_label_source(video, "npz") == ("npz", npz)
    assert find_label_source(video, "mediapipe_csv") == ("mediapipe_csv", table)


def test_nothing_to_go_by(tmp_path):
    with pytest.raises(UserError, match="a.wav: no labels lie beside it and it has no picture"):
        find_label_source(put(tmp_path, "a.wav"))
    with pytest.raises(UserError, match="no picture"):
        find_label_source(str(tmp_path / "a.wav"), "tracker")
    with pytest.raises(UserError, match="no labels of the kind beat"):
        find_label_source(put(tmp_path, "a.mp4"), "beat")
    with pytest.raises(UserError, match="'rig'; expected one of live_link"):
        find_label_source(str(tmp_path / "a.mp4"), "rig")


def test_a_file_of_the_name_that_is_no_face(tmp_path):
    video = put(tmp_path, "a.mp4")
    put(tmp_path, "a.csv", "start_s,end_s,word\n")
    with pytest.raises(UserError, match="a.csv line 1: .* force another source by --labels"):
        find_label_source(video)
    assert find_label_source(video, "tracker") == ("tracker", video)
    path = put(tmp_path, "a.npz")
    assert find_label_source(video, "npz") == ("npz", path)


# ---- Live Link Face

def test_real_takes(realdata):
    paths = glob.glob(os.path.join(realdata, "livelink_csv", "*.csv"))
    assert len(paths) == 3
    for path in paths:
        track = read("live_link", path)
        assert track.kind == "live_link" and track.path == path and len(track.sha256) == 64
        assert track.weights.shape == (1200, 52) and track.weights.dtype == np.float32
        assert set(track.names) == set(MODEL_CHANNELS)
        assert track.valid.all() and not track.reasons and track.start_s is None
        assert track.notes["take"] == "cal" and track.notes["fps"] == pytest.approx(60, abs=0.2)
    path = os.path.join(realdata, "livelink_csv", "MySlate_164_iPhone_cal.csv")
    assert read("live_link", path).notes["timecode_s"] == pytest.approx(
        19 * 3600 + 16 * 60 + 29 + 35.273 / 60)


def test_dropped_frames_keep_their_times(realdata, tmp_path):
    take = read_live_link_take(os.path.join(realdata, "livelink_csv", "Happy_iPhone_cal.csv"))
    kept = np.ones(len(take.times_s), bool)
    kept[[5, 6, 7, 100]] = False
    write_live_link_take(tmp_path / "a_raw.csv", take._replace(
        times_s=take.times_s[kept], weights=take.weights[kept], angles=take.angles[kept],
        has_face=take.has_face[kept]))
    track = read("live_link", tmp_path / "a_raw.csv")
    np.testing.assert_allclose(track.times_s, take.times_s[kept], atol=2e-5)
    np.testing.assert_allclose(track.weights, take.weights[kept], atol=1e-6)
    assert track.notes["take"] == "raw"


def test_a_count_of_zero_is_no_face(tmp_path):
    rows = ("10:00:00:00.0,2,0.5,0.25\n10:00:00:01.0,0,,\n10:00:00:02.0,0\n"
            "10:00:00:03.0,0,0.9,0.9\n10:00:00:04.0,2,0.75,0\n")
    path = put(tmp_path, "a.csv", TAKE + rows)
    track = read("live_link", path)
    np.testing.assert_array_equal(track.valid, [True, False, False, False, True])
    np.testing.assert_array_equal(track.reasons["no face"], ~track.valid)
    np.testing.assert_array_equal(track.weights, np.float32(
        [[0.5, 0.25], [0, 0], [0, 0], [0, 0], [0.75, 0]]))
    # Where rows cannot be marked they are left out, and the times stay.
    times_s, weights, _ = read_live_link_csv(path)
    np.testing.assert_allclose(times_s, [0, 4 / 60.0], atol=1e-9)
    assert len(read_face(path)[1]) == 2
    with pytest.raises(UserError, match="no row of 1 has a face"):
        read("live_link", put(tmp_path, "b.csv", TAKE + "10:00:00:01.0,0,,\n"))
    with pytest.raises(UserError, match="no row of 1 has a face"):
        read_face(str(tmp_path / "b.csv"))


def test_a_lost_face_is_written_as_such(tmp_path):
    has_face = np.array([True, False, True])
    take = LiveLinkTake(1.0, np.arange(3) / 60.0, np.full((3, 52), 0.5), MODEL_CHANNELS,
                        np.zeros((3, 9)), ANGLES, has_face)
    write_live_link_take(tmp_path / "a.csv", take)
    np.testing.assert_array_equal(read_live_link_take(tmp_path / "a.csv").has_face, has_face)


def frozen_take(angle):
    random = np.random.RandomState(1)
    weights, angles = random.rand(40, 52) * 0.5, np.zeros((40, 9))
    angles[:, 3] = angle * random.rand(40)
    for values in (weights, angles):
        values[10:25] = values[10]                  # 14 steps of a sixtieth
        values[30:33] = values[30]                  # too short to tell
    return LiveLinkTake(0.0, np.arange(40) / 60.0, weights, MODEL_CHANNELS, angles, ANGLES,
                        np.ones(40, bool))


def test_a_capture_that_stands_still_has_lost_the_face(tmp_path):
    write_live_link_take(tmp_path / "a.csv", frozen_take(angle=0.2))
    track = read("live_link", tmp_path / "a.csv")
    np.testing.assert_array_equal(np.flatnonzero(~track.valid), np.arange(11, 25))
    assert not track.weights[11:25].any() and track.weights[10].any()
    # What a program wrote may stand still: it has no angles.
    write_live_link_take(tmp_path / "b.csv", frozen_take(angle=0.0))
    assert read("live_link", tmp_path / "b.csv").valid.all()


def test_two_rows_at_one_time_are_one(tmp_path):
    path = put(tmp_path, "a.csv", TAKE + "10:00:00:00.0,2,0.5,0\n10:00:00:00.0,2,0.6,0\n"
                                         "10:00:00:01.0,2,0.7,0\n")
    track = read("live_link", path)
    np.testing.assert_array_equal(track.weights[:, 0], np.float32([0.5, 0.7]))
    assert (np.diff(track.times_s) > 0).all()
    assert track.notes["rows"] == 3 and track.notes["rows_at_a_time_already_there"] == 1


# ---- the published tracker's logs

def test_a_log_of_several_videos(tmp_path):
    path = put(tmp_path, "debugout-1.txt", log_of("1.mp4", [0.5, 0.54, 0.58], 0.25)
               + "-- next --\n 2.mp4 \n0.1\n" + row_of([-0.5] + [1.0] * 39) + "\n----\n0.2\n"
               + row_of([0.125] * 40))
    first = read("debugout", path, media_path="elsewhere/1.mp4")
    np.testing.assert_allclose(first.times_s, [0, 0.04, 0.08])
    assert first.start_s == 0.5 and first.names == TRACKER_CHANNELS
    assert first.valid.all() and first.weights.shape == (3, 40) and (first.weights == 0.25).all()
    second = read("debugout", path, media_path="2.mov")
    assert second.weights[0, 0] == -0.5 and (second.weights[1] == 0.125).all()
    assert second.start_s == pytest.approx(0.1) and len(second.times_s) == 2
    with pytest.raises(UserError, match="holds the videos 1, 2; say which"):
        read("debugout", path)
    with pytest.raises(UserError, match="holds the videos 1, 2; expected 3.mp4"):
        read("debugout", path, media_path="3.mp4")


def test_a_log_without_a_name_and_of_52_channels(tmp_path):
    path = put(tmp_path, "1.txt", log_of(None, [0, 0.1], width=52))
    assert read("debugout", path).names == MODEL_CHANNELS


@pytest.mark.parametrize("content, told", [
    ("", "no values"),
    ("[1.mp4]\n", "no values for 1"),
    ("0\n[0.1, 0.2]\n", "line 2: 2 values; expected 40 or 52"),
    ("0\n" + row_of([0] * 40) + "1\n" + row_of([0] * 52), "line 4: 52 values; expected 40"),
    ("0\n" + row_of([0] * 39 + [np.nan]), "line 2: 'nan'; expected a finite number"),
    ("0\n" + row_of([0] * 39 + [np.inf]), "line 2: 'inf'"),
    ("inf\n" + row_of([0] * 40), "line 1: 'inf'"),
    ("soon\n" + row_of([0] * 40), "line 1: 'soon'"),
    ("0\n0.1\n", "line 2: '0.1'; expected the values"),
    ("0\n" + row_of([0] * 40)[:-9] + "\n", "expected the values"),
    ("0\n" + row_of([0] * 40) + "0.1\n", "cut off"),
    (log_of(None, [0.2, 0.1]), "the time goes back from 0.2 s to 0.1 s"),
])
def test_broken_logs(tmp_path, content, told):
    path = put(tmp_path, "1.txt", content)
    with pytest.raises(UserError) as caught:
        read("debugout", path)
    assert told in str(caught.value) and "1.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- the other files

def test_beat_and_audio2face(tmp_path):
    names = [name for name in UNREAL_CHANNELS if name != "tongueOut"]
    frames = [{"weights": [0.5] * 51, "time": 0.25 + i / 60.0, "rotation": []} for i in range(4)]
    track = read("beat", put(tmp_path, "a.json", json.dumps({"names": names, "frames": frames})))
    assert track.names == tuple(names) and track.start_s == 0.25
    np.testing.assert_allclose(track.times_s, np.arange(4) / 60.0, atol=1e-9)
    path = put(tmp_path, "b.json", json.dumps({
        "weightMat": [[0.1, 0.2]] * 3, "exportFps": 30, "facsNames": ["jawOpen", "mouthClose"]}))
    track = read("audio2face", path)
    assert track.notes == {"rows": 3, "fps": 30.0} and track.start_s == 0.0
    with pytest.raises(UserError, match="is of the kind audio2face, not beat"):
        read("beat", path)
    path = put(tmp_path, "c.csv", ",timeCode,blendShapes.JawOpen,blendShapes.HeadRoll\n"
                                  "0,0.0,0.5,0.1\n1,0.0333,0.25,0.1\n")
    track = read("audio2face", path)
    assert track.names == ("jawOpen",)
    np.testing.assert_array_equal(track.weights, np.float32([[0.5], [0.25]]))


def test_tables_npz_and_the_real_labels(tmp_path, realdata):
    track = read("mediapipe_csv", put(
        tmp_path, "a.csv", TABLE + "0.02,0.5,0.25\n0.06,,\n0.10,nan,nan\n0.14,0.75,0\n"))
    np.testing.assert_array_equal(track.reasons["no face"], [False, True, True, False])
    assert not track.weights[1:3].any() and track.start_s == 0.02
    np.testing.assert_allclose(track.times_s, [0, 0.04, 0.08, 0.12])
    write_npz(tmp_path / "a.npz", np.full((3, 2), 0.5), ("jawOpen", "jawLeft"), 29.97)
    track = read("npz", tmp_path / "a.npz")
    np.testing.assert_allclose(track.times_s, np.arange(3) / 29.97)
    video = os.path.join(realdata, "grid_s1_video", "2.mp4")
    kind, path = find_label_source(video)
    assert kind == "mediapipe_csv" and path.endswith("2_mediapipe52.csv")
    track = read(kind, path, media_path=video)
    assert track.weights.shape == (6000, 51) and set(track.names) == set(LANDMARKER_CHANNELS)
    assert track.valid.all() and track.notes["fps"] == 25.0 and track.start_s == 0.0


def test_what_is_doubtful_goes_to_warn(tmp_path, capsys):
    path = put(tmp_path, "a.csv", TAKE + "".join(
        "0:0:%d:%d,2,%g,0\n" % (frame // 25, frame % 25, 20 + frame) for frame in range(60)))
    warnings = []
    track = read("live_link", path, warn=warnings.append)
    assert len(warnings) == 2
    assert "taken as 25 a second" in warnings[0] and "weights go up to 79" in warnings[1]
    np.testing.assert_allclose(track.times_s, np.arange(60) / 25.0, atol=1e-9)
    np.testing.assert_allclose(track.weights[:, 0], (20 + np.arange(60)) / 100.0, atol=1e-6)
    assert capsys.readouterr().err == ""
    read("live_link", path)                         # where nobody takes them
    assert capsys.readouterr().err.splitlines() == ["warning: " + line for line in warnings]


def test_the_sides_of_a_take_are_chosen(tmp_path):
    path = put(tmp_path, "a.csv", TAKE.replace("JawOpen,MouthClose", "JawLeft,MouthRight")
               + "0:0:0:0,2,0.5,0.25\n")
    assert read("live_link", path).names == ("jawLeft", "mouthRight")
    assert read("live_link", path, live_link_sides="app").names == ("jawRight", "mouthLeft")


def test_times_of_a_calendar_say_nothing_of_the_place_in_the_sound(tmp_path):
    path = put(tmp_path, "a.csv", TABLE + "".join(
        "%.3f,0.5,0\n" % (1.7e9 + frame / 25.0) for frame in range(10)))
    track = read("mediapipe_csv", path)
    assert track.start_s is None
    np.testing.assert_allclose(track.times_s, np.arange(10) / 25.0, atol=1e-5)


def test_rows_of_zeros_among_noise_are_no_face(tmp_path):
    channels = LANDMARKER_CHANNELS[:12]
    rows = ["%g,%s\n" % (frame / 30.0, ",".join(["0" if frame in (3, 4) else "0.01"] * 12))
            for frame in range(9)]
    track = read("mediapipe_csv", put(tmp_path, "a.csv", "time,%s\n%s" % (
        ",".join(channels), "".join(rows))))
    np.testing.assert_array_equal(np.flatnonzero(track.reasons["no face"]), [3, 4])


def test_a_set_of_clips_is_no_take(realdata):
    with pytest.raises(UserError, match="many clips .* write each clip as CLIP.npz"):
        read("npz", os.path.join(realdata, "grid_s1_clips", "labels.npz"))


@pytest.mark.parametrize("kind, name, content, told", [
    ("mediapipe_csv", "a.csv", TABLE, "weights are [0, 2]"),
    ("mediapipe_csv", "a.csv", TABLE + "0,0.1\n", "line 2: expected 3 numbers, found 2 cells"),
    ("mediapipe_csv", "a.csv", TABLE + "\n0,0.1,x\n", "line 3: expected 3 numbers"),
    ("mediapipe_csv", "a.csv", TABLE + "0,0.1,nan\n", "NaN"),
    ("mediapipe_csv", "a.csv", TABLE + "0,0.1,inf\n", "infinity"),
    ("mediapipe_csv", "a.csv", TABLE + "nan,0.1,0\n", "NaN"),
    ("mediapipe_csv", "a.csv", TABLE + "0,,\n1,,\n", "no row of 2 has a face"),
    ("mediapipe_csv", "a.csv", TABLE + "1,0,0\n0,0,0\n", "backwards"),
    ("mediapipe_csv", "a.csv", "time,smile\n0,0\n", "'smile' is none of"),
    ("mediapipe_csv", "a.csv", "", "line 1"),
    ("live_link", "a.csv", TAKE, "no rows"),
    ("live_link", "a.csv", TAKE + "0:0:1:0,2,0,0\n0:0:0:0,2,0,0\n", "backwards"),
    ("live_link", "a.csv", TAKE + "0:0:1:0,2,nan,0\n", "line 2: column JawOpen is 'nan'"),
    ("beat", "a.json", "", "not JSON"),
    ("beat", "a.json", "{}", "neither Audio2Face's"),
    ("beat", "a.json", '{"names": ["jawOpen"], "frames": []}', "expected a row for each frame"),
    ("beat", "a.json", '{"names": ["jawOpen"], "frames": [{"weights": [0, 1]}]}', "for 1 names"),
    ("audio2face", "a.json",
     '{"facsNames": ["jawOpen"], "exportFps": 30, "weightMat": [[NaN]]}', "NaN"),
    ("npz", "a.npz", "PK nothing", "not an .npz"),
])
def test_broken_files(tmp_path, kind, name, content, told):
    path = put(tmp_path, name, content)
    with pytest.raises(UserError) as caught:
        read(kind, path)
    assert told in str(caught.value) and name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_file(tmp_path, kind):
    path = tmp_path / ("none" + {"debugout": ".txt", "npz": ".npz", "tracker": ".mp4",
                                 "beat": ".json", "audio2face": ".json",
                                 "rokoko": ".json"}.get(kind, ".csv"))
    with pytest.raises(UserError, match="none"):
        read_label_track(kind, path, tmp_path / "none.task", tracker="tensorflow")


# ---- the video itself

def test_a_tracked_video(tmp_path, monkeypatch):
    video = put(tmp_path, "a.mp4", "some bytes")
    weights = np.random.RandomState(0).rand(4, 51).astype(np.float32)
    tracker_calls = []

    def track_faces(*args):
        tracker_calls.append(args)
        return FaceTrack(np.array([0.02, 0.06, 0.1, 0.14]), weights, LANDMARKER_CHANNELS,
                         np.array([1, 0, 2, 1]), {"tracker": "tensorflow"})

    monkeypatch.setattr(label_sources, "track_faces", track_faces)
    track = read_label_track("tracker", video, "x.task", progress=max, tracker="mediapipe")
    assert tracker_calls == [(video, "x.task", "mediapipe", max, print_warning)]
    np.testing.assert_array_equal(track.valid, [True, False, False, True])
    np.testing.assert_array_equal(track.reasons["no face"], [False, True, False, False])
    np.testing.assert_array_equal(track.reasons["two faces"], [False, False, True, False])
    np.testing.assert_array_equal(track.weights[[0, 3]], weights[[0, 3]])
    assert not track.weights[1:3].any()
    np.testing.assert_allclose(track.times_s + track.start_s, [0.02, 0.06, 0.1, 0.14])
    assert track.times_s[0] == 0.0 and track.notes == {"tracker": "tensorflow"}


def make_video(path, timecode, rate):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i",
               "color=s=32x32:r=%s:d=0.2" % rate, "-c:v", "mpeg4"]
    subprocess.check_call(command + (["-timecode", timecode] if timecode else []) + [str(path)])


@pytest.mark.parametrize("name, timecode, rate, expected_s", [
    ("a.mp4", "19:16:29:12", "30", 69389 + 12 / 30.0),
    ("a.mov", "01:00:00:59", "60", 3600 + 59 / 60.0),
    ("a.mp4", "19:16:29;12", "30000/1001", 69389 + 12 / 30.0),
    ("a.mkv", "00:00:01:05", "25", 1.2),
    ("a.mp4", None, "25", None),
])
def test_media_timecode(tmp_path, name, timecode, rate, expected_s):
    make_video(tmp_path / name, timecode, rate)
    assert media_timecode_s(tmp_path / name) == (
        None if expected_s is None else pytest.approx(expected_s))


def test_no_media_no_timecode(tmp_path, realdata):
    assert media_timecode_s(put(tmp_path, "a.mp4", "no video")) is None
    assert media_timecode_s(tmp_path / "none.mp4") is None
    assert media_timecode_s(os.path.join(realdata, "speech", "a2f_Mark_neutral.wav")) is None


def test_a_take_of_ours_comes_back(tmp_path):
    weights = np.random.RandomState(0).rand(30, 52).astype(np.float32)
    write_live_link_csv(tmp_path / "a.csv", weights, MODEL_CHANNELS, 30)
    track = read("live_link", tmp_path / "a.csv")
    assert track.valid.all() and track.notes["take"] == "as recorded"
    order = [track.names.index(name) for name in MODEL_CHANNELS]
    np.testing.assert_allclose(track.weights[:, order], weights, atol=1e-6)
    np.testing.assert_allclose(track.times_s, np.arange(30) / 30.0, atol=1e-5)
