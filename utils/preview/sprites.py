"""The parts of the preview face that are drawn once: iris, teeth, tongue, shading."""
import numpy as np

from utils.preview import shapes
from utils.preview.head import mix, spline, to_bytes
from utils.preview.shapes import INDEX

UPPER_TEETH, LOWER_TEETH = (230, 239, 246), (208, 219, 230)
TOOTH_GAP = (186, 194, 208)
TONGUE, TONGUE_DARK = (116, 108, 214), (74, 66, 162)
IRIS_RADIUS = 14.0


def sprite_sheet(half_width, half_height, pixels_per_unit):
    """x, y in design units [h, w] of a sprite whose middle is (0, 0)."""
    columns, rows = (int(np.ceil(half * pixels_per_unit)) * 2 + 1
                     for half in (half_width, half_height))
    return np.meshgrid((np.arange(columns) - (columns - 1) / 2.0) / pixels_per_unit,
                       (np.arange(rows) - (rows - 1) / 2.0) / pixels_per_unit)


def premultiplied(colour, alpha):
    """uint8 BGRA of `colour` [h, w, 3], 0-255, and `alpha` [h, w], 0-1."""
    alpha = np.clip(alpha, 0, 1)[..., None]
    return to_bytes(np.concatenate([colour * alpha, 255 * alpha], axis=2))


def iris_sprite(pixels_per_unit):
    """The iris with pupil, rays and the lamp's reflections, premultiplied BGRA uint8."""
    x, y = sprite_sheet(IRIS_RADIUS + 2, IRIS_RADIUS + 2, pixels_per_unit)
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    share = distance / IRIS_RADIUS

    def edge(inside):                   # 1 where `inside` design units are positive, smooth
        return np.clip(inside * pixels_per_unit * 0.5 + 0.5, 0, 1)

    rays = 0.5 + 0.28 * np.sin(19 * angle + 1.3) * np.sin(7 * angle) + 0.22 * np.sin(31 * angle)
    colour = np.zeros(x.shape + (3,)) + (112, 92, 48)
    colour = mix(colour, (178, 160, 94), np.clip(0.7 * np.exp(-((share - 0.62) / 0.24) ** 2) * rays,
                                                 0, 1))
    colour = mix(colour, (206, 192, 130), 0.5 * np.clip(y / IRIS_RADIUS, 0, 1))     # lit from above
    colour = mix(colour, (112, 148, 128), 0.4 * np.exp(-((share - 0.5) / 0.10) ** 2))
    colour = mix(colour, (46, 34, 18), 0.9 * np.clip((share - 0.80) / 0.16, 0, 1))
    colour = mix(colour, (16, 12, 12), edge(6.2 - distance))
    colour = mix(colour, (255, 255, 255), 0.95 * edge(3.3 - np.hypot(x + 4.6, y + 5.0)))
    colour = mix(colour, (255, 250, 244), 0.50 * edge(1.8 - np.hypot(x - 4.6, y - 5.4)))
    return premultiplied(colour, edge(IRIS_RADIUS - distance))


def teeth_sprite(pixels_per_unit, upper):
    """A row of teeth seen from the front, premultiplied BGRA uint8."""
    x, y = sprite_sheet(42, 14, pixels_per_unit)
    half_width, bend = (39.0, 0.0050) if upper else (33.0, 0.0060)
    # Teeth narrow to the sides, where the row turns away.
    turn = np.arcsin(np.clip(x / half_width, -1, 1)) / (np.pi / 2)      # -1 .. 1
    tooth = turn * (5.2 if upper else 6.2)
    place = np.abs(tooth - np.floor(tooth) - 0.5)           # 0 in a tooth's middle, 0.5 at its side
    gap = np.clip((place - 0.42) / 0.08, 0, 1)              # 1 between two teeth
    rounding = 0.9 * np.clip((place - 0.28) / 0.22, 0, 1) ** 2
    direction = 1 if upper else -1
    end = 11.0 - bend * x ** 2 - rounding                   # the biting edge, from the middle
    inside = end - direction * y
    colour = np.zeros(x.shape + (3,)) + (UPPER_TEETH if upper else LOWER_TEETH)
    colour = mix(colour, TOOTH_GAP, 0.85 * gap)
    colour = mix(colour, (60, 44, 84), np.abs(turn) ** 2.6 * 0.7)
    colour = mix(colour, (170, 176, 226), 0.5 * np.clip((inside - 13) / 8.0, 0, 1))     # gum side
    alpha = np.clip(inside * pixels_per_unit * 0.7 + 0.5, 0, 1) * (np.abs(x) < half_width)
    return premultiplied(colour, alpha)


def tongue_sprite(pixels_per_unit):
    """The tongue as it lies in the mouth, premultiplied BGRA uint8."""
    x, y = sprite_sheet(32, 22, pixels_per_unit)
    distance = np.hypot(x / 27.0, (y - 3) / 17.0)
    colour = np.zeros(x.shape + (3,)) + TONGUE_DARK
    colour = mix(colour, TONGUE, np.clip(1.15 * (1 - distance ** 2), 0, 1))
    colour = mix(colour, TONGUE_DARK, 0.55 * np.exp(-(x / 1.6) ** 2) * (y > -13))
    return premultiplied(colour, np.clip((1 - distance) * 12, 0, 1))


def shade_patches(x, y):
    """The shading of the shapes at weight 1, cut to where it is: [(index, window, float32)].

    `x`, `y` [h, w] are the places; the index is the shape's in FACE_CHANNELS.
    """
    patches = []
    for shape, side, marks in shapes.sided(shapes.SHADES):
        for mark in marks:
            field = shade_mark(x * (side or 1), y, *mark).astype(np.float32)
            rows, columns = np.nonzero(np.abs(field) > 0.004)
            window = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
            patches.append((INDEX[shape], window, field[window].copy()))
    return patches


def shade_mark(x, y, kind, *numbers):
    """One spot or fold of face_shapes.SHADES at `x`, `y` [h, w]."""
    if kind == "spot":
        centre_x, centre_y, sigma_x, sigma_y, amount = numbers
        squared = ((x - centre_x) / sigma_x) ** 2 + ((y - centre_y) / sigma_y) ** 2
        return amount * np.exp(-0.5 * squared)
    points, sigma, amount = numbers
    curve = spline(points, 10)                                      # [n, 2]
    near = ((np.abs(x - curve[:, 0].mean()) < 60) & (np.abs(y - curve[:, 1].mean()) < 60))
    apart = np.hypot(x[near][:, None] - curve[:, 0], y[near][:, None] - curve[:, 1])
    place = apart.argmin(axis=1) / (len(curve) - 1.0)               # 0-1 along the fold
    fade = np.sin(np.pi * (0.12 + 0.76 * place))                    # it thins out at its ends
    fold = np.zeros(x.shape)
    fold[near] = amount * fade * np.exp(-0.5 * (apart.min(axis=1) / sigma) ** 2)
    return fold
