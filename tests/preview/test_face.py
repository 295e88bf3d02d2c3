"""The preview face: every shape acts where its part of the face is, and speech shapes read."""
import functools

import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.preview import shapes as face_shapes
from utils.preview.face import Face, render_face
from utils.preview.head import PAINTED_SIZE, head_layers, paint_layers
from utils.preview.shapes import FACE_CHANNELS, INDEX

SIZE = 512
MIDDLE = SIZE // 2
# Where a channel may change the picture: left, top, right, bottom, of a 512 x 512 face; for a
# sided channel the box is the subject's left, the viewer's right.
EYE = (258, 196, 352, 280)
LEFT_MOUTH = (232, 276, 366, 412)
MOUTH = (170, 290, 342, 412)
LOWER_FACE = (130, 282, 382, 472)
BOXES = {
    "eyeBlink": EYE, "eyeLookDown": EYE, "eyeLookIn": EYE, "eyeLookOut": EYE, "eyeLookUp": EYE,
    "eyeSquint": EYE, "eyeWide": EYE,
    "jawForward": LOWER_FACE, "jawLeft": LOWER_FACE, "jawRight": LOWER_FACE,
    "jawOpen": LOWER_FACE,
    "mouthClose": MOUTH, "mouthFunnel": MOUTH, "mouthPucker": MOUTH, "mouthLeft": LOWER_FACE,
    "mouthRight": LOWER_FACE, "mouthRollLower": MOUTH, "mouthRollUpper": MOUTH,
    "mouthShrugLower": (170, 290, 342, 422), "mouthShrugUpper": MOUTH,
    "mouthSmile": (220, 256, 376, 400), "mouthFrown": LEFT_MOUTH, "mouthDimple": LEFT_MOUTH,
    "mouthStretch": LEFT_MOUTH, "mouthPress": LEFT_MOUTH,
    "mouthLowerDown": (212, 300, 346, 412), "mouthUpperUp": (212, 280, 346, 380),
    "browDown": (240, 160, 352, 260), "browInnerUp": (150, 150, 362, 250),
    "browOuterUp": (256, 150, 362, 250),
    "cheekPuff": (130, 240, 382, 410), "cheekSquint": (258, 215, 372, 330),
    "noseSneer": (225, 240, 330, 372), "tongueOut": MOUTH,
}


def weights_of(**shapes):
    """[52] in FACE_CHANNELS order; a name without its side sets both sides."""
    weights = np.zeros(len(FACE_CHANNELS))
    for stem, value in shapes.items():
        for name in ([stem] if stem in INDEX else [stem + "Left", stem + "Right"]):
            weights[INDEX[name]] = value
    return weights


def picture(**shapes):
    return render_face(weights_of(**shapes), FACE_CHANNELS, SIZE)


REST = picture()
SHUT = dict(jawOpen=0.08, mouthClose=0.10, mouthPress=0.5, mouthRollLower=0.2)
F = dict(jawOpen=0.08, mouthRollLower=0.4, mouthUpperUp=0.35)
GENTLE_F = dict(jawOpen=0.06, mouthRollLower=0.38, mouthUpperUp=0.14, mouthPress=0.04,
                mouthShrugLower=0.1)
A = dict(jawOpen=0.7, mouthLowerDown=0.2)
O = dict(jawOpen=0.35, mouthFunnel=0.6, mouthPucker=0.2)
E = dict(jawOpen=0.25, mouthStretch=0.4, mouthSmile=0.2, mouthLowerDown=0.2)


def change_from_rest(frame):
    """How far each pixel moved from the face at rest: [size, size]."""
    return np.abs(frame.astype(int) - REST).max(axis=2)


@functools.lru_cache(maxsize=None)
def change_of(channel):
    """change_from_rest of one channel at 1."""
    return change_from_rest(picture(**{channel: 1.0}))


def mouth(frame):
    return frame[300:440, 180:332].astype(int)


