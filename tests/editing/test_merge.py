"""utils/editing/merge.py: a capture's brows and eyes with the mouth of speech."""
import collections
import os

import numpy as np
import pytest

from tests.dataset.test_av_offset import opening_of, speech
from utils.common.channels import LANDMARKER_CHANNELS, MODEL_CHANNELS
from utils.common.errors import UserError
from utils.common.resample import resample_frames
from utils.dataset.av_offset import search_lag
from utils.editing.edits import Clip, edited
from utils.editing.flags import Edits
from utils.editing.merge import (FADE_S, GROUPS, Voice, merge_line, voice_of_audio, voice_of_face)
from utils.formats.face_files import read_face
from utils.formats.live_link_csv import ANGLES, LiveLinkTake, write_live_link_take
from utils.formats.npz import write_npz
from utils.media.audio import open_audio

FROM_CAPTURE = tuple(name for name in MODEL_CHANNELS if name.startswith(tuple(GROUPS.values())))
FROM_SPEECH = tuple(name for name in MODEL_CHANNELS if name not in FROM_CAPTURE)


def of(weights, name, names=MODEL_CHANNELS):
    return weights[:, names.index(name)]


def face(seconds, fps=30, seed=0, take=0):
    """Weights [frames, 52] of a person (seed) whose mouth says what the take says."""
    num_frames = int(round(seconds * fps))
    random = np.random.RandomState(100 + seed)
    knots = random.rand(int(seconds * 4) + 3, 52)                   # four a second
    weights = 0.5 * resample_frames(knots, 4, fps, num_frames)
    weights[:, MODEL_CHANNELS.index("mouthClose")] = 0.0
    weights[:, MODEL_CHANNELS.index("jawOpen")] = np.clip(
        opening_of(speech(num_frames, take, fps)), 0, 1)
    return weights.astype(np.float32)


def put_take(path, weights, fps=30, start_s=0.0, names=MODEL_CHANNELS, angle=0.0, has_face=None):
    """A Live Link Face take, HeadYaw rising by `angle` a frame."""
    full = np.zeros((len(weights), 52), np.float32)
    for place, name in enumerate(names):
        full[:, MODEL_CHANNELS.index(name)] = weights[:, place]
    angles = np.zeros((len(weights), len(ANGLES)))
    angles[:, 0] = angle * np.arange(len(weights))
    has_face = np.ones(len(weights), bool) if has_face is None else has_face
    write_live_link_take(path, LiveLinkTake(start_s, np.arange(len(weights)) / float(fps), full,
                                            MODEL_CHANNELS, angles, ANGLES, has_face))
    return str(path)


def merge(weights, path, fps=30, voice=None, timecode_s=None, names=MODEL_CHANNELS, **options):
    """(Clip, record of the merge, warnings)."""
    warnings = []
    clip, record = edited(
        Clip(weights, names, fps, None), Edits(merge_path=path, **options),
        lambda: voice or voice_of_face(weights, names, fps, timecode_s), warnings.append)
    assert clip.weights.shape == weights.shape and clip.weights.dtype == np.float32
    return clip, record["merge"], warnings


# ---- which channel from where

def test_each_channel_is_of_one_source(tmp_path):
    speaker, captured = face(12, seed=1), face(12, seed=2)
    clip, record, warnings = merge(speaker, put_take(tmp_path / "a.csv", captured),
                                   merge_offset_s=0)
    assert warnings == [] and len(FROM_CAPTURE) == 23 and len(FROM_SPEECH) == 29
    for names, source in ((FROM_CAPTURE, captured), (FROM_SPEECH, speaker)):
        for name in names:
            np.testing.assert_allclose(of(clip.weights, name), of(source, name), atol=1e-6)
    assert record == collections.OrderedDict([
        ("capture", "a.csv"), ("groups", ["brows", "eyes", "cheeks", "nose"]), ("method", "given"),
        ("start_s", 0), ("confidence", None)])
    assert {"jawOpen", "mouthSmileLeft", "tongueOut", "cheekPuff"} < set(FROM_SPEECH)
    assert {"browInnerUp", "eyeBlinkLeft", "cheekSquintLeft", "noseSneerRight"} < set(FROM_CAPTURE)


