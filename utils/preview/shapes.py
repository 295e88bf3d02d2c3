"""How each of the 52 ARKit shapes moves the preview face.

Everything is in the design units of face_head.py, x counted from the middle of the face towards
the viewer's right, which is the subject's left. Each shape displaces points in proportion to its
weight; the few combinations that are more than a sum (a blink over a widened eye, mouthClose over
jawOpen, rounding on rounding, lips that meet) are spelled out in lip_curves() and eye_curves().

Tables name a sided shape without its side: values are for the subject's left (positive x) and
are mirrored for the right.
"""
import functools

import numpy as np

from utils.common.channels import UNREAL_CHANNELS
from utils.preview.head import EYE_X, EYE_Y, MOUTH_Y, smoothstep

FACE_CHANNELS = UNREAL_CHANNELS     # the order that weights have inside the face modules
INDEX = {name: i for i, name in enumerate(FACE_CHANNELS)}
SIDES = (("Left", 1), ("Right", -1))

JAW_DROP = 42.0                     # of the chin at jawOpen 1
JAW_SHIFT = 12.0                    # of the chin at jawLeft or jawRight 1


def sided(table):
    """{shape or stem: entry} as [(shape, side, entry)]; an unsided shape has side 0."""
    return [(stem if stem in INDEX else stem + suffix, 0 if stem in INDEX else side, entry)
            for stem, entry in table.items()
            for suffix, side in (SIDES if stem not in INDEX else SIDES[:1])]


# ---- Lips: four curves from the subject's right corner to the left one. ----

NUM_LIP_POINTS = 41
U = np.linspace(-1, 1, NUM_LIP_POINTS)                  # place along a lip, -1 and 1 the corners
UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER = range(4)
MOUTH_HALF_WIDTH = 41.0
ROUND = np.sqrt(1 - U ** 2)                             # half an ellipse
BELL = 1 - U ** 2
CORNERS = np.abs(U) ** 3.0


def neutral_lips():
    """The closed mouth: [4 curves, 2, NUM_LIP_POINTS]."""
    line = 1.6 * np.exp(-(U / 0.16) ** 2) - 0.7 * np.exp(-((np.abs(U) - 0.4) / 0.2) ** 2) \
        - 3.0 * np.abs(U) ** 3
    cupid = BELL ** 0.85 * (1 - 0.34 * np.abs(U)) - 0.20 * np.exp(-(U / 0.11) ** 2)
    x = MOUTH_HALF_WIDTH * U
    y = np.stack([line - 11.5 * cupid, line, line, line + 14.5 * BELL ** 0.62])
    return np.stack([np.tile(x, (4, 1)), MOUTH_Y + y], axis=1)          # [4, 2, points]


OPENING = (1 - np.abs(U) ** 2.6) ** 0.66                # a round mouth, steep at its corners
JAW_GAP = JAW_DROP * (0.72 * OPENING + 0.26 * (1 - CORNERS)) + 1.5 * BELL  # at jawOpen 1


def _side_bump(side):
    return np.exp(-((side * U - 0.40) / 0.40) ** 2) * (1 - U ** 6)


def _side_corner(side):
    return np.clip(side * U, 0, None) ** 1.8


