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

from utils import face_shapes
from utils.face_head import (CENTRE_X, DESIGN_SIZE, EYE_X, EYE_Y, MOUTH_Y, Painter, ellipse,
                             head_layers, spline)
from utils.face_shapes import FACE_CHANNELS, INDEX, SIDES

MIN_SIZE, MAX_SIZE = 64, 2048
TEXTURE_SIZE = 1024                 # of the skin picture, for sizes up to its half
GRID = 64                           # cells a side of the warp
SHADE_GRID = 256                    # cells a side of the shading that comes with shapes
FINE = 2                            # features are drawn this much larger
# Where anything moves, and where each feature is drawn: left, top, right, bottom.
MOVING_BOX = (128, 150, 384, 476)
MOUTH_BOX = (180, 300, 332, 462)
EYE_BOX = (10, 204, 86, 268)        # of the subject's left eye, x from the middle
BROW_BOX = (2, 178, 96, 232)

LASH = (34, 34, 52)
BROW = (40, 52, 84)
WHITE_OF_EYE = (240, 240, 240)
LIP_SEAM = (48, 40, 104)
UPPER_LIP = ((112, 112, 206), (86, 82, 182))            # at the outer rim, at the inner
LOWER_LIP = ((124, 124, 218), (112, 106, 208))
MOUTH_DEEP = (30, 18, 58)
UPPER_TEETH, LOWER_TEETH = (232, 240, 246), (206, 218, 228)
TONGUE, TONGUE_DARK = (112, 104, 212), (70, 62, 156)
SHADE_COLOUR = np.array([92, 92, 72], np.float32)       # what shading of 1 adds, BGR


def render_face(weights, names, size=DESIGN_SIZE):
    """One frame: uint8 BGR [size, size, 3] for `weights` [52], 0-1, named by `names`.

    Weights outside 0-1 are clipped, as a rig would. Raises ValueError for names that are not
    the 52 ARKit shapes, for another shape of weights, for NaN, and for a size out of range.
    """
    weights = np.asarray(weights, np.float64)
    columns = face_columns(tuple(names))
    if weights.shape != (len(FACE_CHANNELS),):
        raise ValueError("weights of shape %s, expected (%d,)"
                         % (weights.shape, len(FACE_CHANNELS)))
    if not np.isfinite(weights).all():
        raise ValueError("the weight of %s is not a number"
                         % names[int(np.argmin(np.isfinite(weights)))])
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError("size %s is outside %d-%d" % (size, MIN_SIZE, MAX_SIZE))
    return face_of_size(int(size)).draw(np.clip(weights[columns], 0, 1))


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