def dark_pixels(frame):
    """Pixels of the mouth's inside: darker than any skin or lip, and no teeth."""
    return int((mouth(frame).max(axis=2) < 85).sum())


def tooth_pixels(frame):
    """Pixels of teeth: light and without the red of skin, [h, w] of the mouth's part."""
    part = mouth(frame)[:70]                            # not the backdrop beside the chin
    return (part.min(axis=2) > 130) & (part.max(axis=2) - part.min(axis=2) < 45)


def iris_pixels(frame, side):
    """Blue-green pixels of one eye, [h, w] of its half of the picture."""
    columns = slice(MIDDLE, 360) if side == "Left" else slice(152, MIDDLE)
    part = frame[200:280, columns].astype(int)
    return part[..., 0] > part[..., 2] + 12


@pytest.mark.parametrize("channel", FACE_CHANNELS)
def test_a_shape_changes_its_part_of_the_face(channel):
    change = change_of(channel)
    stem = channel if channel in BOXES else channel[:-len("Left" if channel.endswith("Left")
                                                          else "Right")]
    left, top, right, bottom = BOXES[stem]
    if stem != channel and channel.endswith("Right"):
        left, right = SIZE - right, SIZE - left
    inside = change[top:bottom, left:right]
    assert (inside > 12).sum() > 60                     # seen at a glance
    assert inside.sum() > 0.95 * change.sum()
    outside = change.copy()
    outside[top:bottom, left:right] = 0
    assert outside.max() < 24


def test_every_channel_has_a_box_and_stems_are_not_confused():
    stems = {name if name in BOXES else name.replace("Left", "").replace("Right", "")
             for name in FACE_CHANNELS}
    assert stems == set(BOXES)


def test_sides_are_the_subjects_own():
    """The subject's left is the viewer's right: the larger columns."""
    for channel in FACE_CHANNELS:
        if channel.startswith(("jaw", "mouthLeft", "mouthRight")):
            continue
        if channel.endswith(("Left", "Right")):
            change = change_of(channel).sum(axis=0)
            share = change[MIDDLE:].sum() / float(change.sum())
            assert (share > 0.7) == channel.endswith("Left"), channel
            assert not 0.3 <= share <= 0.7, channel


def test_eyes_leave_the_mouth_alone_and_the_mouth_the_eyes():
    for channel in FACE_CHANNELS:
        change = change_of(channel)
        if channel.startswith(("eye", "brow")):
            assert change[290:].max() <= 2, channel
        if channel.startswith(("mouth", "jaw", "tongue")):
            assert change[:255].max() <= 6, channel


def test_m_is_shut_and_a_is_open():
    assert dark_pixels(REST) < 40
    assert dark_pixels(picture(**SHUT)) < 60
    assert not tooth_pixels(picture(**SHUT)).any()
    assert dark_pixels(picture(**A)) > 600


def test_the_jaw_opens_the_mouth_step_by_step():
    openings = [dark_pixels(picture(jawOpen=value)) for value in (0.2, 0.5, 1.0)]
    assert openings[0] > 50
    assert openings[1] > 1.5 * openings[0] and openings[2] > 1.3 * openings[1]


def test_mouth_close_shuts_what_the_jaw_opens():
    for value in (0.1, 0.3, 0.6, 1.0):
        weights = weights_of(jawOpen=value, mouthClose=value)
        curves = face_shapes.lip_curves(weights)
        assert np.allclose(curves[face_shapes.UPPER_INNER, 1], curves[face_shapes.LOWER_INNER, 1])
        assert dark_pixels(render_face(weights, FACE_CHANNELS, SIZE)) < 60
    low = change_from_rest(picture(jawOpen=1, mouthClose=1))[410:450]   # and the chin is low
    assert (low > 12).sum() > 500