# Per shape, (dx, dy) of upper outer, upper inner, lower inner, lower outer curve.
def lip_moves():
    """Displacements at weight 1 of all shapes: [52, 4 curves, 2, NUM_LIP_POINTS]."""
    moves = np.zeros((len(FACE_CHANNELS), 4, 2, NUM_LIP_POINTS))

    def add(shape, profile, dx=(0, 0, 0, 0), dy=(0, 0, 0, 0)):
        moves[INDEX[shape], :, 0] += np.outer(dx, profile)
        moves[INDEX[shape], :, 1] += np.outer(dy, profile)

    everywhere = np.ones_like(U)
    corner_drop = 0.26 * JAW_DROP
    add("jawOpen", CORNERS * corner_drop - 1.5 * BELL, dy=(1, 1, 1, 1))
    add("jawOpen", JAW_GAP, dy=(0, 0, 1, 1))
    for shape, sign in (("jawLeft", 1), ("jawRight", -1)):
        add(shape, everywhere, dx=(1.5 * sign, 2 * sign, 0, 0))
        add(shape, 1 - 0.7 * CORNERS, dx=(0, 0, 10 * sign, 10.5 * sign))
        add(shape, CORNERS, dx=(0.5 * sign, 0, 3 * sign, 3 * sign))
    for shape, sign in (("mouthLeft", 1), ("mouthRight", -1)):
        add(shape, everywhere, dx=(12 * sign, 13 * sign, 13 * sign, 12 * sign))
        add(shape, np.clip(sign * U, 0, 1) ** 2, dy=(-2.5, -2.5, -2.5, -2.5))
        add(shape, np.clip(-sign * U, 0, 1), dy=(0, 0, 0, -2))
    add("jawForward", BELL, dy=(0, 1, -1.5, 3))
    add("mouthFunnel", ROUND, dy=(-7.5, -6.5, 8, 8.5))
    add("mouthPucker", ROUND, dy=(-2.5, 0, 0, 2.5))
    for shape in ("mouthFunnel", "mouthPucker"):        # rounding smooths the upper lip's bow
        add(shape, np.exp(-(U / 0.14) ** 2), dy=(-1.6, -1.5, -1.0, 0))
    add("mouthRollLower", BELL, dy=(0, 0.5, -1, -9.5))
    add("mouthRollUpper", BELL, dy=(8, 1, -0.5, 0))
    add("mouthShrugLower", BELL, dy=(-4, -4.5, -7, -7))
    add("mouthShrugUpper", BELL, dy=(-5, -3.5, -2.5, -1))
    add("tongueOut", ROUND ** 0.7, dy=(-1, -1.5, 6, 4))
    add("cheekPuff", BELL, dy=(1, 2, -2, -1))
    for suffix, side in SIDES:
        corner, bump = _side_corner(side), _side_bump(side)
        add("mouthSmile" + suffix, corner, dx=(9 * side,) * 4, dy=(-12,) * 4)
        add("mouthSmile" + suffix, bump, dy=(0.5, -1.0, 1.0, -0.5))
        add("mouthFrown" + suffix, corner, dx=(1 * side,) * 4, dy=(11,) * 4)
        add("mouthFrown" + suffix, bump, dy=(-1.5, -1, -1, -2.5))
        add("mouthDimple" + suffix, corner, dx=(7 * side,) * 4, dy=(-2.5,) * 4)
        add("mouthDimple" + suffix, bump, dy=(1.5, 0, 0, -2))
        add("mouthStretch" + suffix, corner, dx=(11 * side,) * 4, dy=(5,) * 4)
        add("mouthStretch" + suffix, bump, dy=(1.2, 0, 1.8, -0.5))
        add("mouthPress" + suffix, bump, dy=(3.2, 2.5, -2.5, -4.8))
        add("mouthLowerDown" + suffix, bump, dy=(0, 0, 9.5, 8.5))
        add("mouthUpperUp" + suffix, bump, dy=(-8.5, -8.5, 0, 0))
        add("noseSneer" + suffix, bump, dy=(-4, -2.5, 0, 0))
    return moves


NEUTRAL_LIPS = neutral_lips()
LIP_MOVES = lip_moves()


def lip_curves(weights):
    """The four lip curves [4, 2, NUM_LIP_POINTS] for `weights` [52] in FACE_CHANNELS order.

    Upper inner lies nowhere below lower inner: where a sum would let the lips pass through each
    other (mouthClose beyond jawOpen, press, rolls), they meet and flatten instead.
    """
    def value(shape):
        return weights[INDEX[shape]]

    curves = NEUTRAL_LIPS + np.tensordot(weights, LIP_MOVES, 1)         # [4, 2, points]
    jaw_open, close = value("jawOpen"), value("mouthClose")
    funnel, pucker = value("mouthFunnel"), value("mouthPucker")
    # Rounding multiplies: a funnel on a pucker narrows what the pucker left.
    curves[:, 1] -= 0.45 * funnel * pucker * LIP_MOVES[INDEX["mouthFunnel"], :, 1]
    with_jaw = 1 - 0.10 * jaw_open - 0.25 * jaw_open * funnel
    outer = (1 - 0.42 * funnel) * (1 - 0.46 * pucker) * with_jaw
    inner = (1 - 0.66 * funnel) * (1 - 0.72 * pucker) * with_jaw
    curves[:, 0] -= np.outer([1 - outer, 1 - inner, 1 - inner, 1 - outer], NEUTRAL_LIPS[0, 0])
    # A tucked lower lip under a raised upper one is f: the upper teeth have to show.
    for suffix, side in SIDES:
        bite = np.tanh(8 * value("mouthRollLower") * value("mouthUpperUp" + suffix))
        curves[:2, 1] -= 5.0 * bite * _side_bump(side)
    # mouthClose undoes the jaw's part of the gap; what goes beyond presses the lips.
    corrective, beyond = min(close, jaw_open), max(close - jaw_open, 0.0)
    curves[:2, 1] += 0.26 * corrective * JAW_GAP
    curves[2:, 1] -= 0.74 * corrective * JAW_GAP
    curves[1, 1] += 6 * beyond * BELL
    curves[2, 1] -= 10 * beyond * BELL
    overlap = np.maximum(curves[1, 1] - curves[2, 1], 0)                # [points]
    meeting = curves[1, 1] - 0.35 * overlap
    curves[1, 1] = np.where(overlap > 0, meeting, curves[1, 1])
    curves[2, 1] = np.where(overlap > 0, meeting, curves[2, 1])
    squeeze = 6 * np.tanh(overlap / 9.0)
    curves[0, 1] += 0.40 * squeeze
    curves[3, 1] -= 0.50 * squeeze
    # However thin, a lip has a rim.
    curves[0, 1] = np.minimum(curves[0, 1], curves[1, 1] - 2.0 * ROUND)
    curves[3, 1] = np.maximum(curves[3, 1], curves[2, 1] + 2.6 * ROUND)
    return curves