class Face(object):
    """The layers and fields of one picture size, and draw(weights)."""

    def __init__(self, size):
        self.size = size
        self.scale = size / float(DESIGN_SIZE)
        texture_size = min(max(2 * size, 2 * MIN_SIZE), 2 * TEXTURE_SIZE)
        painted = max(texture_size, TEXTURE_SIZE)
        background, head = head_layers(painted)
        if texture_size < painted:
            head = cv2.resize(head, (texture_size,) * 2, interpolation=cv2.INTER_AREA)
        self.head = head                                            # [texture, texture, 4]
        self.texture_scale = texture_size / float(size)
        self.background = cv2.resize(background, (size, size), interpolation=cv2.INTER_AREA)
        self.box = self.pixel_box(MOVING_BOX)
        still = cv2.resize(head, (size, size), interpolation=cv2.INTER_AREA)
        self.still = over(still, self.background)                   # [size, size, 3]

        grid = Painter(GRID)
        fields = face_shapes.skin_field(grid.x, grid.y)             # [52, 2, grid, grid]
        self.field = fields.reshape(len(FACE_CHANNELS), -1)
        self.close_field = face_shapes.close_field(grid.x, grid.y).astype(np.float32)
        left, top, right, bottom = self.box
        self.fine_x, self.fine_y = np.meshgrid(
            np.arange(left, right, dtype=np.float32) + 0.5,
            np.arange(top, bottom, dtype=np.float32) + 0.5)
        self.shades = shade_fields().reshape(len(FACE_CHANNELS), -1)
        self.iris = iris_sprite(self.scale * FINE)

    def pixel_box(self, box, side=0):
        """A box of design units as whole pixels, widened; mirrored for side -1."""
        left, top, right, bottom = box
        if side:
            left, right = sorted((CENTRE_X + side * left, CENTRE_X + side * right))
        return (int(np.floor(left * self.scale)), int(np.floor(top * self.scale)),
                int(np.ceil(right * self.scale)), int(np.ceil(bottom * self.scale)))

    def draw(self, weights):
        """uint8 BGR [size, size, 3] for `weights` [52] in FACE_CHANNELS order, 0-1."""
        frame = self.still.copy()
        self.draw_skin(frame, weights)
        for suffix, side in SIDES:
            self.draw_eye(frame, weights, suffix, side)
            self.draw_brow(frame, weights, suffix, side)
        self.draw_mouth(frame, weights)
        return frame

    def draw_skin(self, frame, weights):
        """The warped head over the background, with the shading of the shapes."""
        moved = weights.astype(np.float32).dot(self.field).reshape(2, GRID, GRID)
        corrective = min(weights[INDEX["mouthClose"]], weights[INDEX["jawOpen"]])
        moved[1] += corrective * self.close_field
        back = inverse_warp(moved * (GRID / float(DESIGN_SIZE)))    # [grid, grid, 2] in cells
        left, top, right, bottom = self.box
        offset = cv2.resize(back, (self.size, self.size), interpolation=cv2.INTER_CUBIC)
        offset = offset[top:bottom, left:right] * (self.size / float(GRID))
        map_x = (self.fine_x + offset[..., 0]) * self.texture_scale - 0.5
        map_y = (self.fine_y + offset[..., 1]) * self.texture_scale - 0.5
        head = cv2.remap(self.head, map_x, map_y, cv2.INTER_LINEAR)
        skin = over(head, self.background[top:bottom, left:right])

        shade = weights.astype(np.float32).dot(self.shades).reshape(SHADE_GRID, SHADE_GRID)
        if shade.any():
            to_shade = SHADE_GRID / float(self.size)
            shade = cv2.remap(shade, (self.fine_x + offset[..., 0]) * to_shade - 0.5,
                              (self.fine_y + offset[..., 1]) * to_shade - 0.5, cv2.INTER_LINEAR)
            shade = np.clip(shade, -1.1, 0.8)
            tint = cv2.merge([shade * part for part in SHADE_COLOUR])
            skin = cv2.add(skin, tint, dtype=cv2.CV_8U)
        frame[top:bottom, left:right] = skin

    def brush(self, frame, box):
        left, top, right, bottom = box
        return Brush(frame[top:bottom, left:right], self.scale, (left, top))

    def draw_brow(self, frame, weights, suffix, side):
        line, half = face_shapes.brow_points(weights, suffix, side)
        with self.brush(frame, self.pixel_box(BROW_BOX, side)) as brush:
            middle = spline(line, 8)
            thickness = spline(np.stack([np.arange(5.0), half], 1), 8)[:, 1]
            upper = middle - np.stack([0 * thickness, thickness], 1)
            lower = middle + np.stack([0 * thickness, thickness], 1)
            shape = np.concatenate([upper, lower[::-1]])
            brush.soft(shape, BROW, 0.55, 1.6)
            brush.soft(shape, BROW, 0.80, 0.5)
            for i in range(1, len(middle) - 6, 2):      # hairs, leaning to the temple
                lean = 0.25 + 0.75 * i / len(middle)
                start = lower[i] * 0.75 + middle[i] * 0.25
                end = upper[i] + (side * 5.0 * lean, -1.2 + 2.2 * lean)
                brush.line(np.stack([start, end]), (30, 40, 66), 0.8)

    def draw_eye(self, frame, weights, suffix, side):
        upper, lower, iris = face_shapes.eye_curves(weights, suffix, side)
        opening = np.concatenate([upper, lower[::-1]])
        gap = float(np.max(lower[:, 1] - upper[:, 1]))
        with self.brush(frame, self.pixel_box(EYE_BOX, side)) as brush:
            # the fold above the lid
            blink = weights[INDEX["eyeBlink" + suffix]]
            fold = upper * (1, 0.62) + (0, 0.38 * (EYE_Y - 15) - 5.5 + 1.0 * blink)
            fold = fold[3:-2] if side > 0 else fold[3:-2]
            brush.soft_line(fold, (70, 88, 158), 1.5, 0.55, 0.9)
            lid = np.concatenate([fold, upper[::-1]])
            brush.soft(lid, (206, 222, 246), 0.10 + 0.16 * blink, 3.0)
            if gap > 0.4:
                ball = brush.layer()
                ball.image[:] = WHITE_OF_EYE
                brush_shade = ellipse((side * EYE_X, EYE_Y - 2), 24, 17)
                ball.image[:] = (206, 200, 206)
                ball.soft(brush_shade, (246, 246, 244), 1.0, 5)
                corner = upper[0] + (side * 2.5, 0.8)
                ball.soft(ellipse(corner, 4.2, 3.4), (150, 150, 226), 0.8, 1.0)
                ball.sprite(self.iris, iris)
                ball.soft_line(upper + (0, 0.5), (60, 50, 56), 7.0, 0.42, 1.8)
                glint = (iris[0] * 0.75 + side * EYE_X * 0.25 - 4.2,
                         iris[1] * 0.75 + (EYE_Y - 2) * 0.25 - 4.8)
                ball.soft(ellipse(glint, 3.1, 3.4, 20), (255, 255, 255), 0.95, 0.4)
                ball.soft(ellipse((glint[0] + 8.6, glint[1] + 9.6), 1.7, 1.5), (255, 250, 244),
                          0.55, 0.5)
                brush.paste(ball, opening)
                brush.soft_line(lower[2:-1] + (0, 0.4), (104, 112, 186), 1.6, 0.75, 0.4)
            brush.soft_line(lower[10:-1] + (0, 0.8), (58, 62, 106), 1.0, 0.55, 0.4)
            # lashes: a line that thickens towards the temple and ends in a wing
            along = np.linspace(0, 1, len(upper))
            thick = 0.9 + 2.5 * along ** 0.8 * (1 - along ** 6 * 0.55)
            edge = upper - np.stack([0 * thick, thick], 1)
            wing = upper[-1] + (side * 4.2, -3.4 + 3.0 * blink)
            brush.fill(np.concatenate([upper + (0, 0.7), [wing], edge[::-1]]), LASH)
            for i, length in ((17, 3.0), (21, 4.0), (25, 4.8), (28, 5.2)):
                root = edge[i]
                sweep = (side * (1.2 + 0.10 * (i - 10)), -length * (1 - 1.25 * blink))
                brush.line(np.stack([root, root + np.multiply(sweep, 0.6) + (side * 0.2, -0.2),
                                     root + sweep]), LASH, 0.9)

    def draw_mouth(self, frame, weights):
        curves = face_shapes.lip_curves(weights)                    # [4, 2, points]
        upper_outer, upper_inner, lower_inner, lower_outer = np.swapaxes(curves, 1, 2)
        jaw_x, jaw_y = face_shapes.jaw_offset(weights)
        tongue_out = weights[INDEX["tongueOut"]]
        forward = max(weights[INDEX["mouthFunnel"]], weights[INDEX["mouthPucker"]])
        gap = float(np.max(lower_inner[:, 1] - upper_inner[:, 1]))
        with self.brush(frame, self.pixel_box(MOUTH_BOX)) as brush:
            # the lower lip's shadow on the chin
            below = np.concatenate([lower_outer, lower_outer[::-1] * (0.86, 1) + (0, 0)])
            below[:len(lower_outer), 1] += 5.0 * face_shapes.ROUND
            brush.soft(below, (84, 98, 172), 0.50 + 0.2 * forward, 2.6)
            if gap > 0.25:
                inside = brush.layer()
                self.draw_inside(inside, upper_inner, lower_inner, jaw_x, jaw_y)
                brush.paste(inside, np.concatenate([upper_inner, lower_inner[::-1]]))
            brush.graded(lower_outer, lower_inner, *LOWER_LIP)
            self.shine(brush, lower_inner, lower_outer, 0.30 + 0.20 * forward)
            if tongue_out > 0.01:
                self.draw_tongue_out(brush, upper_inner, lower_inner, jaw_x, tongue_out)
            brush.graded(upper_outer, upper_inner, *UPPER_LIP)
            rim = upper_outer[6:-6] + (0, -0.8)
            brush.soft_line(rim, (206, 214, 248), 1.4, 0.30, 0.6)
            seam = 0.35 + 0.45 * np.exp(-gap / 5.0)
            brush.soft_line(upper_inner, LIP_SEAM, 1.5, 0.45 + 0.3 * seam, 0.4)
            if gap < 4:
                brush.soft_line(lower_inner[3:-3], LIP_SEAM, 1.2, 0.5 * seam, 0.4)
            for corner in (upper_inner[0], upper_inner[-1]):
                brush.soft(ellipse(corner, 2.6, 1.8), LIP_SEAM, 0.55, 0.9)

    def shine(self, brush, inner, outer, strength):
        """A soft light on the lower lip, a little to the lamp's side."""
        middle = 0.55 * inner + 0.45 * outer
        height = outer[:, 1] - inner[:, 1]
        place = slice(12, 27)
        band = 0.20 * height[place] * face_shapes.BELL[place]
        top = middle[place] - np.stack([0 * band + 1.5, band], 1)
        bottom = middle[place] + np.stack([0 * band - 1.5, band], 1)
        brush.soft(np.concatenate([top, bottom[::-1]]), (206, 206, 250), strength * 1.6, 1.4)

    def draw_inside(self, inside, upper_inner, lower_inner, jaw_x, jaw_y):
        """Throat, tongue and teeth, before they are cut to the opening."""
        inside.image[:] = MOUTH_DEEP
        depth = ellipse((jaw_x * 0.5, MOUTH_Y + 8 + 0.45 * jaw_y), 30, 8 + 0.36 * jaw_y)
        inside.soft(depth, (20, 8, 32), 0.8, 4)
        tongue_y = MOUTH_Y + 13 + 0.80 * jaw_y
        tongue = ellipse((jaw_x, tongue_y + 6), 26, 15 + 0.10 * jaw_y)
        inside.soft(tongue, TONGUE_DARK, 1.0, 1.4)
        inside.soft(ellipse((jaw_x - 1, tongue_y + 6), 20, 11 + 0.08 * jaw_y), TONGUE, 0.85, 4)
        inside.soft_line(np.array([(jaw_x, tongue_y - 6), (jaw_x, tongue_y + 14)]), TONGUE_DARK,
                         2.0, 0.5, 1.4)
        x = np.linspace(-29, 29, 25)
        lower_top = MOUTH_Y + jaw_y + 1.0 + 0.006 * x ** 2
        lower_teeth = np.concatenate([np.stack([x * 0.86 + jaw_x, lower_top], 1),
                                      np.stack([x[::-1] * 0.86 + jaw_x, lower_top + 16], 1)])
        inside.fill(lower_teeth, LOWER_TEETH)
        for i in range(2, 24, 4):
            at = np.array([(x[i] * 0.86 + jaw_x, lower_top[i] + 1), (x[i] * 0.86 + jaw_x,
                                                                    lower_top[i] + 14)])
            inside.soft_line(at, (150, 158, 178), 0.8, 0.6, 0.3)
        upper_bottom = MOUTH_Y + 3.6 - 0.0065 * x ** 2
        upper_teeth = np.concatenate([np.stack([x, upper_bottom - 26], 1),
                                      np.stack([x, upper_bottom], 1)[::-1]])
        inside.soft(upper_teeth + (0, 2.5), (16, 8, 28), 0.5, 1.6)
        inside.fill(upper_teeth, UPPER_TEETH)
        for edge in (-21.5, -15, -8.6, 0, 8.6, 15, 21.5):
            bottom = MOUTH_Y + 3.6 - 0.0065 * edge ** 2
            inside.soft_line(np.array([(edge, bottom - 18), (edge, bottom)]), (168, 176, 192), 0.8,
                             0.7, 0.3)
        for side in (-1, 1):                                # teeth fade into the cheek's dark
            inside.soft(ellipse((side * 33, MOUTH_Y), 9, 22), (30, 20, 48), 0.75, 4)
        inside.soft_line(upper_inner + (0, -0.5), (24, 14, 44), 5.0, 0.55, 1.8)
        inside.soft_line(lower_inner + (0, 0.5), (24, 14, 44), 3.0, 0.4, 1.5)

    def draw_tongue_out(self, brush, upper_inner, lower_inner, jaw_x, amount):
        """The tongue over the lower lip; the upper lip is drawn over its root."""
        middle = face_shapes.NUM_LIP_POINTS // 2
        top, lip = upper_inner[middle, 1] + 1.0, lower_inner[middle, 1]
        centre = lower_inner[middle, 0] * 0.5 + jaw_x * 0.5
        half = min(17.0, 0.62 * 0.5 * (lower_inner[-1, 0] - lower_inner[0, 0]) + 3)
        tip = lip + 3 + 33 * amount
        angle = np.linspace(0, np.pi, 25)
        round_y = min(16.0, 0.6 * (tip - top))
        arc = np.stack([half * np.cos(angle), tip - round_y + round_y * np.sin(angle)], 1)
        shape = np.concatenate([[(half * 0.86, top)], arc, [(-half * 0.86, top)]]) + (centre, 0)
        brush.soft(shape + (0, 3), (50, 50, 120), 0.45 * min(1, 3 * amount), 2.2)
        brush.fill(shape, (92, 84, 194))
        inner = np.concatenate([[(half * 0.62, top)], arc * (0.74, 1) - (0, 3.2),
                                [(-half * 0.62, top)]]) + (centre - 1, 0)
        brush.soft(inner, (136, 128, 230), 0.9, 2.4)
        groove = np.array([(centre, top), (centre, max(top + 1, tip - 0.45 * (tip - top)))])
        brush.soft_line(groove, TONGUE_DARK, 1.8, 0.55, 0.9)
        brush.soft(ellipse((centre - half * 0.35, tip - 8), 4, 3), (216, 214, 252),
                   0.55 * min(1, 2 * amount), 1.2)
        brush.soft_line(np.array([(centre - half, top + 1), (centre + half, top + 1)]),
                        (40, 26, 84), 3.0, 0.6, 1.4)