@pytest.mark.parametrize("shapes", [F, GENTLE_F])
def test_f_shows_the_upper_teeth_on_the_lower_lip(shapes):
    teeth = tooth_pixels(picture(**shapes))
    assert teeth.sum() > 60
    column = int(np.median(np.nonzero(teeth)[1]))
    lowest = np.nonzero(teeth[:, column])[0].max()
    below = mouth(picture(**shapes))[lowest + 3:lowest + 7, column]     # the lower lip
    assert (below[:, 2] - below[:, 0] > 50).all() and (below[:, 2] > 150).all()


def opening_box(**shapes):
    curves = face_shapes.lip_curves(weights_of(**shapes))
    upper, lower = curves[face_shapes.UPPER_INNER], curves[face_shapes.LOWER_INNER]
    return upper[0, -1] - upper[0, 0], (lower[1] - upper[1]).max()


def test_o_is_round_and_e_is_wide():
    o_width, o_height = opening_box(**O)
    e_width, e_height = opening_box(**E)
    assert o_width < 1.9 * o_height
    assert e_width > 4 * e_height
    assert opening_box(jawOpen=0.12, mouthFunnel=0.3, mouthPucker=0.7)[0] < 0.85 * o_width


def test_a_blink_hides_the_iris_whatever_else_the_eye_does():
    for side, other in (("Left", "Right"), ("Right", "Left")):
        assert iris_pixels(REST, side).sum() > 250
        for more in ({}, {"eyeWide" + side: 1}, {"eyeSquint" + side: 1, "cheekSquint" + side: 1},
                     {"eyeLookDown" + side: 1}):
            frame = picture(**dict(more, **{"eyeBlink" + side: 1}))
            assert iris_pixels(frame, side).sum() == 0, (side, more)
            assert iris_pixels(frame, other).sum() == iris_pixels(REST, other).sum()
    shown = [iris_pixels(picture(eyeBlinkLeft=value), "Left").sum() for value in (0, .3, .6, .9)]
    assert all(more > less for more, less in zip(shown, shown[1:]))


def test_gaze_turns_to_its_side():
    def middle(**shapes):
        rows, columns = np.nonzero(iris_pixels(picture(**shapes), "Left"))
        return rows.mean(), columns.mean()
    row, column = middle()
    assert middle(eyeLookInLeft=1)[1] < column - 5          # to the nose
    assert middle(eyeLookOutLeft=1)[1] > column + 5
    assert middle(eyeLookUpLeft=1)[0] < row - 2
    assert middle(eyeLookDownLeft=1)[0] > row + 2


def test_jaw_and_mouth_go_to_the_subjects_left():
    def middle(**shapes):
        dark = mouth(picture(**dict(shapes, jawOpen=0.6))).max(axis=2) < 85
        return np.nonzero(dark)[1].mean()
    for stem in ("jaw", "mouth"):
        assert middle(**{stem + "Left": 1}) > middle() + 3
        assert middle(**{stem + "Right": 1}) < middle() - 3


def test_smile_lifts_and_frown_lowers_its_corner():
    line = face_shapes.UPPER_INNER
    rest, smile, frown = (face_shapes.lip_curves(weights_of(**shapes))[line] for shapes in
                          ({}, {"mouthSmileLeft": 1}, {"mouthFrownLeft": 1}))
    assert smile[1, -1] < rest[1, -1] - 8 and frown[1, -1] > rest[1, -1] + 8
    assert smile[0, -1] > rest[0, -1] + 5
    assert np.allclose(smile[:, 0], rest[:, 0])             # the other corner stays


def test_lips_never_pass_through_each_other():
    random = np.random.RandomState(0)
    for sparse in (0.0, 0.5, 0.8):
        for _ in range(100):
            weights = random.rand(52) * (random.rand(52) >= sparse)
            upper_outer, upper, lower, lower_outer = face_shapes.lip_curves(weights)[:, 1]
            assert (upper <= lower + 1e-9).all()
            assert (upper_outer <= upper + 1e-9).all() and (lower <= lower_outer + 1e-9).all()
            for suffix, side in face_shapes.SIDES:
                lid, lower_lid, _ = face_shapes.eye_curves(weights, suffix, side)
                assert (lid[:, 1] <= lower_lid[:, 1] + 1e-9).all()


