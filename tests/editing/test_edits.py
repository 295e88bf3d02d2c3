"""utils/editing/edits.py: rest pose, blinks, smoothing, sides, gains; and their order."""
import json

import numpy as np
import pytest

from tests.formats.golden_clip import golden_clip
from tests.helpers.faces import random_weights
from utils.animation.eye_motion import EyeMotion
from utils.common.channels import MODEL_CHANNELS, UNREAL_CHANNELS, reorder
from utils.common.errors import UserError
from utils.editing.edits import Clip, edited, face_edit, rest_pose, symmetric
from utils.editing.flags import Edits
from utils.editing.gains import amplified, parse_gain
from utils.formats.npz import write_npz

LEFT = [name for name in MODEL_CHANNELS if name.endswith("Left")]
GAZE_LEFT = ["eyeLookInLeft", "eyeLookOutLeft"]


def apply(weights, names=MODEL_CHANNELS, fps=30, warn=pytest.fail, **options):
    """(weights, record) after Edits of these options; nothing is merged."""
    clip, record = edited(Clip(np.float32(weights), names, fps, None), Edits(**options), None, warn)
    assert clip.angles is None and clip.weights.dtype == np.float32
    assert clip.weights.min() >= 0 and clip.weights.max() <= 1
    return clip.weights, json.loads(json.dumps(record))


def of(weights, name):
    return weights[:, MODEL_CHANNELS.index(name)]


def put(path, weights, names=MODEL_CHANNELS):
    write_npz(path, np.float32(weights), names, 30)
    return str(path)


def speaking(num_frames=900):
    """Weights [frames, 52] of a mouth that opens and shuts, with still eyes."""
    weights = np.zeros((num_frames, 52), np.float32)
    time_s = np.arange(num_frames) / 30.0
    of(weights, "jawOpen")[:] = (0.3 * np.abs(np.sin(6.0 * time_s))) * (np.sin(0.7 * time_s) > -0.5)
    return weights


# ---- sides

def test_symmetric_is_the_mean_by_name():
    weights = random_weights(20)
    even, record = apply(weights, symmetric=True)
    assert record == {"symmetric": True}
    for left in LEFT:
        right = left[:-4] + "Right"
        mean = (of(weights, left) + of(weights, right)) / 2
        for name in (left, right):
            expected = of(weights, name) if left in GAZE_LEFT else mean
            np.testing.assert_allclose(of(even, name), expected, atol=1e-7)
    for name in set(MODEL_CHANNELS) - set(LEFT) - {name[:-4] + "Right" for name in LEFT}:
        np.testing.assert_array_equal(of(even, name), of(weights, name))


def test_symmetric_twice_is_symmetric():
    once = symmetric(random_weights(20), MODEL_CHANNELS)
    np.testing.assert_array_equal(symmetric(once, MODEL_CHANNELS), once)


def test_the_order_of_columns_does_not_matter(tmp_path):
    rest = put(tmp_path / "rest.npz", 0.2 * random_weights(1, seed=3))
    options = dict(symmetric=True, smooth_frames=5, gains=(parse_gain("mouth*=0.5"),),
                   neutral_path=rest, eye_motion=True, eye_seed=2)
    weights = random_weights(90)
    found, _ = apply(weights, **options)
    turned, _ = apply(reorder(weights, MODEL_CHANNELS, UNREAL_CHANNELS), UNREAL_CHANNELS, **options)
    np.testing.assert_allclose(reorder(turned, UNREAL_CHANNELS, MODEL_CHANNELS), found, atol=1e-7)


# ---- smoothing

def test_smoothing_keeps_constants_ramps_and_the_ends():
    weights = np.repeat(random_weights(1), 90, axis=0)
    ramp = np.linspace(0.1, 0.9, 90)
    of(weights, "jawOpen")[:] = ramp
    for frames in (5, 9, 61):
        smooth, record = apply(weights, smooth_frames=frames)
        assert record == {"smooth_frames": frames}
        np.testing.assert_allclose(smooth, weights, atol=1e-5)


def test_smoothing_is_zero_phase_and_calms():
    weights = random_weights(300)
    smooth, _ = apply(weights, smooth_frames=9)
    jerk, before = (np.abs(np.diff(clip, 3, axis=0)).mean() for clip in (smooth, weights))
    assert jerk < 0.4 * before
    back, _ = apply(weights[::-1], smooth_frames=9)
    np.testing.assert_allclose(back[::-1], smooth, atol=1e-5)


