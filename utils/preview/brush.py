"""Drawing on an image with smooth edges."""
import cv2
import numpy as np

from utils.preview.head import CENTRE_X

FINE = 2                            # features are drawn this much larger, then averaged down


class Brush:
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
        draw(mask, np.round(inside * 16).astype(np.int32), shrink)
        if sigma > 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), sigma / shrink)
        if shrink > 1:
            mask = cv2.resize(mask, (mask.shape[1] * shrink, mask.shape[0] * shrink),
                              interpolation=cv2.INTER_LINEAR)[:height, :width]
        amount = mask * np.float32(strength / 255.0)                # [h, w]
        paint = np.empty_like(part)
        paint[:] = colour
        self.image[window] = cv2.blendLinear(paint, part, amount, 1 - amount)

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
        fixed = np.round(layer.pixels(polygon) * 16).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
        amount = mask * np.float32(1 / 255.0)
        self.image[layer.window] = cv2.blendLinear(layer.image, np.ascontiguousarray(part),
                                                   amount, 1 - amount)

    def sprite(self, picture, centre):
        """A premultiplied BGRA picture with its middle at `centre`, between pixels too."""
        height, width = self.image.shape[:2]
        x, y = self.pixels([centre])[0]
        shift = np.array([[1, 0, x - (picture.shape[1] - 1) / 2.0],
                          [0, 1, y - (picture.shape[0] - 1) / 2.0]], np.float32)
        placed = cv2.warpAffine(picture, shift, (width, height), flags=cv2.INTER_LINEAR)
        self.image[:] = over(placed, self.image)


def shifted(curve, down):
    """`curve` [n, 2] moved `down` (one number, or one a point)."""
    moved = np.array(curve, np.float64)
    moved[:, 1] += down
    return moved


def over(top, bottom):
    """Premultiplied BGRA `top` over opaque `bottom`, both uint8: [h, w, 3]."""
    clear = 255 - top[..., 3]
    return cv2.add(cv2.cvtColor(top, cv2.COLOR_BGRA2BGR),
                   cv2.multiply(bottom, cv2.cvtColor(clear, cv2.COLOR_GRAY2BGR), scale=1 / 255.0))
