"""The still layers of the preview head: background, shoulders, skin, nose, ears, hair.

Painted from formulas, in design units: a 512 x 512 square, x right, y down. That takes a second,
so the usual size lies beside this file as pictures; after a change write them anew:

    python -m utils.preview.head

The skin is a height field (an inflated outline plus bumps for brow, nose, cheeks, chin) lit by
one lamp, so that the drawn head looks round; eyes, brows and lips are drawn on it frame by frame
(face.py). Colours are BGR, 0-255.
"""
import functools
import os

import cv2
import numpy as np

PAINTED_SIZE = 1024                 # of the pictures beside this file
PAINTED = [os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
           for name in ("background.png", "head.png")]
DESIGN_SIZE = 512                   # the side that all coordinates are given in
CENTRE_X = 256.0
EYE_Y, EYE_X = 238.0, 47.0          # of an eye's centre; x is the distance from CENTRE_X
MOUTH_Y = 341.0                     # of the line between the closed lips

SKIN_SHADOW = (92, 112, 184)
SKIN_MIDDLE = (148, 182, 232)
SKIN_LIGHT = (196, 219, 249)
HAIR_DARK = (30, 34, 52)
HAIR_MIDDLE = (46, 60, 96)
HAIR_LIGHT = (86, 118, 172)
SHIRT_DARK, SHIRT_LIGHT = (84, 62, 44), (132, 104, 74)

# Right half of the outlines (viewer's right), from the top down; mirrored for the other.
HEAD_OUTLINE = ((0, 66), (40, 69), (76, 86), (100, 118), (111, 160), (113, 205), (110, 250),
                (105, 290), (96, 328), (80, 362), (57, 388), (30, 400), (0, 403))
NECK_OUTLINE = ((52, 330), (53, 400), (56, 432), (78, 452), (132, 470), (176, 490), (196, 530))
COLLAR_OUTLINE = ((0, 486), (34, 478), (60, 450), (74, 448), (134, 468), (180, 490), (202, 530))


def spline(points, per_segment=12, closed=False):
    """A smooth curve (Catmull-Rom) through `points` [n, 2]: float32 [m, 2]."""
    points = np.asarray(points, np.float32)
    if closed:
        ring = np.concatenate([points[-1:], points, points[:2]])
    else:
        ring = np.concatenate([2 * points[:1] - points[1:2], points,
                               2 * points[-1:] - points[-2:-1]])
    t = steps_of(per_segment)
    p0, p1, p2, p3 = (ring[i:len(ring) - 3 + i][:, None] for i in range(4))   # [segments, 1, 2]
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t ** 2
                   + (3 * p1 - p0 - 3 * p2 + p3) * t ** 3)                    # [segments, t, 2]
    curve = curve.reshape(-1, 2)                                              # [segments * t, 2]
    return curve if closed else np.concatenate([curve, points[-1:]])


@functools.lru_cache(maxsize=8)
def steps_of(per_segment):
    """Where the points of a segment of a spline lie in it: [1, per_segment, 1], to be read only."""
    return np.linspace(0, 1, per_segment, endpoint=False, dtype=np.float32)[None, :, None]


def mirrored(half):
    """A closed or open outline from its right half (x from the middle): float32 [n, 2]."""
    half = np.asarray(half, np.float32)
    left = half[::-1] * (-1, 1)
    if half[-1, 0] == 0:
        left = left[1:]
    if half[0, 0] == 0:
        left = left[:-1]
    return np.concatenate([half, left]) + (CENTRE_X, 0)