def jaw_offset(weights):
    """(dx, dy) of the chin and the lower teeth."""
    dx = JAW_SHIFT * (weights[INDEX["jawLeft"]] - weights[INDEX["jawRight"]])
    return dx, JAW_DROP * weights[INDEX["jawOpen"]]


# ---- Eyes: lid curves and gaze. ----

NUM_LID_POINTS = 33
V = np.linspace(-1, 1, NUM_LID_POINTS)                  # along a lid, -1 at the nose
EYE_HALF_WIDTH = 28.0
TILT = -2.4 * V                                         # the outer corner a little higher
DOME = (1 - np.abs(V) ** 2.3) ** 0.75
UPPER_AT_REST = TILT - 15.0 * DOME * (1 - 0.10 * V)
LOWER_AT_REST = TILT + 11.0 * (1 - np.abs(V) ** 2.4) ** 0.85 * (1 + 0.10 * V)
UPPER_LID = {"eyeWide": -5.5, "eyeSquint": 2.5, "eyeLookUp": -2.5, "eyeLookDown": 6.0,
             "cheekSquint": 0.5, "browDown": 1.2}
LOWER_LID = {"eyeWide": 1.2, "eyeSquint": -6.0, "eyeLookUp": -1.0, "eyeLookDown": 2.0,
             "cheekSquint": -3.2}
GAZE = {"eyeLookIn": (-11.0, 0.0), "eyeLookOut": (11.0, 0.0), "eyeLookUp": (0.0, -7.5),
        "eyeLookDown": (0.0, 8.0)}
EYE_STEMS = ("eyeBlink",) + tuple(sorted(set(UPPER_LID) | set(LOWER_LID) | set(GAZE)))


def eye_curves(weights, suffix, side):
    """(upper lid [n, 2], lower lid [n, 2], iris centre (x, y)) of one eye, nose to temple.

    eyeBlink 1 brings the upper lid onto the lower one whatever the other shapes do.
    """
    def total(table):
        return sum(weights[INDEX[stem + suffix]] * np.asarray(amount)
                   for stem, amount in table.items())

    blink = weights[INDEX["eyeBlink" + suffix]]
    upper = UPPER_AT_REST + total(UPPER_LID) * DOME
    lower = LOWER_AT_REST + total(LOWER_LID) * DOME
    lower = np.maximum(lower, TILT + 0.5 * DOME)        # a squint does not close by itself
    lower = lower - 2.0 * blink * DOME
    upper = np.minimum(upper + (lower - upper) * blink, lower)
    x = side * (EYE_X + EYE_HALF_WIDTH * V)
    gaze_x, gaze_y = total(GAZE)
    iris = (side * (EYE_X + gaze_x), EYE_Y - 2.2 + gaze_y)
    return np.stack([x, EYE_Y + upper], 1), np.stack([x, EYE_Y + lower], 1), iris


# ---- Brows: a middle line and its half thickness, nose to temple. ----

BROW_X = np.array([20.0, 34.0, 50.0, 67.0, 83.0])
BROW_Y = np.array([206.0, 201.5, 197.5, 198.5, 207.0])
BROW_HALF = np.array([2.0, 4.1, 3.9, 3.0, 0.8])
BROW_MOVES = {                      # (dx, dy) of each of the five points
    "browDown": ((-4, -4, -2, -1, 0), (11, 9.5, 7, 4.5, 2)),
    "browInnerUp": ((0, 0, 0, 0, 0), (-14, -9, -3, 0, 0)),
    "browOuterUp": ((0, 0, 0, 1, 1), (0, -3, -9, -12, -10)),
}
BROW_STEMS = tuple(BROW_MOVES)


