"""Blendshapes from video frames: MediaPipe's FaceLandmarker model file, run by TensorFlow.

    for tracked in FaceLandmarker("face_landmarker.task").track(video_frames("take.mp4")):
        tracked.weights                 # 51 of FACE_LANDMARKER_CHANNELS, or None: no face

The three networks of the file tell where a face is, where its 478 landmarks are, and which
blendshapes make it. They are chained here as MediaPipe's own graph (face_landmarker_graph)
chains them in video mode for one face, so the numbers are those of the mediapipe package,
which not every Python can install.
"""
import collections

import numpy as np

from utils.common.channels import LANDMARKER_CHANNELS
from utils.common.errors import print_warning
from utils.tracking.face_detection import (DETECTOR_SIZE, VALUES_PER_ANCHOR, box_of_detection,
                                           box_of_landmarks, crop, decode_detections, from_crop,
                                           letterbox, make_anchors, probability)
from utils.tracking.task_networks import load_task

NUM_LANDMARKS = 478
LANDMARKS_SIZE = 256                # pixels along a side of what the landmark network sees
MIN_PRESENCE = 0.5
LEFT_EYE, RIGHT_EYE = 33, 263       # outer corners, as they stand in the image


# The landmarks that the blendshape network looks at.
BLENDSHAPE_LANDMARKS = tuple(int(index) for index in """
    0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82
    84 87 88 91 93 95 103 105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 155
    157 158 159 160 161 162 163 168 172 173 176 178 181 185 191 195 197 234 246 249 251 263
    267 269 270 276 282 283 284 285 288 291 293 295 296 297 300 308 310 311 312 314 317 318
    321 323 324 332 334 336 338 356 361 362 365 373 374 375 377 378 379 380 381 382 384 385
    386 387 388 389 390 397 398 400 402 405 409 415 454 466 468 469 470 471 472 473 474 475
    476 477""".split())

# Its outputs after the first, which is "_neutral" and says nothing.
FACE_LANDMARKER_CHANNELS = LANDMARKER_CHANNELS

# time_s; weights float32 [51] or None; num_faces int; landmarks float32 [478, 2] or None.
TrackedFrame = collections.namedtuple("TrackedFrame", "time_s weights num_faces landmarks")


class FaceLandmarker(object):
    """The networks of one face_landmarker.task.

    Raises UserError for a file that is missing, cut off or something else; an unknown
    version is warned of, by a call of `warn`, and tried.
    names: FACE_LANDMARKER_CHANNELS, the order of the weights.
    sha256: hex, of the file.
    """

    names = FACE_LANDMARKER_CHANNELS

    def __init__(self, task_path, warn=print_warning):
        self._anchors = make_anchors()
        task = load_task(
            task_path, warn,
            detector=([DETECTOR_SIZE, DETECTOR_SIZE, 3],
                      [len(self._anchors) * VALUES_PER_ANCHOR, len(self._anchors)]),
            landmarks=([LANDMARKS_SIZE, LANDMARKS_SIZE, 3], [3 * NUM_LANDMARKS, 1]),
            blendshapes=([len(BLENDSHAPE_LANDMARKS), 2], [1 + len(self.names)]))
        self.sha256 = task.sha256
        self._run_detector = task.detector
        self._run_landmarks = task.landmarks
        self._run_blendshapes = task.blendshapes

    def track(self, timed_frames, count_every_s=0.0):
        """Follow the surest face through the frames of one take.

        Args:
          timed_frames: iterable of (time_s, frame), as utils.media.video.video_frames gives them:
            times rising, frames uint8 [height, width, 3], RGB.
          count_every_s: faces are counted so often, by the frames' times; the count holds
            between. 0: in every frame.
        Yields, for each frame, a TrackedFrame:
          time_s: as it came.
          weights: float32 [51] in 0..1, in the order of `names`; None where no face is
            followed. A lost face is looked for again from the next frame on.
          num_faces: how many faces the detector sees and the landmark network confirms; at
            least 1 with weights, 0 without.
          landmarks: float32 [478, 2], pixels; None with the weights.
        """
        box, num_others, counted_s = None, 0, None
        for time_s, frame in timed_frames:
            is_count_due = counted_s is None or time_s - counted_s >= count_every_s
            boxes = self.detect(frame) if box is None or is_count_due else None
            if box is None and boxes:
                box = boxes[0]
            landmarks = None if box is None else self._landmarks_in(frame, box)
            if landmarks is None:
                box, counted_s = None, None
                yield TrackedFrame(time_s, None, 0, None)
                continue
            if boxes is not None:
                counted_s = time_s
                num_others = self._num_others(frame, boxes, landmarks)
            box = box_of_landmarks(landmarks, LEFT_EYE, RIGHT_EYE)
            yield TrackedFrame(time_s, self.weights_of_landmarks(landmarks), 1 + num_others,
                               landmarks.astype(np.float32))

    def _num_others(self, frame, boxes, landmarks):
        """How many of the detected `boxes` show a face besides the one with these landmarks."""
        (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
        others = [box for box in boxes if not (left < box.center_x < right
                                               and top < box.center_y < bottom)]
        return sum(self._landmarks_in(frame, box) is not None for box in others)

    def detect(self, frame):
        """The faces in a frame, the surest first: a list of utils.tracking.face_detection.Box."""
        height, width = frame.shape[:2]
        seen_in = letterbox(width, height)
        image = crop(frame, seen_in, DETECTOR_SIZE, is_edge_repeated=False)
        regressors, logits = self._run_detector(image.astype(np.float32) / 127.5 - 1.0)
        detections = decode_detections(regressors.reshape(-1, VALUES_PER_ANCHOR), logits,
                                       self._anchors)
        return [box_of_detection(detection, seen_in) for detection in detections]

    def weights_of_landmarks(self, landmarks):
        """Blendshapes float32 [51] of landmarks [478, 2] in pixels.

        Where the face is and how large makes no difference.
        """
        points = np.asarray(landmarks, np.float32)[list(BLENDSHAPE_LANDMARKS)]
        weights, = self._run_blendshapes(points)
        return weights[1:]

    def _landmarks_in(self, frame, box):
        """The face's landmarks, float64 [478, 2] pixels; None where `box` shows no face."""
        image = crop(frame, box, LANDMARKS_SIZE, is_edge_repeated=True)
        points, presence_logit = self._run_landmarks(image.astype(np.float32) / 255.0)
        if probability(presence_logit[0]) <= MIN_PRESENCE:
            return None
        # The third number of a point is its depth, which nothing here looks at.
        return from_crop(points.reshape(NUM_LANDMARKS, 3)[:, :2] / LANDMARKS_SIZE, box)