@pytest.mark.parametrize("fps", [24, 29.97, 30, 59.94, 60])
@pytest.mark.parametrize("frames", [5, 7, 21])
def test_the_window_is_as_many_frames_at_any_rate(fps, frames):
    weights = np.zeros((99, 52), np.float32)
    weights[49] = 1.0
    touched = np.flatnonzero(apply(weights, fps=fps, smooth_frames=frames)[0][:, 0])
    assert 49 - touched.min() <= frames // 2 and touched.max() - 49 <= frames // 2
    assert of(apply(weights, fps=fps, smooth_frames=frames)[0], "jawOpen")[49] == pytest.approx(
        3 * (3 * frames ** 2 - 7) / (4.0 * frames * (frames ** 2 - 4)), abs=1e-5)


def test_lips_that_close_still_close():
    """A closure of three frames, as p, b, m have at 30 a second, stays one in five frames."""
    weights = speaking()
    of(weights, "jawOpen")[:] = 0.3
    of(weights, "jawOpen")[100:103] = 0.0
    assert of(apply(weights, smooth_frames=5)[0], "jawOpen")[101] < 0.05


def test_too_few_frames_to_smooth():
    weights, warnings = random_weights(8), []
    smooth, _ = apply(weights, smooth_frames=9, warn=warnings.append)
    np.testing.assert_array_equal(smooth, weights)
    assert warnings == ["8 frames are fewer than the 9 of --smooth, and stay as they are"]


# ---- the rest pose

def test_a_face_less_itself_is_0(tmp_path):
    still = np.repeat(0.3 * random_weights(1), 20, axis=0)
    weights, record = apply(still, neutral_path=put(tmp_path / "rest.npz", still))
    assert not weights.any() and record == {"neutral": "rest.npz"}


def test_the_rest_pose_is_the_median(tmp_path):
    rest = np.full((60, 52), 0.1)
    rest[3, MODEL_CHANNELS.index("eyeBlinkLeft")] = 1.0         # one blink
    weights, _ = apply(np.full((5, 52), 0.55), neutral_path=put(tmp_path / "rest.npz", rest))
    np.testing.assert_allclose(weights, 0.5, atol=1e-6)         # (0.55 - 0.1) / 0.9
    ends, _ = apply(np.array([np.zeros(52), np.ones(52)]), neutral_path=str(tmp_path / "rest.npz"))
    np.testing.assert_array_equal(ends, [np.zeros(52), np.ones(52)])


def test_channels_that_the_rest_pose_lacks_stay_and_are_told(tmp_path):
    path = put(tmp_path / "rest.npz", np.full((5, 2), 0.2), ("jawOpen", "browInnerUp"))
    warnings = []
    weights, _ = apply(np.full((5, 52), 0.2), neutral_path=path, warn=warnings.append)
    assert not of(weights, "jawOpen").any() and not of(weights, "browInnerUp").any()
    assert np.sum(weights.max(axis=0) == np.float32(0.2)) == 50
    assert len(warnings) == 1 and "rest.npz lacks 50 of the shapes, which stay" in warnings[0]


def test_doubtful_rest_poses_are_told(tmp_path):
    warnings = []
    talking = np.zeros((100, 52))
    talking[:, MODEL_CHANNELS.index("jawOpen")] = np.linspace(0, 0.8, 100)
    rest_pose(put(tmp_path / "a.npz", talking), warnings.append)
    assert warnings == ["a.npz: a rest pose should stand still, and jawOpen moves by 0.72; its "
                        "median is taken"]
    rest_pose(put(tmp_path / "b.npz", np.full((5, 1), 0.7), ("mouthFunnel",)), warnings.append)
    assert len(warnings) == 2 and "mouthFunnel is 0.70" in warnings[1]
    for path in (tmp_path / "none.npz", tmp_path / "none.csv", tmp_path / "a.txt"):
        with pytest.raises(UserError):
            rest_pose(str(path), pytest.fail)


# ---- blinks

def test_blinks_are_those_of_the_seed():
    weights = speaking()
    first, record = apply(weights, eye_motion=True, eye_seed=7)
    assert record == {"eye_motion": 7}
    np.testing.assert_array_equal(first, apply(weights, eye_motion=True, eye_seed=7)[0])
    np.testing.assert_array_equal(first, EyeMotion(MODEL_CHANNELS, 30, 7).feed(weights))
    other, _ = apply(weights, eye_motion=True, eye_seed=8)
    assert of(first, "eyeBlinkLeft").max() > 0.8 and (of(first, "eyeBlinkLeft")
                                                      != of(other, "eyeBlinkLeft")).any()
    np.testing.assert_array_equal(of(first, "jawOpen"), of(weights, "jawOpen"))


