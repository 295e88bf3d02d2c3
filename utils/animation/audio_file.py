"""From an audio file to the files of its animation: the pipeline behind run_voca.py."""
import contextlib
import os
import sys

import numpy as np
from tqdm import tqdm

from utils.common.constants import (AUDIO_BLOCK_S, DEFAULT_EYE_SEED, PROFILE_REFERENCE,
                                    REFERENCE_CHUNK_S, SAMPLE_RATE_HZ)
from utils.common.errors import UserError, print_warning
from utils.common.resample import num_frames_of, resample_frames
from utils.deepspeech.transcript import (TranscriptUnavailable, files_for_transcript, transcribe,
                                         write_transcript)
from utils.formats.convert import later, start_seconds
from utils.formats.exporters import DEFAULT_FORMATS, FORMATS, write_face
from utils.media.audio import open_audio, write_wav
from utils.preview.curves_process import CurvesProcess

OUT_ROOT = os.path.join(".", "animation_output")
CURVES_NAME = "curves.png"
PREVIEW_NAME = "preview.mp4"
SPARE_S = 1.0                           # that a sound may last longer than its file says
MOST_EXPECTED_S = 24 * 3600.0           # of what a file says, which need not be true
SOUND_NAME = os.path.splitext(FORMATS["glb"].file_name)[0] + ".wav"     # players look for it there


def animate_audio(animator, audio, show_progress=False):
    """The weights of a whole file, its loudness beside them, and its length.

    Args:
      animator: a SpeechAnimator; a stream is started on it.
      audio: what open_audio gave.
      show_progress: a progress bar on stderr, in seconds of audio.
    Returns:
      weights [frames, 52] at animator.fps, frames = ceil(duration_s * fps);
      loudness [frames], the RMS of each frame's samples; duration_s.
    """
    # The published features resample in their own way: they take the sound as it is.
    as_it_is = animator.profile == PROFILE_REFERENCE
    rate_hz = audio.sample_rate_hz if as_it_is else SAMPLE_RATE_HZ
    resampler = "none" if as_it_is else "ffmpeg"
    animator.start(rate_hz)
    expected_s = min(audio.duration_s or 0.0, MOST_EXPECTED_S) + SPARE_S
    weights = _Rows(num_frames_of(expected_s, animator.fps), len(animator.channels))
    loudness, num_samples = _LoudnessMeter(rate_hz, animator.fps), 0
    with tqdm(total=audio.duration_s and round(audio.duration_s, 1), unit="s", desc="speech",
              disable=not show_progress or None, leave=False) as progress:
        for samples in audio.blocks(AUDIO_BLOCK_S, resampler=resampler):
            weights.add(animator.feed(samples))
            loudness.feed(samples)
            num_samples += len(samples)
            progress.update(round(len(samples) / float(rate_hz), 1))
        weights.add(animator.finish())
    duration_s = num_samples / float(rate_hz)
    num_frames = num_frames_of(duration_s, animator.fps)
    weights = weights.all()                                     # [frames, 52]
    if not len(weights):
        raise UserError("%s lasts %.2f s, less than one chunk of the %s profile: give a longer clip"
                        % (audio.path, duration_s, animator.profile))
    if len(weights) != num_frames:
        # The `reference` profile drops the tail of the last chunk: the face holds its last pose.
        weights = resample_frames(weights, animator.fps, animator.fps, num_frames)
    return weights, loudness.finish(num_frames), duration_s


class _Rows:
    """float32 [n, num_columns], added in blocks. A list of them would be held twice in the end.

    num_expected: rows that there is room for; with more it grows.
    """

    def __init__(self, num_expected, num_columns):
        self._rows, self._num = np.empty((num_expected, num_columns), np.float32), 0

    def add(self, rows):
        end = self._num + len(rows)
        if end > len(self._rows):
            room = np.empty((2 * end, self._rows.shape[1]), np.float32)
            room[:self._num] = self._rows[:self._num]
            self._rows = room
        self._rows[self._num:end] = rows
        self._num = end

    def all(self):
        return self._rows[:self._num]


class _LoudnessMeter:
    """RMS of the samples of each animation frame, fed in blocks."""

    def __init__(self, sample_rate_hz, fps):
        self._frame_samples = sample_rate_hz / float(fps)
        self._power_sum = np.zeros(0)
        self._num_samples = 0

    def feed(self, samples):
        frame = ((self._num_samples + np.arange(len(samples))) / self._frame_samples).astype(int)
        self._num_samples += len(samples)
        power = np.bincount(frame, np.square(samples, dtype=np.float64))    # [frames so far]
        power[:len(self._power_sum)] += self._power_sum
        self._power_sum = power

    def finish(self, num_frames):
        power = np.zeros(num_frames)
        num_known = min(num_frames, len(self._power_sum))
        power[:num_known] = self._power_sum[:num_known]
        return np.sqrt(power / self._frame_samples)             # [num_frames]