def test_any_weights_draw_and_small_steps_are_small():
    random = np.random.RandomState(1)
    assert picture(**{name: 1 for name in FACE_CHANNELS}).shape == (SIZE, SIZE, 3)
    for _ in range(4):
        weights = random.rand(52) * 0.98
        frame = render_face(weights, FACE_CHANNELS, SIZE).astype(int)
        step = render_face(weights + 0.01, FACE_CHANNELS, SIZE).astype(int)
        assert 0 < np.abs(step - frame).mean() < 1.0


def test_frames_are_repeatable_and_names_carry_the_order():
    weights = np.random.RandomState(2).rand(52)
    kept = weights.copy()
    frame = render_face(weights, FACE_CHANNELS, SIZE)
    assert frame.dtype == np.uint8 and np.array_equal(weights, kept)
    render_face(1 - weights, FACE_CHANNELS, SIZE)           # leaves nothing behind
    assert np.array_equal(frame, render_face(weights, FACE_CHANNELS, SIZE))
    reordered = [weights[INDEX[name]] for name in MODEL_CHANNELS]
    assert np.array_equal(frame, render_face(reordered, MODEL_CHANNELS, SIZE))


def test_eyes_and_brows_at_rest_are_drawn_once():
    """The network's output trembles by less than is seen, and the mouth never rests."""
    face, random = Face(64), np.random.RandomState(3)
    for _ in range(5):
        weights = weights_of(jawOpen=random.rand(), eyeLookDown=0.5, browInnerUp=0.25)
        face.draw(weights + random.uniform(0, 0.003, 52))
    assert face.upper_sprite.cache_info().misses == 4       # two eyes, two brows
    face.draw(weights_of(eyeBlinkLeft=1, eyeLookDown=0.5, browInnerUp=0.25))
    assert face.upper_sprite.cache_info().misses == 5


def test_two_faces_of_a_size_are_the_same_and_sizes_look_alike():
    weights = weights_of(**A)
    small = render_face(weights, FACE_CHANNELS, 128)
    assert small.shape == (128, 128, 3)
    head_layers.cache_clear()
    assert np.array_equal(small, Face(128).draw(weights))
    large = render_face(weights, FACE_CHANNELS, SIZE).reshape(128, 4, 128, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - large).mean() < 3


def test_weights_beyond_their_range_are_clipped():
    assert np.array_equal(picture(jawOpen=1.7, mouthPucker=-0.4), picture(jawOpen=1))


def test_wrong_input_is_named():
    zeros = np.zeros(52)
    with pytest.raises(ValueError, match="jawFoo"):
        render_face(zeros, ("jawFoo",) + FACE_CHANNELS[1:])
    with pytest.raises(ValueError, match="missing: %s" % FACE_CHANNELS[0]):
        render_face(np.zeros(51), FACE_CHANNELS[1:])
    with pytest.raises(ValueError, match="53 names"):
        render_face(np.zeros(53), FACE_CHANNELS + FACE_CHANNELS[:1])
    with pytest.raises(ValueError, match="shape"):
        render_face(np.zeros((1, 52)), FACE_CHANNELS)
    with pytest.raises(ValueError, match="jawOpen"):
        render_face(np.where(np.array(FACE_CHANNELS) == "jawOpen", np.nan, 0), FACE_CHANNELS)
    with pytest.raises(ValueError, match="size"):
        render_face(zeros, FACE_CHANNELS, 10)


def test_the_pictures_of_the_head_are_what_the_formulas_paint():
    """After a change of utils/preview/head.py: python -m utils.preview.head"""
    for painted, layer in zip(paint_layers(PAINTED_SIZE), head_layers(PAINTED_SIZE)):
        assert painted.shape == layer.shape
        # Another OpenCV or processor may round otherwise.
        assert np.abs(painted.astype(int) - layer).max() <= 2