def test_blinks_taken_out_leave_what_was_there():
    weights = speaking()
    blinking, _ = apply(weights, eye_motion=True, eye_seed=7)
    calm, record = apply(blinking, eye_motion=False)
    assert record == {"eye_motion": False}
    for name in ("eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeSquintRight", "jawOpen"):
        np.testing.assert_allclose(of(calm, name), of(weights, name), atol=1e-6)
    again, _ = apply(blinking, eye_motion=True, eye_seed=7)
    np.testing.assert_allclose(of(again, "eyeLookDownLeft"), of(blinking, "eyeLookDownLeft"),
                               atol=1e-6)


# ---- gains, order

def test_gains():
    gains = (parse_gain("MOUTHSMILE*=0.5"), parse_gain("jawOpen=2"), parse_gain("*Left=0.5"))
    warnings, weights = [], np.zeros((60, 52))
    of(weights, "jawOpen")[:] = np.arange(60) / 100.0
    of(weights, "mouthSmileLeft")[:], of(weights, "mouthSmileRight")[:] = 0.5, 0.25
    found, record = apply(weights, gains=gains, warn=warnings.append)
    np.testing.assert_allclose(of(found, "jawOpen"), np.minimum(np.arange(60) / 50.0, 1), atol=1e-6)
    np.testing.assert_allclose(of(found, "mouthSmileLeft"), 0.125, atol=1e-6)
    np.testing.assert_allclose(of(found, "mouthSmileRight"), 0.125, atol=1e-6)
    assert len(warnings) == 1 and "brings 15 % of the amplified values above 1" in warnings[0]
    assert "jawOpen" in warnings[0]
    assert record == {"gain": ["MOUTHSMILE*=0.5", "jawOpen=2", "*Left=0.5"]}


def test_gains_that_cut_nothing_say_nothing():
    weights = random_weights(30)
    found = amplified(weights, MODEL_CHANNELS, [parse_gain("jaw*=2"), parse_gain("jaw*=0.5")],
                      pytest.fail)
    np.testing.assert_array_equal(found, weights)


@pytest.mark.parametrize("text, told", [
    ("mouthSmile*", "expected NAME=FACTOR"), ("jawOpen=", "expected NAME=FACTOR"),
    ("jawOpen=x", "expected NAME=FACTOR"), ("=2", "'' is the name of none"),
    ("jaw=2", "'jaw' is the name of none of the 52"), ("jawOpen=-1", "a factor of -1"),
    ("jawOpen=nan", "a factor of nan"), ("jawOpen=inf", "a factor of inf")])
def test_gains_that_are_none(text, told):
    with pytest.raises(ValueError) as caught:
        parse_gain(text)
    assert told in str(caught.value)


def test_all_in_their_order(tmp_path):
    """As one after the other by hand; and nothing where nothing is asked for."""
    weights, names = golden_clip()
    rest = put(tmp_path / "rest.npz", np.full((1, 52), 0.05))
    gain = parse_gain("jaw*=0.7")
    found, record = apply(weights, names, neutral_path=rest, eye_motion=True, eye_seed=1,
                          smooth_frames=5, symmetric=True, gains=(gain,))
    step = weights
    for option in (dict(neutral_path=rest), dict(eye_motion=True, eye_seed=1),
                   dict(smooth_frames=5), dict(symmetric=True), dict(gains=(gain,))):
        step, _ = apply(step, names, **option)
    np.testing.assert_array_equal(found, step)
    assert sorted(record) == ["eye_motion", "gain", "neutral", "smooth_frames", "symmetric"]
    untouched, record = apply(weights, names)
    np.testing.assert_array_equal(untouched, weights)
    assert record is None


def test_face_edit_is_what_convert_takes(capsys):
    edit = face_edit(Edits(symmetric=True), pytest.fail)
    weights, angles, record = edit(random_weights(9), MODEL_CHANNELS, 30, None, None)
    assert (angles, record) == (None, {"symmetric": True}) and capsys.readouterr().out == ""
    np.testing.assert_array_equal(of(weights, "jawLeft"), of(weights, "jawRight"))
