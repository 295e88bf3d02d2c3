"""Where faces are: from the face detector's numbers to rotated boxes in the image.

BlazeFace's short-range network sees the image letterboxed to 128 x 128 and tells, for each of
896 anchors, how sure it is of a face and where that face's box and six keypoints lie. What
is done with that follows MediaPipe's face_detector_graph. Everything is in pixels of the
image; x to the right, y down.
"""
import collections
import math

import cv2
import numpy as np

DETECTOR_SIZE = 128
MIN_DETECTION_SCORE = 0.5
SAME_FACE_OVERLAP = 0.5             # intersection over union
BOX_MARGIN = 1.5                    # a face's box, grown to hold the whole head
# (cells along a side, anchors a cell): strides 8 and three times 16, two anchors each.
ANCHOR_GRIDS = ((16, 2), (8, 6))
NUM_KEYPOINTS = 6                   # the first two are the eyes, the left one in the image first
VALUES_PER_ANCHOR = 4 + 2 * NUM_KEYPOINTS
LARGEST_LOGIT = 100.0

# centre and size in pixels; rotation in radians, clockwise as seen.
Box = collections.namedtuple("Box", "center_x center_y width height rotation")


def letterbox(width, height):
    """The upright square Box that a whole image is seen in."""
    side = max(width, height)
    return Box(width / 2.0, height / 2.0, side, side, 0.0)


def crop(frame, box, size, is_edge_repeated):
    """What `box` shows of `frame` [h, w, 3], as uint8 [size, size, 3].

    Beyond the frame lies its edge, repeated, or black.
    """
    corners = _corners(box)
    # The image of a pixel is its index, not its middle: as MediaPipe has it.
    to_crop = cv2.getPerspectiveTransform(
        corners.astype(np.float32),
        np.float32([[0, size], [0, 0], [size, 0], [size, size]]))
    return cv2.warpPerspective(
        frame, to_crop, (size, size), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if is_edge_repeated else cv2.BORDER_CONSTANT)


def from_crop(points, box):
    """Points [n, 2] in a crop, 0 to 1, at their places in the image: [n, 2] pixels."""
    across, down = _axes(box)
    offsets = np.asarray(points, np.float64) - 0.5
    return np.array([box.center_x, box.center_y]) + offsets.dot(np.stack([across, down]))


def _axes(box):
    """The crop's width and height as vectors in the image."""
    cos, sin = math.cos(box.rotation), math.sin(box.rotation)
    return (np.array([cos, sin]) * box.width, np.array([-sin, cos]) * box.height)


def _corners(box):
    """Bottom left, top left, top right, bottom right: [4, 2]."""
    return from_crop([[0, 1], [0, 0], [1, 0], [1, 1]], box)


def make_anchors():
    """Centres of the 896 anchors, 0 to 1: float32 [896, 2] (x, y)."""
    centers = []
    for num_cells, num_per_cell in ANCHOR_GRIDS:
        middles = (np.arange(num_cells) + 0.5) / num_cells
        y, x = np.meshgrid(middles, middles, indexing="ij")
        cells = np.stack([x.ravel(), y.ravel()], axis=1)
        centers.append(np.repeat(cells, num_per_cell, axis=0))
    return np.concatenate(centers).astype(np.float32)


def decode_detections(regressors, logits, anchors):
    """The faces that the network sees, the surest first.

    Args:
      regressors: float [896, 16]: box centre, box size and keypoints, each (x, y), in pixels
        of the 128 x 128 and relative to the anchor (the size as it is).
      logits: float [896].
      anchors: [896, 2], of make_anchors().
    Returns:
      float64 [n, 16]: left, top, right, bottom, then the keypoints' (x, y); all 0 to 1 in
      the letterboxed image. Detections of one face are merged by their scores.
    """
    scores = probability(logits)
    kept = np.flatnonzero(scores >= MIN_DETECTION_SCORE)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    scores = scores[kept]
    pairs = np.asarray(regressors, np.float64)[kept].reshape(
        len(kept), VALUES_PER_ANCHOR // 2, 2) / DETECTOR_SIZE           # [n, 8, 2]
    center = pairs[:, 0] + anchors[kept]
    half_size = pairs[:, 1] / 2.0
    keypoints = (pairs[:, 2:] + anchors[kept][:, np.newaxis]).reshape(
        len(kept), 2 * NUM_KEYPOINTS)
    detections = np.concatenate([center - half_size, center + half_size, keypoints], axis=1)
    return _merge_overlapping(detections, scores)


def probability(logits):
    """The sigmoid of the networks' scores, float64."""
    clipped = np.clip(np.asarray(logits, np.float64), -LARGEST_LOGIT, LARGEST_LOGIT)
    return 1.0 / (1.0 + np.exp(-clipped))


def _merge_overlapping(detections, scores):
    """Weighted non-maximum suppression of detections [n, 16] in falling order of scores [n]."""
    merged = []
    while len(detections):
        same = _overlap(detections, detections[0]) > SAME_FACE_OVERLAP
        if not same[0]:                             # a box without area
            merged.append(detections[0])
            break
        merged.append(np.average(detections[same], axis=0, weights=scores[same]))
        detections, scores = detections[~same], scores[~same]
    return np.array(merged).reshape(-1, VALUES_PER_ANCHOR)


def _overlap(boxes, box):
    """Intersection over union of boxes [n, 4 ...] with one: [n]."""
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, 2:4], box[2:4])
    shared = np.prod(np.maximum(high - low, 0.0), axis=1)
    areas = np.prod(np.maximum(boxes[:, 2:4] - boxes[:, :2], 0.0), axis=1)
    area = np.prod(np.maximum(box[2:4] - box[:2], 0.0))
    return shared / np.maximum(areas + area - shared, 1e-12)


def box_of_detection(detection, seen_in):
    """The Box of a face from its detection [16] in the letterbox `seen_in`."""
    points = from_crop(detection.reshape(-1, 2), seen_in)
    (left, top), (right, bottom) = points[:2]
    return Box((left + right) / 2, (top + bottom) / 2, (right - left) * BOX_MARGIN,
               (bottom - top) * BOX_MARGIN, _tilt(points[2], points[3]))


def box_of_landmarks(landmarks, left_eye, right_eye):
    """The square Box of a face from its landmarks [n, 2]; the two given ones are level."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    center = (low + high) / 2
    side = (high - low).max() * BOX_MARGIN
    return Box(center[0], center[1], side, side,
               _tilt(landmarks[left_eye], landmarks[right_eye]))


def _tilt(start, end):
    return math.atan2(end[1] - start[1], end[0] - start[0])