@functools.lru_cache(maxsize=16)
def columns_of(stems, suffix):
    """Where in FACE_CHANNELS the shapes of one side are, by their stems; to be read only."""
    return np.array([INDEX[stem if stem in INDEX else stem + suffix] for stem in stems])


def brow_points(weights, suffix, side):
    """Middle line of one brow [5, 2]; BROW_HALF is its half thickness."""
    x, y = BROW_X.copy(), BROW_Y.copy()
    for stem, (dx, dy) in BROW_MOVES.items():
        weight = weights[INDEX[stem if stem in INDEX else stem + suffix]]
        x += weight * np.array(dx)
        y += weight * np.array(dy)
    return np.stack([side * x, y], 1)


# ---- Skin: Gaussian pushes (x, y, sigma x, sigma y, dx, dy), beside the jaw. ----

SKIN_PUSHES = {
    "cheekPuff": [(78, 326, 24, 28, 11, 0), (-78, 326, 24, 28, -11, 0)],
    "cheekSquint": [(56, 282, 20, 17, 0, -8)],
    "mouthSmile": [(50, 330, 20, 18, 6, -9), (62, 294, 18, 16, 2, -4)],
    "mouthFrown": [(46, 352, 18, 18, 0, 7)],
    "mouthDimple": [(52, 340, 16, 16, 6, -1)],
    "mouthStretch": [(54, 352, 20, 22, 9, 4)],
    "mouthLeft": [(8, 340, 46, 30, 9, 0)],
    "mouthRight": [(-8, 340, 46, 30, -9, 0)],
    "mouthFunnel": [(36, 340, 14, 22, -6, 0), (-36, 340, 14, 22, 6, 0),
                    (0, 322, 24, 8, 0, -3), (0, 366, 24, 8, 0, 5)],
    "mouthPucker": [(36, 341, 15, 22, -9, 0), (-36, 341, 15, 22, 9, 0)],
    "mouthShrugLower": [(0, 380, 24, 16, 0, -7)],
    "mouthShrugUpper": [(0, 318, 22, 9, 0, -3)],
    "mouthRollLower": [(0, 362, 24, 8, 0, -4)],
    "mouthRollUpper": [(0, 324, 24, 8, 0, 3)],
    "mouthUpperUp": [(20, 316, 16, 12, 2, -5)],
    "mouthLowerDown": [(20, 366, 16, 10, 0, 5)],
    "noseSneer": [(16, 296, 9, 10, 2.5, -6), (22, 312, 12, 12, 1, -4)],
    "browDown": [(32, 210, 20, 14, -3, 7)],
    "browInnerUp": [(0, 200, 34, 20, 0, -8)],
    "browOuterUp": [(58, 200, 18, 14, 0, -8)],
    "eyeWide": [(46, 216, 22, 8, 0, -2)],
}


def skin_field(x, y):
    """Displacements [52, 2, h, w] at weight 1 of skin at `x`, `y` [h, w]; the jaw's apart."""
    field = np.zeros((len(FACE_CHANNELS), 2) + x.shape, np.float32)
    for shape, side, pushes in sided(SKIN_PUSHES):
        sign = side or 1
        for centre_x, centre_y, sigma_x, sigma_y, dx, dy in pushes:
            weight = np.exp(-0.5 * (((x - sign * centre_x) / sigma_x) ** 2
                                    + ((y - centre_y) / sigma_y) ** 2))
            field[INDEX[shape], 0] += sign * dx * weight
            field[INDEX[shape], 1] += dy * weight
    share = jaw_share(x, y)
    field[INDEX["jawOpen"], 1] += JAW_DROP * share
    field[INDEX["jawOpen"], 0] -= 0.05 * x * share
    field[INDEX["jawLeft"], 0] += JAW_SHIFT * share
    field[INDEX["jawRight"], 0] -= JAW_SHIFT * share
    field[INDEX["jawForward"], 0] += 0.075 * x * share
    field[INDEX["jawForward"], 1] += 5 * share
    return field


def close_field(x, y):
    """Displacement down [h, w] of the skin under the lips where mouthClose undoes jawOpen 1."""
    return -0.62 * JAW_DROP * np.exp(-0.5 * ((x / 36.0) ** 2 + ((y - 356) / 17.0) ** 2)) \
        * smoothstep(y, 332, 350)


def jaw_share(x, y):
    """How far the skin at `x`, `y` goes with the jaw, 0-1; a step where the mouth parts it."""
    side = np.abs(x)
    half = 9 + 0.85 * np.clip(side - 26, 0, None)
    below = smoothstep(y, MOUTH_Y - half, MOUTH_Y + half) * smoothstep(y, 276, 330)
    return below * (1 - 0.5 * smoothstep(side, 40, 112))


