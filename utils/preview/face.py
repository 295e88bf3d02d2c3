"""The preview face: a drawn head on which all 52 ARKit shapes act.

    frame = render_face(weights, names)         # BGR picture, as OpenCV keeps them

The subject faces the viewer, so the subject's left is on the picture's right. The skin is a
picture (face_head.py) warped by a smooth field; eyes, brows and mouth are drawn as curves at
twice the size and averaged down, which keeps edges smooth. Which shape moves what is in
face_shapes.py.
"""
import functools

import cv2
import numpy as np

from utils.preview import shapes
from utils.preview.brush import FINE, Brush, averaged_down, over, shifted
from utils.preview.head import (CENTRE_X, DESIGN_SIZE, EYE_X, EYE_Y, MOUTH_Y, PAINTED_SIZE, ellipse,
                                head_layers, spline)
from utils.preview.shapes import FACE_CHANNELS, INDEX, SIDES
from utils.preview.sprites import (TONGUE_DARK, iris_sprite, shade_patches, teeth_sprite,
                                   tongue_sprite)

MIN_SIZE, MAX_SIZE = 64, 2048
# Where anything moves, and where each feature is drawn: left, top, right, bottom.
MOVING_BOX = (112, 152, 400, 472)
WARP_CELL, SHADE_CELL = 8, 2        # design units a cell of the warp and of the shading takes
MOUTH_BOX = (180, 300, 332, 462)
EYE_BOX = (10, 206, 88, 268)        # of the subject's left eye, x from the middle
BROW_BOX = (2, 176, 98, 234)
# Weights of eyes and brows are rounded to 1 / this, which moves no point by more than 0.1 units.
UPPER_STEPS = 128
NUM_KEPT_SPRITES = 64

LASH = (36, 36, 54)
ALONG_LID = np.linspace(0, 1, shapes.NUM_LID_POINTS)
LASH_THICKNESS = 0.8 + 2.2 * ALONG_LID ** 0.8 * (1 - 0.5 * ALONG_LID ** 6)
BROW = (42, 54, 88)
LIP_SEAM = (48, 40, 104)
UPPER_LIP = ((116, 118, 210), (88, 84, 186))            # at the outer rim, at the inner
LOWER_LIP = ((128, 130, 222), (112, 106, 208))
MOUTH_DEEP = (34, 20, 62)
FAINT = 0.004                       # a weight whose shading is less than a step of a colour
SHADE_COLOUR = np.array([80, 88, 86], np.float32)       # what shading of 1 adds, BGR


def render_face(weights, names, size=DESIGN_SIZE):
    """One frame: uint8 BGR [size, size, 3] for `weights` [52], 0-1, named by `names`.

    Weights outside 0-1 are clipped, as a rig would. Raises ValueError for names that are not
    the 52 ARKit shapes, for another shape of weights, for NaN, and for a size out of range.
    """
    weights = np.asarray(weights)
    if weights.ndim != 1:
        raise ValueError("weights of shape %s, expected (%d,)"
                         % (weights.shape, len(FACE_CHANNELS)))
    check_size(size)
    return face_of_size(int(size)).draw(ordered_weights(weights, names))


def ordered_weights(weights, names):
    """`weights` [..., 52] named by `names` as Face.draw takes them: in its order, in 0-1.

    Raises ValueError as render_face does for weights and names.
    """
    columns = face_columns(tuple(names))
    weights = np.asarray(weights)
    if weights.shape[-1:] != (len(FACE_CHANNELS),):
        raise ValueError("weights of shape %s, expected (%d,) or many of it"
                         % (weights.shape, len(FACE_CHANNELS)))
    known = np.isfinite(weights).reshape(-1, len(FACE_CHANNELS)).all(axis=0)        # [52]
    if not known.all():
        raise ValueError("the weight of %s is not a number" % names[int(np.argmin(known))])
    return np.clip(weights[..., columns], 0, 1)


def check_size(size):
    """ValueError for a size that cannot be drawn."""
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError("size %s is outside %d-%d" % (size, MIN_SIZE, MAX_SIZE))


def moving_box(size):
    """Where a picture of this even size changes at all, in whole pixels of even numbers.

    Left, top, right, bottom, the latter two beyond it; video keeps colours for four pixels at once.
    """
    scale = size / float(DESIGN_SIZE)
    left, top, right, bottom = MOVING_BOX
    return (2 * int(left * scale / 2), 2 * int(top * scale / 2),
            min(size, 2 * int(np.ceil(right * scale / 2))),
            min(size, 2 * int(np.ceil(bottom * scale / 2))))