class Painter:
    """A square canvas of `pixels` a side, addressed in design units."""

    def __init__(self, pixels):
        self.pixels = pixels
        self.scale = pixels / float(DESIGN_SIZE)
        axis = (np.arange(pixels, dtype=np.float32) + 0.5) / self.scale
        self.x, self.y = np.meshgrid(axis - CENTRE_X, axis)     # [pixels, pixels] each

    def mask(self, polygon, blur=0.0):
        """Coverage 0-1 of a polygon [n, 2], softened by a Gaussian of `blur` units."""
        mask = np.zeros((self.pixels, self.pixels), np.uint8)
        cv2.fillPoly(mask, [self.fixed(polygon)], 255, cv2.LINE_AA, 4)
        return self.soft(mask.astype(np.float32) / 255, blur)

    def strokes(self, curves, width, blur=0.0):
        """Coverage 0-1 of open curves, each [n, 2], drawn `width` units wide."""
        mask = np.zeros((self.pixels, self.pixels), np.uint8)
        for curve in curves:
            cv2.polylines(mask, [self.fixed(curve)], False, 255,
                          max(1, int(round(width * self.scale))), cv2.LINE_AA, 4)
        return self.soft(mask.astype(np.float32) / 255, blur)

    def fixed(self, points):
        return np.round((np.asarray(points) * self.scale - 0.5) * 16).astype(np.int32)

    def soft(self, image, blur):
        return cv2.GaussianBlur(image, (0, 0), blur * self.scale) if blur else image

    def bump(self, x, y, sigma_x, sigma_y, both_sides=True):
        """A Gaussian of height 1 at (x, y) and, unless it lies on the middle, at (-x, y)."""
        centres = (x, -x) if both_sides and x else (x,)
        along_x = sum(np.exp(-0.5 * ((self.x[0] - centre) / sigma_x) ** 2) for centre in centres)
        return np.outer(np.exp(-0.5 * ((self.y[:, 0] - y) / sigma_y) ** 2), along_x)


def mix(image, colour, amount):
    """`image` [h, w, 3] moved towards `colour` (one, or an image) by `amount` [h, w]."""
    mixed = image.astype(np.result_type(image, np.float32, amount))
    rows, columns = (np.flatnonzero(amount.any(axis=axis)) for axis in (1, 0))
    if len(rows):
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        colour = np.broadcast_to(np.asarray(colour, np.float32), image.shape)
        for part in np.ndindex(image.shape[2:]):        # numpy is slow along an axis of three
            before = image[window + part]
            mixed[window + part] += (colour[window + part] - before) * amount[window]
    return mixed


@functools.lru_cache(maxsize=1)     # sizes share it
def head_layers(pixels):
    """(background uint8 [pixels, pixels, 3], head uint8 [pixels, pixels, 4]), to be read only.

    The head's colours are premultiplied by its alpha.
    """
    if pixels != PAINTED_SIZE:
        return paint_layers(pixels)
    # Not imread: on Windows it balks at a path with letters beyond ASCII.
    return tuple(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
                 for path in PAINTED)


def paint_layers(pixels):
    """head_layers, painted."""
    painter = Painter(pixels)
    background = paint_background(painter)
    skin, coverage = paint_skin(painter)
    skin, coverage = paint_ears(painter, skin, coverage)
    skin, coverage = paint_hair(painter, skin, coverage)
    head = np.concatenate([skin * coverage[..., None], coverage[..., None] * 255], axis=2)
    return to_bytes(background), to_bytes(head)


def to_bytes(image):
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


def paint_background(painter):
    """A soft backdrop, the hair behind the ears, neck and shoulders: float32 [h, w, 3]."""
    glow = np.exp(-((painter.x + 50) ** 2 + (painter.y - 190) ** 2) / (2 * 210.0 ** 2))
    image = mix(np.zeros(painter.x.shape + (3,), np.float32) + (168, 142, 116),
                (232, 222, 208), glow)
    # neck
    neck = mirrored(spline(NECK_OUTLINE))
    roundness = np.clip(np.abs(painter.x + 8) / 62.0, 0, 1) ** 2
    tone = mix(np.zeros_like(image) + SKIN_MIDDLE, SKIN_SHADOW, 0.25 + 0.55 * roundness)
    chin_shadow = painter.bump(6, 408, 62, 32, both_sides=False)
    tone = mix(tone, (70, 88, 150), 0.62 * chin_shadow)
    collarbone = painter.strokes([mirrored_one([(16, 476), (40, 470), (84, 470)], side)
                                  for side in (-1, 1)], 4, 3)
    tone = mix(tone, SKIN_SHADOW, 0.3 * collarbone)
    image = mix(image, tone, painter.mask(neck))
    # shirt
    shirt = mirrored(spline(COLLAR_OUTLINE))
    cloth = mix(np.zeros_like(image) + SHIRT_LIGHT, SHIRT_DARK,
                np.clip((painter.x + 150) / 330.0, 0, 1) * 0.8
                + 0.2 * np.clip((painter.y - 440) / 72.0, 0, 1))
    image = mix(image, (64, 80, 130), 0.5 * painter.mask(shirt + (0, -4), 4)
                * painter.mask(neck))
    image = mix(image, cloth, painter.mask(shirt))
    rim = spline(np.array(COLLAR_OUTLINE[:4]))
    rim = np.concatenate([rim[::-1] * (-1, 1), rim]) + (CENTRE_X, 4)
    return mix(image, (150, 122, 92), 0.75 * painter.strokes([rim], 5, 0.5))