class Brush(object):
    """Draws on a part of a frame at FINE times its size, in design units.

    As a context manager it puts the part back, averaged down. Enlarging repeats pixels and
    averaging undoes that exactly, so that pixels which nothing was drawn on stay as they were.
    """

    def __init__(self, part, scale, origin, image=None):
        self.part = part
        self.scale, self.origin = scale, origin
        if image is None:
            image = cv2.resize(part, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_NEAREST)
        self.image = image                                          # [fine h, fine w, 3]

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            height, width = self.part.shape[:2]
            self.part[:] = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)

    def layer(self):
        """An empty sheet of the same place and size."""
        return Brush(self.part, self.scale, self.origin, np.empty_like(self.image))

    def pixels(self, points):
        """Design units (x from the middle of the face) as pixels of `image`."""
        points = np.asarray(points, np.float64) + (CENTRE_X, 0)
        return (points * self.scale - self.origin) * FINE - 0.5

    def length(self, units):
        return units * self.scale * FINE

    def fill(self, polygon, colour):
        points = np.round(self.pixels(polygon) * 16).astype(np.int32)
        cv2.fillPoly(self.image, [points], colour, cv2.LINE_AA, 4)

    def line(self, curve, colour, width):
        points = np.round(self.pixels(curve) * 16).astype(np.int32)
        cv2.polylines(self.image, [points], False, colour,
                      max(1, int(round(self.length(width)))), cv2.LINE_AA, 4)

    def graded(self, outer, inner, rim_colour, inner_colour, steps=7):
        """A lip: the band between two curves, its colour passing from one to the other."""
        for step in range(steps):
            t = step / float(steps)
            curve = outer * (1 - t) + inner * t
            colour = [a * (1 - t) + b * t for a, b in zip(rim_colour, inner_colour)]
            self.fill(np.concatenate([curve, inner[::-1]]), colour)

    def _window(self, pixels, margin):
        """The slices of `image` that hold `pixels` and a margin, or None outside it."""
        height, width = self.image.shape[:2]
        left, top = np.maximum(np.floor(pixels.min(axis=0) - margin), 0).astype(int)
        right, bottom = np.ceil(pixels.max(axis=0) + margin + 1).astype(int)
        right, bottom = min(right, width), min(bottom, height)
        if right <= left or bottom <= top:
            return None
        return slice(top, bottom), slice(left, right)

    def _blend(self, pixels, colour, strength, blur, draw):
        """Mix `colour` in where draw(mask, fixed points) marks, softened by `blur` units."""
        sigma = self.length(blur)
        window = self._window(pixels, 3 * sigma + 2)
        if window is None:
            return
        part = self.image[window]
        mask = np.zeros(part.shape[:2], np.uint8)
        fixed = np.round((pixels - (window[1].start, window[0].start)) * 16).astype(np.int32)
        draw(mask, fixed)
        if sigma > 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), sigma)
        amount = mask * np.float32(strength / 255.0)                 # [h, w]
        paint = np.empty_like(part)
        paint[:] = np.clip(colour, 0, 255)
        self.image[window] = cv2.blendLinear(paint, part, amount, 1 - amount)

    def soft(self, polygon, colour, strength, blur):
        self._blend(self.pixels(polygon), colour, min(strength, 1.0), blur,
                    lambda mask, fixed: cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4))

    def soft_line(self, curve, colour, width, strength, blur):
        thickness = max(1, int(round(self.length(width))))
        self._blend(self.pixels(curve), colour, strength, blur + 0.3 * width,
                    lambda mask, fixed: cv2.polylines(mask, [fixed], False, 255, thickness,
                                                      cv2.LINE_AA, 4))

    def paste(self, layer, polygon):
        """The part of `layer` inside `polygon`."""
        pixels = self.pixels(polygon)
        window = self._window(pixels, 2)
        if window is None:
            return
        mask = np.zeros(self.image[window].shape[:2], np.uint8)
        fixed = np.round((pixels - (window[1].start, window[0].start)) * 16).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
        amount = mask * np.float32(1 / 255.0)
        self.image[window] = cv2.blendLinear(np.ascontiguousarray(layer.image[window]),
                                             np.ascontiguousarray(self.image[window]),
                                             amount, 1 - amount)

    def sprite(self, picture, centre):
        """A premultiplied BGRA picture with its middle at `centre`, between pixels too."""
        height, width = self.image.shape[:2]
        x, y = self.pixels([centre])[0]
        half = (picture.shape[0] - 1) / 2.0
        shift = np.array([[1, 0, x - half], [0, 1, y - half]], np.float32)
        placed = cv2.warpAffine(picture, shift, (width, height), flags=cv2.INTER_LINEAR)
        self.image[:] = over(placed, self.image)