# ---- Shading that comes with a shape: spots and folds, negative is darker. ----

# ("spot", x, y, sigma x, sigma y, amount) or ("fold", points, sigma, amount)
SHADES = {
    "cheekPuff": [("spot", 64, 322, 18, 18, 0.40), ("spot", -64, 322, 18, 18, 0.40),
                  ("spot", 40, 346, 6, 12, -0.25), ("spot", -40, 346, 6, 12, -0.25)],
    "cheekSquint": [("fold", ((26, 258), (46, 264), (68, 258)), 2.4, -0.45),
                    ("spot", 56, 276, 18, 8, 0.30)],
    "mouthSmile": [("fold", ((23, 303), (38, 313), (52, 331), (55, 346)), 3.2, -0.42),
                   ("spot", 64, 302, 17, 12, 0.30)],
    "mouthFrown": [("fold", ((41, 350), (47, 360), (46, 374)), 3.4, -0.40)],
    "mouthDimple": [("fold", ((50, 333), (53, 341), (50, 349)), 2.4, -0.60)],
    "mouthStretch": [("fold", ((54, 326), (62, 343), (60, 362)), 3.4, -0.34)],
    "mouthFunnel": [("spot", 38, 342, 7, 16, -0.20), ("spot", -38, 342, 7, 16, -0.20)],
    "mouthPucker": [("spot", 40, 342, 8, 15, -0.24), ("spot", -40, 342, 8, 15, -0.24)],
    "mouthPress": [("fold", ((47, 335), (50, 342), (46, 349)), 2.4, -0.42),
                   ("spot", 18, 362, 15, 5, -0.24)],
    "mouthRollLower": [("spot", 0, 357, 22, 5, -0.36), ("spot", 0, 370, 18, 5, 0.20)],
    "mouthRollUpper": [("spot", 0, 327, 24, 4.5, -0.32)],
    "mouthShrugLower": [("spot", 0, 366, 22, 4.5, -0.42), ("spot", 0, 384, 14, 8, 0.28),
                        ("fold", ((-20, 384), (-12, 373), (0, 370), (12, 373), (20, 384)), 3.4,
                         -0.20)],
    "mouthShrugUpper": [("spot", 0, 320, 16, 5, 0.26),
                        ("fold", ((24, 306), (36, 318), (42, 332)), 3.4, -0.22),
                        ("fold", ((-24, 306), (-36, 318), (-42, 332)), 3.4, -0.22)],
    "mouthUpperUp": [("fold", ((22, 301), (34, 311), (44, 326)), 3.2, -0.36)],
    "mouthLowerDown": [("spot", 22, 372, 16, 5, -0.28)],
    "mouthLeft": [("fold", ((46, 318), (60, 334), (60, 350)), 3.6, -0.30)],
    "mouthRight": [("fold", ((-46, 318), (-60, 334), (-60, 350)), 3.6, -0.30)],
    "jawForward": [("spot", 0, 384, 20, 10, 0.42), ("spot", 0, 363, 24, 5, -0.40)],
    "jawOpen": [("spot", 58, 338, 8, 22, -0.14), ("spot", -58, 338, 8, 22, -0.14)],
    "noseSneer": [("fold", ((10, 258), (14, 267), (19, 273)), 1.9, -0.42),
                  ("fold", ((6, 266), (10, 275), (15, 281)), 1.9, -0.36),
                  ("fold", ((24, 285), (31, 298), (40, 315)), 3.0, -0.42)],
    "browDown": [("fold", ((7, 196), (9, 206), (7, 218)), 2.2, -0.45),
                 ("spot", 34, 220, 20, 5, -0.28)],
    "browInnerUp": [("fold", ((-34, 178), (-16, 174), (0, 177), (16, 174), (34, 178)), 2.2, -0.30),
                    ("fold", ((-30, 190), (-14, 186), (0, 188), (14, 186), (30, 190)), 2.2, -0.26)],
    "browOuterUp": [("fold", ((34, 182), (54, 176), (76, 182)), 2.2, -0.30)],
    "eyeSquint": [("fold", ((26, 255), (46, 261), (66, 255)), 2.2, -0.36),
                  ("fold", ((78, 234), (86, 231)), 1.6, -0.30),
                  ("fold", ((78, 240), (87, 243)), 1.6, -0.30)],
    "eyeWide": [("spot", 46, 216, 22, 5, 0.22)],
}