def mirrored_one(points, side):
    """A smooth curve through `points`, x from the middle, on the side 1 (viewer's right) or -1."""
    return spline(np.asarray(points, np.float32) * (side, 1)) + (CENTRE_X, 0)


def head_height(painter, outline):
    """The skin as a height field in design units: float32 [h, w]."""
    centre_y = 232.0
    offset = outline - (CENTRE_X, centre_y)
    angle, radius = np.arctan2(offset[:, 1], offset[:, 0]), np.hypot(offset[:, 0], offset[:, 1])
    order = np.argsort(angle)
    here = np.arctan2(painter.y - centre_y, painter.x)
    edge = np.interp(here.ravel(), angle[order], radius[order], period=2 * np.pi)
    share = np.hypot(painter.x, painter.y - centre_y) / edge.reshape(here.shape)
    height = 84 * np.sqrt(np.clip(1.03 - share ** 2.6, 1e-4, None))
    bump = painter.bump
    height += 5 * bump(34, 206, 26, 9)                      # brow ridges
    height -= 8.5 * bump(EYE_X, EYE_Y - 3, 24, 15)          # eye sockets
    height += 4.5 * bump(EYE_X, EYE_Y + 1, 18, 10)          # eyeballs under the lids
    ridge = np.clip((painter.y - 205) / 85.0, 0, 1)
    height += ((2.5 + 13 * ridge ** 1.3) * np.exp(-0.5 * (painter.x / (9.5 + 2.5 * ridge)) ** 2)
               * smoothstep(painter.y, 196, 216) * (1 - smoothstep(painter.y, 287, 306)))
    height += 11 * bump(0, 288, 10.5, 9.5)                  # tip of the nose
    height += 6 * bump(14.5, 293, 6, 6.5)                   # its wings
    height += 7 * bump(66, 284, 27, 24)                     # cheekbones
    height += 6 * bump(0, 336, 34, 24)                      # the teeth under the lips
    height -= 0.8 * bump(0, 317, 4.0, 7)                    # philtrum
    height -= 4.5 * bump(0, 365, 22, 6)                     # under the lower lip
    height += 7 * bump(0, 385, 19, 13)                      # chin
    return height


def smoothstep(value, low, high):
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def paint_skin(painter):
    """The lit face with nostrils and blush: float32 [h, w, 3], coverage [h, w]."""
    outline = spline(mirrored(HEAD_OUTLINE), closed=True)
    height = painter.soft(head_height(painter, outline), 1.2)
    slope_y, slope_x = np.gradient(height, 1 / painter.scale)
    normal = np.stack([-slope_x, -slope_y, np.ones_like(height)])           # [3, h, w]
    normal /= np.linalg.norm(normal, axis=0)
    lamp = np.array([-0.42, -0.50, 0.76])
    lit = np.tensordot(lamp / np.linalg.norm(lamp), normal, 1)              # [h, w]
    wrapped = np.clip((lit + 0.30) / 1.30, 0, 1)
    # Light through skin: the turn from light to shadow is redder than either.
    skin = mix(np.zeros(height.shape + (3,), np.float32) + SKIN_SHADOW, SKIN_MIDDLE,
               smoothstep(wrapped, 0.22, 0.70))
    skin = mix(skin, SKIN_LIGHT, smoothstep(wrapped, 0.66, 1.0) * 0.9)
    halfway = lamp / np.linalg.norm(lamp) + (0, 0, 1)
    gloss = np.clip(np.tensordot(halfway / np.linalg.norm(halfway), normal, 1), 0, 1) ** 38
    skin = mix(skin, (232, 242, 255), 0.22 * gloss)
    edge_light = np.clip(normal[0], 0, 1) ** 4 * smoothstep(painter.x, 40, 110)
    skin = mix(skin, (190, 190, 220), 0.35 * edge_light)
    bump = painter.bump
    skin = mix(skin, (120, 132, 236), 0.30 * bump(62, 296, 25, 18))         # blush
    skin = mix(skin, (118, 130, 232), 0.22 * bump(0, 288, 16, 10))
    skin = mix(skin, (110, 128, 205), 0.25 * bump(EYE_X, EYE_Y, 30, 17))    # around the eyes
    skin = mix(skin, (84, 104, 176), 0.34 * bump(2, 309, 17, 4.5, both_sides=False))
    nostrils = [ellipse((side * 8.2, 301.3), 4.6, 2.4, side * -14) for side in (-1, 1)]
    for nostril in nostrils:
        skin = mix(skin, (52, 58, 116), 0.78 * painter.mask(nostril, 0.8))
    wings = [mirrored_one([(13.5, 303), (19, 301), (21.5, 295), (19.5, 288.5)], side)
             for side in (-1, 1)]
    skin = mix(skin, (80, 98, 172), 0.45 * painter.strokes(wings, 1.6, 1.1))
    return skin, painter.mask(outline)


