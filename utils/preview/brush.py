"""Drawing on an image with smooth edges."""
import functools
import math

import cv2
import numpy as np

from utils.preview.head import CENTRE_X

FINE = 2                            # features are drawn this much larger, then averaged down
TO_LEFT_EDGE = np.array([CENTRE_X, 0.0])


class Brush:
    """Draws on a part of a frame at FINE times its size, in design units.

    As a context manager it puts the part back, averaged down. Enlarging repeats pixels and
    averaging undoes that exactly, so that pixels which nothing was drawn on stay as they were.
    """

    def __init__(self, part, scale, origin, image=None):
        self.part = part
        self.scale, self.origin = scale, np.array(origin, np.float64)
        if image is None:
            image = cv2.resize(part, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_NEAREST)
        self.image = image                                          # [fine h, fine w, 3]

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            height, width = self.part.shape[:2]
            cv2.resize(self.image, (width, height), self.part, interpolation=cv2.INTER_AREA)

    def layer(self, around):
        """An unset sheet over the place of the points `around`; None outside the image."""
        window = self._window(self.pixels(around), 2)
        if window is None:
            return None
        origin = [start + edge.start / float(FINE)
                  for start, edge in zip(self.origin, window[::-1])]
        sheet = Brush(None, self.scale, origin, np.empty_like(self.image[window]))
        sheet.window = window
        return sheet

    def pixels(self, points):
        """Design units (x from the middle of the face) as pixels of `image`."""
        points = (np.asarray(points, np.float64) + TO_LEFT_EDGE) * self.scale
        points -= self.origin
        points *= FINE
        points -= 0.5
        return points

    def length(self, units):
        return units * self.scale * FINE

    def fill(self, polygon, colour):
        cv2.fillPoly(self.image, [fixed_point(self.pixels(polygon))], colour, cv2.LINE_AA, 4)

    def lines(self, curves, colour, width):
        """One line along each of `curves` [lines, points, 2]."""
        cv2.polylines(self.image, list(fixed_point(self.pixels(curves))), False, colour,
                      max(1, int(round(self.length(width)))), cv2.LINE_AA, 4)

    def graded(self, outer, inner, rim_colour, inner_colour, steps=7):
        """A lip: the band between two curves, its colour passing from one to the other."""
        shares = [step / float(steps) for step in range(steps)]
        t = np.reshape(shares, (-1, 1, 1))
        inwards = np.broadcast_to(inner[::-1], (steps,) + inner.shape)
        bands = np.concatenate([outer * (1 - t) + inner * t, inwards], axis=1)  # [steps, 2 n, 2]
        for band, share in zip(fixed_point(self.pixels(bands)), shares):
            colour = [a * (1 - share) + b * share for a, b in zip(rim_colour, inner_colour)]
            cv2.fillPoly(self.image, [band], colour, cv2.LINE_AA, 4)

    def _window(self, pixels, margin):
        """The slices of `image` that hold `pixels` and a margin, or None outside it."""
        height, width = self.image.shape[:2]
        columns, rows = pixels.T.tolist()
        left = max(math.floor(min(columns) - margin), 0)
        top = max(math.floor(min(rows) - margin), 0)
        right = min(math.ceil(max(columns) + margin + 1), width)
        bottom = min(math.ceil(max(rows) + margin + 1), height)
        if right <= left or bottom <= top:
            return None
        return slice(top, bottom), slice(left, right)

    def _blend(self, pixels, colour, strength, blur, draw):
        """Mix `colour` in where draw(mask, fixed points, shrink) marks, softened by `blur` units.

        What is soft is drawn smaller by `shrink` and enlarged, which looks the same sooner.
        """
        sigma = self.length(blur)
        window = self._window(pixels, 3 * sigma + 2)
        if window is None:
            return
        part = self.image[window]
        height, width = part.shape[:2]
        shrink = 4 if sigma > 6 else 2 if sigma > 2 else 1
        mask = np.zeros((-(-height // shrink), -(-width // shrink)), np.uint8)
        inside = (pixels - (window[1].start, window[0].start) + 0.5) / shrink - 0.5
        draw(mask, fixed_point(inside), shrink)
        if sigma > 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), sigma / shrink)
        if shrink > 1:
            mask = cv2.resize(mask, (mask.shape[1] * shrink, mask.shape[0] * shrink),
                              interpolation=cv2.INTER_LINEAR)[:height, :width]
        amount = mask * np.float32(strength / 255.0)                # [h, w]
        paint = sheet_of(colour, -(-height // 64) * 64, -(-width // 64) * 64)[:height, :width]
        cv2.blendLinear(paint, part, amount, 1 - amount, part)

    def soft(self, polygon, colour, strength, blur):
        self._blend(self.pixels(polygon), colour, min(strength, 1.0), blur,
                    lambda mask, fixed, shrink: cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4))

    def soft_line(self, curve, colour, width, strength, blur):
        thickness = self.length(width)
        self._blend(self.pixels(curve), colour, strength, blur + 0.3 * width,
                    lambda mask, fixed, shrink: cv2.polylines(
                        mask, [fixed], False, 255, max(1, int(round(thickness / shrink))),
                        cv2.LINE_AA, 4))

    def paste(self, layer, polygon):
        """The part of `layer` inside `polygon`."""
        part = self.image[layer.window]
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.fillPoly(mask, [fixed_point(layer.pixels(polygon))], 255, cv2.LINE_AA, 4)
        amount = mask * np.float32(1 / 255.0)
        cv2.blendLinear(layer.image, part, amount, 1 - amount, part)

    def sprite(self, picture, centre):
        """A premultiplied BGRA picture with its middle at `centre`, between pixels too."""
        height, width = self.image.shape[:2]
        x, y = self.pixels([centre])[0]
        shift = np.array([[1, 0, x - (picture.shape[1] - 1) / 2.0],
                          [0, 1, y - (picture.shape[0] - 1) / 2.0]], np.float32)
        placed = cv2.warpAffine(picture, shift, (width, height), flags=cv2.INTER_LINEAR)
        over(placed, self.image, self.image)


def fixed_point(pixels):
    """`pixels` as OpenCV draws them: int32, sixteenths of a pixel."""
    pixels = pixels * 16
    return np.rint(pixels, pixels).astype(np.int32)


@functools.lru_cache(maxsize=128)
def sheet_of(colour, height, width):
    """An image of one colour, to be read only."""
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = colour
    return sheet


def shifted(curve, down):
    """`curve` [n, 2] moved `down` (one number, or one a point)."""
    moved = np.array(curve, np.float64)
    moved[:, 1] += down
    return moved


def over(top, bottom, out=None):
    """Premultiplied BGRA `top` over opaque `bottom`, both uint8: [h, w, 3], into `out`."""
    clear = cv2.bitwise_not(cv2.extractChannel(top, 3))
    clear = cv2.cvtColor(clear, cv2.COLOR_GRAY2BGR)
    return cv2.add(cv2.cvtColor(top, cv2.COLOR_BGRA2BGR),
                   cv2.multiply(bottom, clear, scale=1 / 255.0), out)
