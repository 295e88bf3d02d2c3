"""The face in a video as blendshapes, by whichever tracker this Python has.

MediaPipe's FaceLandmarker runs its own model file, face_landmarker.task, in the mediapipe
package, where that can be installed; elsewhere utils/tracking/landmarker.py runs the same file in
TensorFlow. Both give the same numbers, of each frame's landmarks unsmoothed: MediaPipe's own
filter is causal and would bring every label late, by about half a frame. Smooth the whole take
afterwards, to both sides.

One face is followed, by the box of its landmarks; whether there is a second one is looked up
now and then. Asked for two faces at once, the package would box even a single one by the rough
detector in every frame, and its weights would tremble.
"""
import collections
import importlib.util
import os

import numpy as np

from utils.common.channels import LANDMARKER_CHANNELS
from utils.common.dropped_lines import stderr_lines_dropped
from utils.common.errors import UserError, print_warning
from utils.media.ffmpeg import duration_s, media_report
from utils.media.video import video_frames
from utils.tracking.task_file import read_task, warn_if_unknown

AUTO, MEDIAPIPE, TENSORFLOW = TRACKERS = ("auto", "mediapipe", "tensorflow")
MAX_FACES = 2                       # one to follow, and whether there is another
COUNT_EVERY_S = 0.2                 # how soon that one is noticed
# The package's filter goes by the time between frames. Told that they are an hour apart, it
# lets each through as it is (all but a thousandth); it has no other use for the time.
FRAME_STEP_MS = 3600 * 1000
# What its C++, and that of a TensorFlow beside it, say at every start.
CHATTER = rb"[IW]\d{4} |INFO: |WARNING: (All log messages|Logging) before|To enable the following"

# times_s float64 [n], rising: media time of the frames. weights float32 [n, 51], 0 where there is
# no face; names: LANDMARKER_CHANNELS. num_faces int [n]: 0, 1, or 2 for more.
# notes: {"tracker", "tracker_version", "landmarker_sha256"}.
FaceTrack = collections.namedtuple("FaceTrack", "times_s weights names num_faces notes")


def track_faces(video_path, task_path, tracker=AUTO, progress=None, warn=print_warning):
    """The FaceTrack of a video, a row for each of its frames.

    Args:
      task_path: face_landmarker.task.
      tracker: "mediapipe" for the package, "tensorflow", or "auto": the package if it is there.
      progress: called with (seconds done, seconds in all or None) after each frame.
      warn: called with a line on each thing that is doubtful: a task file of another version, a
        package that cannot be loaded, a damaged video.
    Raises UserError: either file missing or damaged, no video stream, no such tracker here.
    """
    video_path = os.fspath(video_path)
    tracker = _chosen(tracker, warn)
    start = _start_mediapipe if tracker == MEDIAPIPE else _start_tensorflow
    follow, notes = start(task_path, warn)
    total_s = duration_s(media_report(video_path))
    times_s, rows, num_faces = [], [], []
    for time_s, weights, faces in follow(video_frames(video_path, warn)):
        times_s.append(time_s)
        rows.append(np.zeros(len(LANDMARKER_CHANNELS)) if weights is None else weights)
        num_faces.append(faces)
        if progress:
            progress(time_s, total_s)
    return FaceTrack(np.array(times_s), np.array(rows, np.float32), LANDMARKER_CHANNELS,
                     np.array(num_faces), notes)


def _chosen(tracker, warn):
    if tracker not in TRACKERS:
        raise UserError("no tracker %r; expected one of %s" % (tracker, ", ".join(TRACKERS)))
    if tracker != AUTO:
        return tracker
    if importlib.util.find_spec("mediapipe") is None:
        return TENSORFLOW
    try:
        _package()
    except UserError as error:
        warn(str(error))
        return TENSORFLOW
    return MEDIAPIPE


def _package():
    """(mediapipe, its tasks); UserError where it is missing, or broken by what it needs."""
    if importlib.util.find_spec("mediapipe") is None:
        raise UserError("the mediapipe package is not installed here; pip install mediapipe, or "
                        "let TensorFlow track the face (auto)")
    try:
        with stderr_lines_dropped(CHATTER):
            import mediapipe
            from mediapipe.tasks import python as tasks
    except (ImportError, OSError) as error:         # libGL, which its OpenCV wants, is a classic
        raise UserError("the mediapipe package cannot be loaded (%s); TensorFlow can track the "
                        "face instead" % error)
    return mediapipe, tasks


def _notes(tracker, version, sha256):
    return {"tracker": tracker, "tracker_version": version, "landmarker_sha256": sha256}


def _start_tensorflow(task_path, warn):
    # Here, since TensorFlow is not wanted where the package tracks.
    from utils.tracking.landmarker import FaceLandmarker
    from utils.common.quiet_tensorflow import tf
    landmarker = FaceLandmarker(task_path, warn)

    def follow(timed_frames):
        for tracked in landmarker.track(timed_frames, count_every_s=COUNT_EVERY_S):
            yield tracked.time_s, tracked.weights, min(tracked.num_faces, MAX_FACES)

    return follow, _notes(TENSORFLOW, tf.VERSION, landmarker.sha256)


def _start_mediapipe(task_path, warn):
    _, sha256 = read_task(task_path)
    mediapipe, tasks = _package()
    vision = tasks.vision

    def landmarker(mode, num_faces, has_weights):
        with stderr_lines_dropped(CHATTER):
            return vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(
                base_options=tasks.BaseOptions(model_asset_path=os.fspath(task_path)),
                running_mode=mode, num_faces=num_faces, output_face_blendshapes=has_weights))

    def follow(timed_frames):
        counted_s, num_faces = None, 0
        with landmarker(vision.RunningMode.VIDEO, 1, True) as follower, \
                landmarker(vision.RunningMode.IMAGE, MAX_FACES, False) as counter:
            for i, (time_s, frame) in enumerate(timed_frames):
                image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame)
                faces = follower.detect_for_video(image, (i + 1) * FRAME_STEP_MS).face_blendshapes
                if not faces:
                    counted_s = None
                    yield time_s, None, 0
                    continue
                if counted_s is None or time_s - counted_s >= COUNT_EVERY_S:
                    counted_s = time_s
                    num_faces = max(1, len(counter.detect(image).face_landmarks))
                yield time_s, _weights_of(faces[0]), num_faces

    warn_if_unknown(task_path, sha256, warn)
    return follow, _notes(MEDIAPIPE, mediapipe.__version__, sha256)


def _weights_of(categories):
    """float32 [51] of one face's categories, by their names."""
    of_name = {category.category_name: category.score for category in categories}
    return np.array([of_name[name] for name in LANDMARKER_CHANNELS], np.float32)