def ellipse(centre, half_width, half_height, degrees=0.0, num_points=40):
    """A closed outline [num_points, 2]; x of `centre` counts from the middle of the face."""
    angle = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    ring = np.stack([half_width * np.cos(angle), half_height * np.sin(angle)], axis=1)
    turn = np.deg2rad(degrees)
    ring = ring.dot(np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]))
    return ring + (CENTRE_X + centre[0], centre[1])


def paint_ears(painter, skin, coverage):
    """Ears, partly behind the face; returns skin and coverage with them."""
    for side in (-1, 1):
        ear = mirrored_one([(104, 226), (112, 217), (122, 216), (130, 225), (131, 243),
                            (126, 262), (121, 279), (113, 288), (104, 284)], side)
        shape = painter.mask(ear)
        tone = mix(np.zeros_like(skin) + SKIN_MIDDLE, SKIN_SHADOW,
                   np.clip(0.30 + side * 0.22 + (painter.y - 250) / 160.0, 0, 1))
        rim = mirrored_one([(110, 232), (117, 223), (124, 229), (125, 244), (121, 262)], side)
        inner = mirrored_one([(111, 240), (117, 236), (119, 246), (114, 258), (112, 268)], side)
        tone = mix(tone, (82, 96, 170), 0.75 * painter.strokes([inner], 5, 1.8))
        tone = mix(tone, (176, 205, 243), 0.55 * painter.strokes([rim], 3, 1.4))
        behind = shape * (1 - coverage)
        seam = painter.bump(side * 107, 255, 6, 40, both_sides=False)
        tone = mix(tone, (86, 102, 172), 0.4 * seam)
        skin = mix(skin, tone, behind)
        coverage = np.maximum(coverage, shape)
    return skin, coverage


HAIR_OUTER = ((-108, 252), (-116, 222), (-121, 180), (-124, 134), (-117, 92), (-92, 56),
              (-52, 33), (-6, 22), (44, 25), (86, 46), (112, 82), (122, 128), (121, 180),
              (116, 222), (108, 250))
HAIR_INNER = ((-107, 252), (-105, 226), (-101, 200), (-93, 172), (-76, 152), (-46, 143),
              (-8, 134), (26, 120), (46, 104), (62, 118), (82, 142), (95, 168), (102, 198),
              (105, 226), (107, 250))
PARTING = (46.0, 96.0)
# Tips of the locks that fall over the hairline, from the parting's two sides.
LOCK_TIPS = ((-105, 218), (-102, 196), (-93, 180), (-78, 168), (-58, 160), (-34, 151), (-8, 141),
             (16, 129), (66, 130), (82, 150), (94, 172), (102, 198), (105, 222))