def over(top, bottom):
    """Premultiplied BGRA `top` over opaque `bottom`, both uint8: [h, w, 3]."""
    clear = 255 - top[..., 3]
    return cv2.add(np.ascontiguousarray(top[..., :3]),
                   cv2.multiply(bottom, cv2.merge([clear] * 3), scale=1 / 255.0))


def inverse_warp(moved):
    """Where to look back, [h, w, 2], for skin moved by `moved` [2, h, w], both in cells.

    A point at p goes to p + moved(p); what comes to q started at q + b, b = -moved(q + b),
    which is iterated.
    """
    moved = np.ascontiguousarray(np.moveaxis(moved, 0, 2), np.float32)      # [h, w, 2]
    y, x = np.mgrid[:moved.shape[0], :moved.shape[1]].astype(np.float32)
    back = -moved
    for _ in range(5):
        back = -cv2.remap(moved, x + back[..., 0], y + back[..., 1], cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_CONSTANT)
    return back


def iris_sprite(scale, radius=13.0):
    """The iris with pupil and rays, premultiplied BGRA uint8, `scale` pixels a design unit."""
    side = int(np.ceil((radius + 2) * scale)) * 2 + 1
    axis = (np.arange(side) - (side - 1) / 2.0) / scale
    x, y = np.meshgrid(axis, axis)
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    share = distance / radius
    rays = (0.5 + 0.28 * np.sin(19 * angle + 1.3) * np.sin(7 * angle)
            + 0.22 * np.sin(31 * angle + 0.4))
    ring = np.exp(-((share - 0.62) / 0.24) ** 2)
    colour = np.zeros((side, side, 3)) + (116, 96, 52)

    def mixed(target, amount):
        return colour + (np.array(target, float) - colour) * np.clip(amount, 0, 1)[..., None]

    colour = mixed((176, 158, 92), 0.65 * ring * rays)
    colour = mixed((204, 190, 128), 0.5 * np.clip(y / radius, 0, 1) * (share < 1))  # lit from above
    colour = mixed((112, 148, 128), 0.4 * np.exp(-((share - 0.5) / 0.10) ** 2))
    colour = mixed((48, 36, 20), np.clip((share - 0.80) / 0.16, 0, 1) * 0.9)
    colour = mixed((16, 12, 12), np.clip((5.9 - distance) * scale * 0.6 + 0.5, 0, 1))
    alpha = np.clip((radius - distance) * scale * 0.5 + 0.5, 0, 1)
    sprite = np.concatenate([colour * alpha[..., None], alpha[..., None] * 255], axis=2)
    return np.clip(sprite + 0.5, 0, 255).astype(np.uint8)


def shade_fields():
    """The shading of each shape at weight 1: float32 [52, SHADE_GRID, SHADE_GRID]."""
    painter = Painter(SHADE_GRID)
    fields = np.zeros((len(FACE_CHANNELS), SHADE_GRID, SHADE_GRID), np.float32)
    for shape, side, marks in face_shapes.sided(face_shapes.SHADES):
        sign = side or 1
        for mark in marks:
            if mark[0] == "spot":
                _, x, y, sigma_x, sigma_y, amount = mark
                drawn = painter.bump(sign * x, y, sigma_x, sigma_y, both_sides=False)
            else:
                _, points, sigma, amount = mark
                curve = spline(np.asarray(points, np.float32) * (sign, 1)) + (CENTRE_X, 0)
                drawn = painter.strokes([curve], 0.5, sigma)
                drawn = drawn / drawn.max()
            fields[INDEX[shape]] += amount * drawn
    return fields