def test_what_a_capture_lacks_is_told_in_a_line(tmp_path):
    speaker, captured = face(12, seed=1), face(12, seed=2)
    names = tuple(name for name in LANDMARKER_CHANNELS if name != "browInnerUp")
    kept = captured[:, [MODEL_CHANNELS.index(name) for name in names]]
    kept[:, [names.index(name) for name in names if "cheek" in name or "nose" in name]] = 1e-4
    write_npz(tmp_path / "a.npz", kept, names, 30)
    clip, record, warnings = merge(speaker, str(tmp_path / "a.npz"))
    assert record["groups"] == ["brows", "eyes"]
    assert warnings == ["a.npz: it does not move, or lacks, browInnerUp, cheeks, nose; these are "
                        "the speech's"]
    for name in ("browInnerUp", "cheekSquintLeft", "noseSneerLeft", "jawOpen"):
        np.testing.assert_array_equal(of(clip.weights, name), of(speaker, name))
    np.testing.assert_allclose(of(clip.weights, "eyeBlinkLeft"), of(captured, "eyeBlinkLeft"))


def test_a_capture_of_a_mouth_alone_is_none(tmp_path):
    mouth = face(12)
    for name in FROM_CAPTURE:
        of(mouth, name)[:] = 0.25
    with pytest.raises(UserError, match="moves none of brows, eyes, cheeks, nose; give a capture"):
        merge(face(12), put_take(tmp_path / "a.csv", mouth))


@pytest.mark.parametrize("fps, capture_fps", [(24, 60), (30, 25), (60, 29.97), (29.97, 60)])
def test_it_is_resampled(tmp_path, fps, capture_fps):
    speaker, captured = face(12, fps, seed=1), face(12, capture_fps, seed=2)
    clip, _, warnings = merge(speaker, put_take(tmp_path / "a.csv", captured, capture_fps), fps,
                              merge_offset_s=0.0)
    expected = resample_frames(captured, capture_fps, fps, len(speaker))
    np.testing.assert_allclose(of(clip.weights, "browInnerUp"), of(expected, "browInnerUp"),
                               atol=1e-4)
    assert warnings == []


# ---- where it lies in time

@pytest.mark.parametrize("starts_s", [-3.0, 0.0, 2.5])
def test_its_place_is_found_by_the_mouth(tmp_path, starts_s):
    """Of one who says the same, with other brows."""
    speaker, captured = face(40, seed=1, take=5), face(40, seed=2, take=5)
    first, last = int(max(starts_s, 0) * 30), int((34 + starts_s) * 30)
    piece = captured[first:last] if starts_s >= 0 else captured[:last]
    if starts_s < 0:
        piece = np.concatenate([np.repeat(captured[:1], -starts_s * 30, axis=0), piece])
    piece = piece + 1e-4 * np.random.RandomState(0).rand(*piece.shape)
    clip, record, warnings = merge(speaker, put_take(tmp_path / "a.csv", piece))
    assert record["method"] == "searched" and record["confidence"] > 0.95
    assert record["start_s"] == pytest.approx(starts_s, abs=0.02)
    inside = slice(int((max(starts_s, 0) + FADE_S) * 30) + 2,
                   int((34 + starts_s - FADE_S) * 30) - 2)
    np.testing.assert_allclose(of(clip.weights, "browInnerUp")[inside],
                               of(captured, "browInnerUp")[inside], atol=0.03)
    assert len(warnings) == 1 and "a.csv: it covers " in warnings[0]
    assert merge_line(record) == ("brows, eyes, cheeks, nose of a.csv, which begins at %+.2f s of "
                                  "the speech (searched, confidence %.2f)"
                                  % (record["start_s"], record["confidence"]))