@functools.lru_cache(maxsize=2)
def still_layers(size):
    """The head's texture [texture, texture, 4], and of `size` the background and both: BGR."""
    background, head = head_layers(max(2 * size, PAINTED_SIZE))
    if len(head) > 2 * size:            # so that the warp's samples lie next to each other
        head = cv2.resize(head, (2 * size,) * 2, interpolation=cv2.INTER_AREA)
    background = cv2.resize(background, (size, size), interpolation=cv2.INTER_AREA)
    still = over(cv2.resize(head, (size, size), interpolation=cv2.INTER_AREA), background)
    return head, background, still


@functools.lru_cache(maxsize=16)
def face_columns(names):
    """Where each of FACE_CHANNELS stands in `names`; ValueError unless both hold the same 52."""
    missing = [name for name in FACE_CHANNELS if name not in names]
    foreign = [name for name in names if name not in INDEX]
    if missing or foreign or len(names) != len(FACE_CHANNELS):
        raise ValueError("%d names, expected the %d ARKit shapes once each (missing: %s; not a "
                         "shape: %s)" % (len(names), len(FACE_CHANNELS),
                                         ", ".join(missing) or "none",
                                         ", ".join(map(str, foreign)) or "none"))
    return np.array([names.index(name) for name in FACE_CHANNELS])


@functools.lru_cache(maxsize=2)
def face_of_size(size):
    return Face(size)