def paint_hair(painter, skin, coverage):
    """Short hair swept from a side parting; returns skin and coverage with it."""
    outer = spline(HAIR_OUTER) + (CENTRE_X, 0)
    inner = spline(HAIR_INNER) + (CENTRE_X, 0)
    shape = painter.mask(np.concatenate([outer, inner[::-1]]))
    shadow = painter.mask(np.concatenate([outer, inner[::-1]]) + (3, 7), 5)
    skin = mix(skin, (84, 100, 172), 0.50 * shadow * (1 - shape))
    random = np.random.RandomState(7)
    glow = painter.bump(-46, 70, 58, 24, both_sides=False) \
        + 0.5 * painter.bump(84, 84, 22, 26, both_sides=False)
    hair = mix(np.zeros_like(skin) + HAIR_DARK, HAIR_MIDDLE, 0.55 + 0.45 * glow)
    strands = hair_strands(outer, inner, random)
    for first, colour, width, blur, strength in ((0, HAIR_DARK, 2.2, 0.9, 0.55),
                                                 (1, HAIR_MIDDLE, 1.6, 0.7, 0.70),
                                                 (2, HAIR_LIGHT, 1.5, 0.6, 0.12 + 0.60 * glow)):
        hair = mix(hair, colour, painter.strokes(strands[first::3], width, blur) * strength)
    hair = mix(hair, HAIR_DARK, 0.6 * painter.bump(118, 190, 13, 60))
    skin = mix(skin, hair, shape)
    locks = [hair_lock(tip, random) for tip in LOCK_TIPS]
    throw = sum(painter.mask(lock + (2, 5)) for lock in locks)
    throw = painter.soft(np.clip(throw, 0, 1), 2.5) * (1 - shape)
    skin = mix(skin, (84, 100, 172), 0.35 * throw)
    for first, colour in enumerate((HAIR_MIDDLE, (38, 47, 76), (54, 70, 112))):
        lock_shape = np.clip(sum(painter.mask(lock) for lock in locks[first::3]), 0, 1)
        fade = smoothstep(painter.y, 84, 124)          # they grow out of the hair behind
        skin = mix(skin, colour, lock_shape * fade)
        shape = np.maximum(shape, lock_shape * fade)
    edges = painter.strokes([lock[:len(lock) // 2] for lock in locks], 1.0, 0.5)
    skin = mix(skin, HAIR_LIGHT, 0.55 * edges * smoothstep(painter.y, 90, 130))
    fine = [spline([np.stack([lock[i], lock[-1 - i]]).mean(0) + random.uniform(-2, 2, 2)
                    for i in (6, 10, 14, 18)]) for lock in locks for _ in range(3)]
    skin = mix(skin, HAIR_DARK, 0.5 * painter.strokes(fine, 1.0, 0.4) * shape)
    return skin, np.maximum(coverage, shape)


def hair_lock(tip, random, num_points=24):
    """A tapered lock from near the parting to `tip`: a closed outline [2 * num_points, 2]."""
    tip = np.array(tip, np.float32)
    to_left = tip[0] < PARTING[0]
    root = np.array(PARTING) + (random.uniform(-6, 6), random.uniform(-26, -4))
    bow = 0.20 * np.linalg.norm(tip - root)
    middle = 0.5 * (root + tip) + ((-0.25 if to_left else 0.45) * bow, -0.9 * bow)
    curl = tip + ((-10, 8) if to_left else (2, 10))
    spine = spline([root, middle, tip, curl], num_points // 3)[:num_points]
    along = np.linspace(0, 1, len(spine))
    half = (10.5 + random.uniform(-1, 2)) * np.minimum(1, 4 * along) * (1 - along ** 1.6) ** 0.9
    tangent = np.gradient(spine, axis=0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], 1)
    normal *= (half / np.linalg.norm(normal, axis=1))[:, None]
    return np.concatenate([spine + normal, (spine - normal)[::-1]]) + (CENTRE_X, 0)


def hair_strands(outer, inner, random, num_strands=540):
    """Curves that leave the parting and run along the hair to its ends: list of [n, 2]."""
    parting = np.array([CENTRE_X + PARTING[0], PARTING[1] - 34.0])
    strands = []
    for position in random.permutation(num_strands) / float(num_strands):
        on_outer = outer[int(position * (len(outer) - 1))]
        on_inner = inner[int(position * (len(inner) - 1))]
        depth = random.rand()
        root = parting + (random.uniform(-3, 3), (depth - 0.5) * 58)
        end = on_outer * (1 - depth) + on_inner * depth
        reach = np.linalg.norm(end - root)
        middle = 0.5 * (root + end) + (0.0, -0.22 * reach * (1 - 0.7 * depth))
        strands.append(spline([root, middle, end], 10))
    return strands


def write_painted():
    for path, layer in zip(PAINTED, paint_layers(PAINTED_SIZE)):
        cv2.imencode(".png", layer, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tofile(path)


if __name__ == "__main__":
    write_painted()