def test_its_place_is_told_by_timecode(tmp_path):
    speaker, captured = face(20, seed=1, take=5), face(20, seed=2, take=5)
    path = put_take(tmp_path / "a.csv", captured[60:], start_s=36002.0)
    clip, record, warnings = merge(speaker, path, timecode_s=36000.0)
    assert (record["method"], record["start_s"]) == ("timecode", 2.0)
    assert len(warnings) == 1 and "covers 18.0 of 20.0 s of speech" in warnings[0]
    np.testing.assert_allclose(of(clip.weights, "browInnerUp")[68:],
                               of(captured, "browInnerUp")[68:], atol=1e-6)
    _, record, warnings = merge(speaker, path, timecode_s=50000.0)
    assert record["method"] == "searched" and record["start_s"] == pytest.approx(2.0, abs=0.02)
    assert "the timecodes of capture and speech are of different clocks" in warnings[0]


def test_the_sound_places_it(tmp_path):
    envelope = speech(900, 5)
    speaker, captured = face(30, seed=1, take=6), face(30, seed=2, take=5)
    _, record, _ = merge(speaker, put_take(tmp_path / "a.csv", captured[90:]),
                         voice=Voice(envelope, None))
    assert record["start_s"] == pytest.approx(3.015, abs=0.02) and record["method"] == "searched"


def test_another_take_is_told(tmp_path):
    speaker, other = face(40, seed=1, take=5), face(40, seed=2, take=8)
    cases = ((dict(), "its place in the speech was searched and is not sure", other[:1100]),
             (dict(), "as long as the speech, which proves nothing", other),
             (dict(merge_offset_s=0.0), "mouth and speech do not go together at any place", other))
    for options, told, weights in cases:
        _, _, warnings = merge(speaker, put_take(tmp_path / "a.csv", weights), **options)
        assert any(warning.startswith("a.csv: ") and told in warning for warning in warnings), told
    same = face(40, seed=2, take=5)
    _, _, warnings = merge(speaker, put_take(tmp_path / "a.csv", same), merge_offset_s=2.0)
    assert any("a.csv: by the speech the capture is 2.0" in warning and "s late (" in warning
               for warning in warnings)


def test_without_a_jaw_its_place_must_be_given(tmp_path):
    names = tuple(name for name in MODEL_CHANNELS if name != "jawOpen")
    captured = face(12, seed=2)[:, [MODEL_CHANNELS.index(name) for name in names]]
    write_npz(tmp_path / "a.npz", captured, names, 30)
    assert merge(face(12), str(tmp_path / "a.npz"))[1]["method"] == "in step"
    text = put_take(tmp_path / "a.csv", captured, names=names)
    lines = [line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()]
    gone = lines[0].index("JawOpen")
    (tmp_path / "a.csv").write_text("\n".join(
        ",".join(cells[:gone] + cells[gone + 1:]) for cells in lines))
    with pytest.raises(UserError, match="has no jawOpen.*say by --merge_offset where it begins"):
        merge(face(12), text)
    assert merge(face(12), text, merge_offset_s=0.0)[2] == []


# ---- what it does not cover

def test_outside_it_the_speech_has_its_own(tmp_path):
    speaker, captured = face(20, seed=1), face(8, seed=2)
    clip, _, warnings = merge(speaker, put_take(tmp_path / "a.csv", captured), merge_offset_s=5.0)
    brow, own = of(clip.weights, "browInnerUp"), of(speaker, "browInnerUp")
    np.testing.assert_array_equal(brow[:151], own[:151])
    np.testing.assert_array_equal(brow[390:], own[390:])
    np.testing.assert_allclose(brow[157:383], of(captured, "browInnerUp")[7:233], atol=1e-5)
    half = (own[153] + of(captured, "browInnerUp")[3]) / 2
    assert brow[153] == pytest.approx(half, abs=1e-5)
    assert any("covers 8.0 of 20.0 s of speech, where brows and eyes are its own; 0.0 s of it are "
               "left out" in warning for warning in warnings)