class Face:
    """The layers and fields of one picture size, and draw(weights)."""

    def __init__(self, size):
        self.size = size
        self.scale = size / float(DESIGN_SIZE)
        self.head, self.background, self.still = still_layers(size)
        self.texture_scale = len(self.head) / float(size)
        left, top, right, bottom = self.box = self.pixel_box(MOVING_BOX)
        x, y = np.meshgrid(np.arange(left, right, dtype=np.float32) + 0.5,
                           np.arange(top, bottom, dtype=np.float32) + 0.5)
        self.texture_places = np.dstack([x, y]) * np.float32(self.texture_scale) - np.float32(0.5)

        x, y = cells(MOVING_BOX, WARP_CELL)
        fields = shapes.skin_field(x, y)                       # [52, 2, rows, columns]
        self.warp_shape = x.shape
        self.field = fields.reshape(len(FACE_CHANNELS), -1) / WARP_CELL
        self.close_field = (shapes.close_field(x, y) / WARP_CELL).astype(np.float32)
        x, y = cells(MOVING_BOX, SHADE_CELL)
        self.shades = shade_patches(x, y)
        self.shade_shape = x.shape
        self.warp_places, self.shade_places = grid(self.warp_shape), grid(self.shade_shape)

        pixels_per_unit = self.scale * FINE
        self.iris = iris_sprite(pixels_per_unit)
        self.upper_teeth, self.lower_teeth = (teeth_sprite(pixels_per_unit, upper)
                                              for upper in (True, False))
        self.tongue = tongue_sprite(pixels_per_unit)
        self.eyeball = {side: self.eyeball_picture(side) for _, side in SIDES}
        # Both rest most of the time: what was drawn is mostly drawn again.
        self.upper_sprite = functools.lru_cache(NUM_KEPT_SPRITES)(self.draw_upper_sprite)
        self.brow_half = spline(np.stack([np.arange(5.0), shapes.BROW_HALF], 1), 8)[:, 1]   # [33]

    def pixel_box(self, box, side=0):
        """A box of design units as whole pixels; for side 1 or -1, x counts from the middle."""
        left, top, right, bottom = box
        if side:
            left, right = sorted((CENTRE_X + side * left, CENTRE_X + side * right))
        return (int(np.floor(left * self.scale)), int(np.floor(top * self.scale)),
                int(np.ceil(right * self.scale)), int(np.ceil(bottom * self.scale)))

    def draw(self, weights):
        """uint8 BGR [size, size, 3] for `weights` [52] in FACE_CHANNELS order, 0-1."""
        weights = np.asarray(weights, np.float64)
        frame = self.still.copy()
        self.draw_skin(frame, weights)
        steps = np.rint(weights * UPPER_STEPS).astype(np.int16)
        for suffix, side in SIDES:
            for stems, box, draw in ((shapes.EYE_STEMS, EYE_BOX, Face.draw_eye),
                                     (shapes.BROW_STEMS, BROW_BOX, Face.draw_brow)):
                self.paste(frame, box, side, self.upper_sprite(
                    draw, box, suffix, side, stems,
                    steps[shapes.columns_of(stems, suffix)].tobytes()))
        mouth = self.brush(MOUTH_BOX)
        self.draw_mouth(mouth, weights)
        self.paste(frame, MOUTH_BOX, 0, averaged_down(mouth.image))
        return frame

    def draw_moving(self, weights, out=None):
        """The moving_box() of draw(weights), but as RGB, into `out`."""
        left, top, right, bottom = moving_box(self.size)
        return cv2.cvtColor(self.draw(weights)[top:bottom, left:right], cv2.COLOR_BGR2RGB, out)

    def paste(self, frame, box, side, sprite):
        """A premultiplied BGRA picture over its box of the frame."""
        left, top, right, bottom = self.pixel_box(box, side)
        part = frame[top:bottom, left:right]
        over(sprite, part, part)

    def draw_upper_sprite(self, draw, box, suffix, side, stems, steps):
        """An eye or a brow for paste(), by `draw`; `steps`: the weights of `stems`, as bytes."""
        weights = np.zeros(len(FACE_CHANNELS))
        weights[shapes.columns_of(stems, suffix)] = np.frombuffer(steps, np.int16) / UPPER_STEPS
        brush = self.brush(box, side)
        draw(self, brush, weights, suffix, side)
        return averaged_down(brush.image)

    def draw_skin(self, frame, weights):
        """The warped head over the background, with the shading of the shapes."""
        weights_single = weights.astype(np.float32)
        moved = weights_single.dot(self.field).reshape((2,) + self.warp_shape)
        moved[1] += self.close_field * np.float32(min(weights[INDEX["mouthClose"]],
                                                      weights[INDEX["jawOpen"]]))
        back = inverse_warp(moved, self.warp_places)                # [rows, columns, 2] in cells
        left, top, right, bottom = self.box
        size = right - left, bottom - top
        places = cv2.scaleAdd(cv2.resize(back, size, interpolation=cv2.INTER_LINEAR),
                              WARP_CELL * self.scale * self.texture_scale, self.texture_places)
        head = cv2.remap(self.head, places, None, cv2.INTER_LINEAR)
        skin = over(head, self.background[top:bottom, left:right])

        shade = np.zeros(self.shade_shape, np.float32)
        for index, window, patch in self.shades:
            if weights[index] > FAINT:
                cv2.scaleAdd(patch, weights[index], shade[window], shade[window])
        if shade.any():
            small = self.shade_shape[::-1]
            places = cv2.scaleAdd(cv2.resize(back, small, interpolation=cv2.INTER_LINEAR),
                                  WARP_CELL / SHADE_CELL, self.shade_places)
            shade = cv2.remap(shade, places, None, cv2.INTER_LINEAR)
            # 0.6 tanh(shade / 0.6): many folds do not add up to black
            shade = 0.6 - 1.2 / (1 + cv2.exp(shade * np.float32(2 / 0.6)))
            coverage = cv2.resize(cv2.extractChannel(head, 3), small, interpolation=cv2.INTER_AREA)
            shade = cv2.multiply(shade, coverage, scale=1 / 255.0, dtype=cv2.CV_32F)
            light = [cv2.resize(cv2.convertScaleAbs(shade, alpha=part, beta=128), size,
                                interpolation=cv2.INTER_LINEAR) for part in SHADE_COLOUR]
            skin = cv2.addWeighted(skin, 1, cv2.merge(light), 1, -128)
        frame[top:bottom, left:right] = skin

    def brush(self, box, side=0):
        """A Brush on a clear sheet of four channels over a box, as pixel_box has it."""
        left, top, right, bottom = self.pixel_box(box, side)
        return Brush(np.zeros((FINE * (bottom - top), FINE * (right - left), 4), np.uint8),
                     self.scale, (left, top))

    def draw_brow(self, brush, weights, suffix, side):
        line, half = shapes.brow_points(weights, suffix, side), self.brow_half
        middle = spline(line, 8)                                # [33, 2]
        upper, lower = shifted(middle, -half), shifted(middle, half)
        brush.soft(np.concatenate([upper, lower[::-1]]), BROW, 0.92, 0.8)
        # hairs, leaning more towards the temple
        some = np.arange(2, len(middle) - 5, 3)
        lean = some / float(len(middle))
        starts = lower[some] * 0.7 + middle[some] * 0.3
        ends = upper[some] + np.stack([side * (1.5 + 6.5 * lean), 0.4 + 2.0 * lean], 1)
        brush.lines(np.stack([starts, ends], 1), (34, 44, 72), 0.7)

    def eyeball_picture(self, side):
        """The white of an eye in its box at FINE size: uint8 [h, w, 3]."""
        left, top, right, bottom = self.pixel_box(EYE_BOX, side)
        sheet = np.empty((FINE * (bottom - top), FINE * (right - left), 3), np.uint8)
        sheet[:] = (202, 196, 204)
        ball = Brush(sheet, self.scale, (left, top))
        ball.soft(ellipse((side * EYE_X, EYE_Y - 1), 25, 18), (247, 247, 245), 1.0, 5)
        return ball.image

    def draw_eye(self, brush, weights, suffix, side):
        upper, lower, iris = shapes.eye_curves(weights, suffix, side)
        blink = weights[INDEX["eyeBlink" + suffix]]
        rest = EYE_Y - 15.0
        crease = upper * (1, 0.62) + (0, 0.38 * rest - 5.0 + blink)
        brush.soft(np.concatenate([crease, upper[::-1]]), (196, 214, 242),
                   0.15 + 0.20 * blink, 2.0)
        brush.soft_line(crease[3:-2], (76, 94, 164), 1.4, 0.60, 0.7)
        if np.max(lower[:, 1] - upper[:, 1]) > 0.4:
            ball = brush.layer(np.concatenate([upper, lower]))
            ball.image[:] = self.eyeball[side][ball.window]
            ball.soft(ellipse(upper[0] + (side * 3, 0.8), 4.2, 3.2), (150, 152, 226), 0.8, 1.0)
            ball.sprite(self.iris, iris)
            ball.soft_line(shifted(upper, 0.5), (66, 56, 62), 6.0, 0.42, 1.6)
            brush.paste(ball, np.concatenate([upper, lower[::-1]]))
        brush.soft_line(shifted(lower[3:-1], 0.5), (78, 84, 146), 1.3, 0.60, 0.3)
        # lashes: a line that thickens towards the temple and ends in a wing
        edge = shifted(upper, -LASH_THICKNESS)
        wing = upper[-1] + (side * 3.6, -2.4 + 2.8 * blink)
        brush.fill(np.concatenate([shifted(upper, 0.7), [wing], edge[::-1]]), LASH)
        for i, length in ((23, 2.0), (26, 2.5), (29, 2.8)):
            tip = edge[i] + (side * (1.4 + 0.14 * (i - 15)), -length * (1 - 1.5 * blink))
            brush.fill([edge[i - 1], edge[i + 1], tip], LASH)

    def draw_mouth(self, brush, weights):
        curves = shapes.lip_curves(weights)                    # [4, 2, points]
        upper_outer, upper_inner, lower_inner, lower_outer = np.swapaxes(curves, 1, 2)
        jaw = shapes.jaw_offset(weights)
        tongue_out = weights[INDEX["tongueOut"]]
        forward = max(weights[INDEX["mouthFunnel"]], weights[INDEX["mouthPucker"]])
        gap = float(np.max(lower_inner[:, 1] - upper_inner[:, 1]))
        # the lower lip's shadow on the chin
        below = shifted(lower_outer, 5.0 * shapes.ROUND)
        brush.soft(np.concatenate([below, lower_outer[::-1]]), (84, 98, 172),
                   0.50 + 0.2 * forward, 2.6)
        if gap > 0.25:
            self.draw_inside(brush, upper_inner, lower_inner, jaw, forward)
        brush.graded(lower_outer, lower_inner, *LOWER_LIP)
        self.draw_shine(brush, lower_inner, lower_outer, 0.36 + 0.20 * forward)
        if tongue_out > 0.01:
            self.draw_tongue_out(brush, upper_inner, lower_inner, jaw[0], tongue_out)
        brush.graded(upper_outer, upper_inner, *UPPER_LIP)
        brush.soft_line(shifted(upper_outer[6:-6], -0.8), (206, 214, 248), 1.4, 0.30, 0.6)
        together = np.exp(-gap / 5.0)
        brush.soft_line(upper_inner, LIP_SEAM, 1.3, 0.50 + 0.2 * together, 0.3)
        corners = np.concatenate([lower_inner[:4], lower_inner[3::-1]]), \
            np.concatenate([lower_inner[-4:], lower_inner[:-5:-1]])
        for corner in corners:
            brush.soft_line(corner, LIP_SEAM, 1.8, 0.45, 0.6)

    def draw_shine(self, brush, inner, outer, strength):
        """A soft light on the lower lip, a little to the lamp's side."""
        place = slice(13, 25)
        height = np.maximum(outer[place, 1] - inner[place, 1], 0)
        middle = 0.58 * inner[place] + 0.42 * outer[place]
        band = 0.13 * height * np.sin(np.linspace(0, np.pi, len(height)))
        brush.soft(np.concatenate([shifted(middle, -band), shifted(middle, band)[::-1]]),
                   (214, 214, 252), strength * 1.5, 1.6)

    def draw_inside(self, brush, upper_inner, lower_inner, jaw, forward):
        """Throat, tongue and teeth, cut to the opening; darker behind lips put forward."""
        opening = np.concatenate([upper_inner, lower_inner[::-1]])
        inside = brush.layer(opening)
        if inside is None:
            return
        inside.image[:] = MOUTH_DEEP
        jaw_x, jaw_y = jaw
        inside.sprite(self.tongue, (0.8 * jaw_x, MOUTH_Y + 17 + 0.50 * jaw_y))
        inside.sprite(self.lower_teeth, (jaw_x, MOUTH_Y + 9.5 + 0.95 * jaw_y + 4 * forward))
        inside.sprite(self.upper_teeth, (0, MOUTH_Y - 7.5 - 4 * forward))
        inside.soft_line(shifted(upper_inner, -0.5), (26, 16, 46), 4.0, 0.42, 1.2)
        inside.soft_line(shifted(lower_inner, 0.3), (26, 16, 46), 2.0, 0.35, 0.9)
        inside.soft(opening, (30, 18, 52), 0.5 * forward, 1.0)
        brush.paste(inside, opening)

    def draw_tongue_out(self, brush, upper_inner, lower_inner, jaw_x, amount):
        """The tongue over the lower lip; the upper lip is drawn over its root."""
        middle = shapes.NUM_LIP_POINTS // 2
        top, lip = upper_inner[middle, 1] + 1.0, lower_inner[middle, 1]
        centre = 0.5 * lower_inner[middle, 0] + 0.5 * jaw_x
        half = min(19.0, 0.36 * (lower_inner[-1, 0] - lower_inner[0, 0]) + 3)
        half *= min(1.0, 0.6 + 2 * amount)
        tip = max(lip - 2 + 38 * amount, top + 3)
        seen = min(1.0, amount / 0.08)                      # it comes up from the mouth's dark
        angle = np.linspace(0, np.pi, 25)
        round_y = min(half, 0.6 * (tip - top))
        arc = np.stack([half * np.cos(angle), tip - round_y + round_y * np.sin(angle)], 1)
        shape = np.concatenate([[(half * 0.86, top)], arc, [(-half * 0.86, top)]]) + (centre, 0)
        brush.soft(shape + (0, 3), (50, 50, 120), 0.45 * min(1, 3 * amount), 2.2)
        brush.soft(shape, (92, 84, 194), seen, 0.2)
        inner = np.concatenate([[(half * 0.62, top)], arc * (0.74, 1) - (0, 3.2),
                                [(-half * 0.62, top)]]) + (centre - 1, 0)
        brush.soft(inner, (136, 128, 230), 0.9 * seen, 2.4)
        brush.soft_line([(centre, top), (centre, max(top + 1, tip - 0.45 * (tip - top)))],
                        TONGUE_DARK, 1.8, 0.55 * seen, 0.9)
        brush.soft(ellipse((centre - half * 0.35, tip - 8), 4, 3), (216, 214, 252),
                   0.55 * min(1, 2 * amount), 1.2)
        brush.soft_line([(centre - half, top + 1), (centre + half, top + 1)], (40, 26, 84), 3.0,
                        0.6 * seen, 1.4)


def cells(box, cell):
    """Middles of the cells that tile a box of design units: x from the middle of the face, y."""
    left, top, right, bottom = box
    return np.meshgrid(np.arange(left, right, cell, dtype=np.float32) + cell / 2.0 - CENTRE_X,
                       np.arange(top, bottom, cell, dtype=np.float32) + cell / 2.0)


def grid(shape):
    """x, y of each place of an array of `shape`: float32 [h, w, 2]."""
    return np.dstack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))).astype(np.float32)


def inverse_warp(moved, places):
    """Where to look back, [h, w, 2], for skin moved by `moved` [2, h, w], both in cells.

    A point at p goes to p + moved(p); what comes to q started at q + b, b = -moved(q + b),
    which is iterated. `places`: grid() of their shape.
    """
    moved = np.ascontiguousarray(np.moveaxis(moved, 0, 2), np.float32)      # [h, w, 2]
    ahead = moved
    for _ in range(5):
        ahead = cv2.remap(moved, places - ahead, None, cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_CONSTANT)
    return -ahead
