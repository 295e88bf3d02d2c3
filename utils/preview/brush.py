"""Drawing on an image with smooth edges."""
import functools
import math

import cv2
import numpy as np

from utils.preview.head import CENTRE_X

FINE = 2                            # features are drawn this much larger, then averaged down
TO_LEFT_EDGE = np.array([CENTRE_X, 0.0])


class Brush:
    """Draws in design units on `image` [fine h, fine w, channels], FINE times the frame's size.

    Of three channels it is opaque, BGR; of four premultiplied BGRA, clear where nothing is drawn.
    `origin` is where its upper left corner lies in the frame, in the frame's pixels.
    """

    def __init__(self, image, scale, origin):
        self.image = image
        self.scale, self.origin = scale, np.array(origin, np.float64)

    def layer(self, around):
        """An unset opaque sheet over the place of the points `around`; None outside the image."""
        window = self._window(self.pixels(around), 2)
        if window is None:
            return None
        origin = [start + edge.start / float(FINE)
                  for start, edge in zip(self.origin, window[::-1])]
        height, width = self.image[window].shape[:2]
        sheet = Brush(np.empty((height, width, 3), np.uint8), self.scale, origin)
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
        cv2.fillPoly(self.image, [fixed_point(self.pixels(polygon))], opaque(colour),
                     cv2.LINE_AA, 4)

    def lines(self, curves, colour, width):
        """One line along each of `curves` [lines, points, 2]."""
        cv2.polylines(self.image, list(fixed_point(self.pixels(curves))), False, opaque(colour),
                      max(1, int(round(self.length(width)))), cv2.LINE_AA, 4)

    def graded(self, outer, inner, rim_colour, inner_colour, steps=7):
        """A lip: the band between two curves, its colour passing from one to the other."""
        shares = [step / float(steps) for step in range(steps)]
        t = np.reshape(shares, (-1, 1, 1))
        inwards = np.broadcast_to(inner[::-1], (steps,) + inner.shape)
        bands = np.concatenate([outer * (1 - t) + inner * t, inwards], axis=1)  # [steps, 2 n, 2]
        for band, share in zip(fixed_point(self.pixels(bands)), shares):
            colour = [a * (1 - share) + b * share for a, b in zip(rim_colour, inner_colour)]
            cv2.fillPoly(self.image, [band], opaque(colour), cv2.LINE_AA, 4)

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
        height, width, channels = part.shape
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
        paint = sheet_of(opaque(colour)[:channels], -(-height // 64) * 64,
                         -(-width // 64) * 64)[:height, :width]
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
        """The part of `layer` inside `polygon`, on four channels."""
        part = self.image[layer.window]
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.fillPoly(mask, [fixed_point(layer.pixels(polygon))], 255, cv2.LINE_AA, 4)
        amount = mask * np.float32(1 / 255.0)
        sheet = cv2.cvtColor(layer.image, cv2.COLOR_BGR2BGRA)           # all opaque
        cv2.blendLinear(sheet, part, amount, 1 - amount, part)

    def sprite(self, picture, centre):
        """A premultiplied BGRA picture on three channels; `centre` may lie between pixels."""
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


def opaque(colour):
    """A colour (b, g, r) with its alpha; what draws on three channels leaves that out."""
    return tuple(colour) + (255,)


@functools.lru_cache(maxsize=128)
def sheet_of(colour, height, width):
    """An image of one colour, to be read only: uint8 [height, width, len(colour)]."""
    sheet = np.empty((height, width, len(colour)), np.uint8)
    sheet[:] = colour
    return sheet


def averaged_down(image):
    """A picture of FINE times the size, [FINE h, FINE w, channels], as [h, w, channels]."""
    return cv2.resize(image, (image.shape[1] // FINE, image.shape[0] // FINE),
                      interpolation=cv2.INTER_AREA)


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