def test_a_longer_capture_is_cut_and_told(tmp_path):
    speaker, captured = face(10, seed=1, take=5), face(16, seed=2, take=5)
    clip, _, warnings = merge(speaker, put_take(tmp_path / "a.csv", captured), merge_offset_s=-2.0)
    np.testing.assert_allclose(of(clip.weights, "browInnerUp"),
                               of(captured, "browInnerUp")[60:360], atol=1e-5)
    assert any("covers 10.0 of 10.0 s" in warning and "6.0 s of it are left out" in warning
               for warning in warnings)


@pytest.mark.parametrize("offset_s", [10.0, -8.0, 100.0])
def test_a_capture_outside_the_speech(tmp_path, offset_s):
    with pytest.raises(UserError, match="which is outside; check that both are one take"):
        merge(face(10), put_take(tmp_path / "a.csv", face(8, seed=2)), merge_offset_s=offset_s)


def test_rows_without_a_face_are_bridged_and_told(tmp_path):
    has_face = np.ones(360, bool)
    has_face[100:110] = False
    captured = face(12, seed=2)
    clip, _, warnings = merge(face(12, seed=1), put_take(tmp_path / "a.csv", captured,
                                                         has_face=has_face), merge_offset_s=0.0)
    assert warnings == ["a.csv: 10 of 360 rows have no face; it is drawn across them in straight "
                        "lines"]
    brow = of(captured, "browInnerUp")
    np.testing.assert_allclose(of(clip.weights, "browInnerUp")[99:111],
                               np.linspace(brow[99], brow[110], 12), atol=1e-5)


def test_angles_come_along(tmp_path):
    path = put_take(tmp_path / "a.csv", face(12, seed=2), angle=0.001)
    clip, _, _ = merge(face(12, seed=1), path, merge_offset_s=0.0)
    np.testing.assert_allclose(clip.angles[:, 0], 0.001 * np.arange(360), atol=1e-6)
    assert clip.angles.shape == (360, 9) and not clip.angles[:, 1:].any()
    clip, _, _ = merge(face(12, seed=1), put_take(tmp_path / "a.csv", face(12, seed=2)))
    assert clip.angles is None


def test_the_rest_pose_is_taken_off_the_capture_alone(tmp_path):
    speaker, captured = face(12, seed=1), 0.9 * face(12, seed=2) + np.float32(0.1)
    write_npz(tmp_path / "rest.npz", np.full((5, 52), 0.1), MODEL_CHANNELS, 30)
    clip, _, warnings = merge(speaker, put_take(tmp_path / "a.csv", captured), merge_offset_s=0.0,
                              neutral_path=str(tmp_path / "rest.npz"))
    np.testing.assert_allclose(of(clip.weights, "browInnerUp"), of(face(12, seed=2), "browInnerUp"),
                               atol=1e-5)
    np.testing.assert_array_equal(of(clip.weights, "jawOpen"), of(speaker, "jawOpen"))


@pytest.mark.parametrize("content, told", [
    ("", "expected"), ("words", "expected"), ("time,jawOpen\n0,x\n", "expected 2 numbers")])
def test_what_is_no_capture(tmp_path, content, told):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError, match=told):
        merge(face(3), str(tmp_path / "a.csv"))
    with pytest.raises(UserError):
        merge(face(3), str(tmp_path / "none.csv"))


# ---- real takes

def test_real_captures_find_their_speech(realdata):
    """A capture of a face against the sound it belongs to, and against another."""
    folder = os.path.join(realdata, "pairs")
    names = ("facegood_1114_2_01", "facegood_1114_2_02")
    voices = [voice_of_audio(open_audio(os.path.join(folder, name + ".flac"))) for name in names]
    times_s, weights, channels = read_face(os.path.join(folder, names[0] + ".csv"))
    mouths = [voice_of_face(weights, channels, 30, None), voices[0]]
    opening = weights[600:1500, channels.index("jawOpen")]
    for voice, least in zip(mouths, (0.99, 0.95)):
        lag = search_lag(opening, np.ones(900, bool), voice.envelope, 30, 90.0)
        assert lag.confidence > least and -lag.lag_s == pytest.approx(20.0, abs=0.05)
    lag = search_lag(opening, np.ones(900, bool), voices[1].envelope, 30, 90.0)
    assert lag.confidence < 0.95