def animate_file(audio_path, checkpoint_path, acoustic_graph_path, out_path=None, fps=30,
                 preview=True, transcript=False, force=False,
                 reference_chunk_s=REFERENCE_CHUNK_S, eye_motion_seed=DEFAULT_EYE_SEED, style=None,
                 tta_copies=1, formats=DEFAULT_FORMATS, avatar_path=None, edit=None,
                 offset_s=0.0, start_timecode=None, sound=False, load_animator=None,
                 num_beside=0):
    """Animate one audio file and write its files.

    Args: those of run_voca.py's flags; out_path None is ./animation_output/<audio name>,
      eye_motion_seed None adds no eye motion. formats: keys of FORMATS, in the order to write.
      avatar_path: the head of the .glb; None is the repository's own.
      edit: None, or called with (weights float32 [frames, 52], names, fps, AudioFile); gives the
        weights, angles [frames, 9] in radians or None, and a record of what was changed or None.
      sound: write a wav beside the .glb.
      load_animator: called without arguments for the SpeechAnimator, once the sound is known to
        be there; None: it is loaded by these arguments.
      num_beside: processes that draw the preview while this one does the rest; one more then draws
        the curves. 0: this one draws both.
    Returns:
      the paths written, in the order written.
    Raises:
      UserError: for any input that cannot be used; what was written before stays whole.
    """
    audio = open_audio(audio_path)
    start_s = start_seconds(start_timecode, fps)
    if out_path is None:
        name = os.path.splitext(os.path.basename(audio_path))[0]
        out_path = os.path.join(OUT_ROOT, name)
    with contextlib.ExitStack() as stack:
        curves = stack.enter_context(CurvesProcess()) if num_beside else None
        drawers = None
        if preview and num_beside:
            from utils.preview.drawers import Drawers
            from utils.preview.head import DESIGN_SIZE
            drawers = stack.enter_context(Drawers(DESIGN_SIZE, num_beside))
        if load_animator is not None:
            animator = load_animator()
        else:
            from utils.animation.animator import SpeechAnimator     # it imports TensorFlow, slowly
            animator = SpeechAnimator(checkpoint_path, acoustic_graph_path, force,
                                      reference_chunk_s, eye_motion_seed, style, tta_copies)
        weights, loudness, duration_s = animate_audio(animator, audio, show_progress=True)
        names = animator.channels
        num_frames = num_frames_of(duration_s, fps)
        if fps != animator.fps:
            weights = resample_frames(weights, animator.fps, fps, num_frames)   # [num_frames, 52]
        loudness = resample_frames(loudness[:, np.newaxis], animator.fps, fps, num_frames)[:, 0]
        angles = edits = None
        if edit is not None:
            weights, angles, edits = edit(weights, names, fps, audio)
        if offset_s:
            edits = dict(edits or {}, offset_s=offset_s)
            weights = later(weights, fps, offset_s, num_frames)
            angles = None if angles is None else later(angles, fps, offset_s, num_frames)
        curves_path = os.path.join(out_path, CURVES_NAME)
        if curves is not None:
            curves.begin(curves_path, weights, names, fps, loudness)
        preview_path = os.path.join(out_path, PREVIEW_NAME)
        if preview:
            stack.enter_context(_preview_beside(audio, drawers, preview_path, weights, names, fps))

        written = []

        def write(name, writer, *args):
            path = os.path.join(out_path, name)
            writer(path, *args)
            written.append(path)

        for name in formats:
            write(FORMATS[name].file_name, write_face, name, weights, names, fps, avatar_path,
                  print_warning, edits, angles, start_s)
            if sound and name == "glb":
                write(SOUND_NAME, write_wav, np.concatenate(list(audio.blocks(
                    AUDIO_BLOCK_S, resampler="none"))), audio.sample_rate_hz)
        if curves is not None:
            curves.finish()
            written.append(curves_path)
        else:
            from utils.preview.curve_pictures import write_curves_png   # which imports matplotlib
            write(CURVES_NAME, write_curves_png, weights, names, fps, loudness)
    if preview:
        written.append(preview_path)
    if transcript:
        try:
            words = transcribe(*files_for_transcript(acoustic_graph_path), audio=audio.blocks())
        except TranscriptUnavailable as unavailable:
            print("no transcript: %s" % unavailable, file=sys.stderr)
        else:
            print("heard: %s" % " ".join(word for word, _, _ in words))
            write("transcript.csv", write_transcript, words)
    return written


@contextlib.contextmanager
def _preview_beside(audio, drawers, path, weights, names, fps):
    """Write the preview of an AudioFile while the block runs; after it, where there are no Drawers.
    """
    from utils.preview.head import DESIGN_SIZE          # which imports OpenCV
    from utils.preview.video import preview_beside
    with audio.file_for_ffmpeg() as (sound_path, stream), preview_beside(
            drawers, path, weights, names, fps, sound_path, DESIGN_SIZE, stream):
        yield
