"""From an audio file to the files of its animation: the pipeline behind run_voca.py."""
import csv
import os
import sys

import numpy as np
from tqdm import tqdm

from utils.acoustic_graph import load_acoustic_graph
from utils.animation_files import write_npz, write_rokoko_json
from utils.audio import open_audio
from utils.checkpoint import read_checkpoint_info, resolve_checkpoint
from utils.constants import (DEFAULT_EYE_SEED, MOST_HEARINGS, PROFILE_REFERENCE,
                             REFERENCE_CHUNK_S, RELEASED_WIDTH, SAMPLE_RATE_HZ)
from utils.curves import write_curves_png
from utils.errors import UserError
from utils.eye_motion import EyeMotion
from utils.files import written_aside
from utils.live_link_csv import write_live_link_csv
from utils.preview_video import write_preview
from utils.resample import num_frames_of, resample_frames
from utils.speech_features import SpeechFeatureStream
from utils.transcript import TranscriptUnavailable, files_for_transcript, transcribe
from utils.vocal_tract import SeveralHearings
from utils.voca_model import VocaModel

BLOCK_S = 10.0                      # audio held at a time


class SpeechAnimator:
    """Speech to blendshape weights, with one checkpoint and one acoustic graph loaded once.

        animator.start()
        for block in blocks:
            weights = animator.feed(block)      # [n, 52], the frames that became ready
        weights = animator.finish()             # the rest

    How the audio is cut into blocks changes no weight. `channels` names the 52 columns, `fps`
    is their rate, `profile` the feature profile that the checkpoint was trained with.
    """

    def __init__(self, checkpoint_path, acoustic_graph_path, force=False,
                 reference_chunk_s=REFERENCE_CHUNK_S, eye_motion_seed=None, style=None,
                 hearings=None):
        """Load both; UserError for files that are missing, broken or do not go together.

        Args:
          checkpoint_path: prefix, folder or .index of a checkpoint.
          acoustic_graph_path: a DeepSpeech 0.5.0 .tflite or .pb.
          force: go on though the checkpoint was trained on another graph's features.
          reference_chunk_s: chunk length of the `reference` profile; the other has none.
          eye_motion_seed: of the blinks and brow raises (utils/eye_motion.py); None leaves the
            network's output as it is. The `reference` profile gives the published output, always.
          style: of a checkpoint that was trained with subject_styles; None is the mean of all.
          hearings: 1, or MOST_HEARINGS vocal tracts that the voice is heard as (utils/
            vocal_tract.py), each a run of the graph; None: the latter for a graph narrower than
            the released. The `reference` profile has one, always.
        """
        prefix, acoustic_graph = _load_both(checkpoint_path, acoustic_graph_path)
        info = read_checkpoint_info(prefix)
        if not force:
            _check_acoustic_graph(info["acoustic_graph"], prefix, acoustic_graph)
        self.channels = tuple(info["channels"])
        self.fps = info["fps"]
        self.profile = info["feature_profile"]
        self._reference_chunk_s = reference_chunk_s
        self._eye_motion_seed = eye_motion_seed
        if hearings is None:
            hearings = 1 if acoustic_graph.num_hidden >= RELEASED_WIDTH else MOST_HEARINGS
        if hearings > 1 and self.profile != PROFILE_REFERENCE:
            acoustic_graph = SeveralHearings(acoustic_graph)
        self._acoustic_graph = acoustic_graph
        self._model = VocaModel.from_checkpoint(prefix, style)
        self.start()

    def start(self, sample_rate_hz=SAMPLE_RATE_HZ):
        """Begin a stream; only the `reference` profile takes another rate than 16 kHz."""
        self._features = SpeechFeatureStream(
            self._acoustic_graph, self.profile, sample_rate_hz, self._reference_chunk_s)
        self._eye_motion = self.eye_motion(self._eye_motion_seed)

    def feed(self, samples):
        """Weights [n, 52] in [0, 1] of the frames that `samples` completes.

        Args:
          samples: float32 [any], mono, in [-1, 1): the next part of the stream.
        """
        return self._weights(self._features.feed(samples))

    def finish(self):
        """Weights [n, 52] of the frames still held back; the stream is then at its end."""
        return self._weights(self._features.finish())

    def eye_motion(self, seed):
        """An EyeMotion for a stream of this network's; None for no seed or a published network."""
        if seed is None or self.profile == PROFILE_REFERENCE:
            return None
        return EyeMotion(self.channels, self.fps, seed)

    def _weights(self, windows):
        weights = self._model.predict(windows)                      # [n, 52]
        return weights if self._eye_motion is None else self._eye_motion.feed(weights)


def _load_both(checkpoint_path, acoustic_graph_path):
    """(prefix, AcousticGraph); one UserError for both, so that no one fixes them in turns."""
    loaded, complaints = [], []
    for load, path in ((resolve_checkpoint, checkpoint_path),
                       (load_acoustic_graph, acoustic_graph_path)):
        try:
            loaded.append(load(path))
        except UserError as error:
            complaints.append(str(error))
    if complaints:
        raise UserError("%s. With the files that come with this repository: "
                        "python run_voca.py --audio_fname AUDIO" % ". Also: ".join(complaints))
    return loaded


def _check_acoustic_graph(trained_with, prefix, acoustic_graph):
    """UserError unless the checkpoint's record names this graph, or has no record."""
    if trained_with is None or acoustic_graph.sha256 in trained_with["sha256"].values():
        return
    raise UserError(
        "%s was trained on the features of %s (sha256 %s), but --ds_fname is %s (sha256 %s...): "
        "give the graph it was trained with, or --force to run all the same"
        % (prefix, trained_with["name"],
           ", ".join(digest[:12] + "..." for digest in trained_with["sha256"].values()),
           acoustic_graph.path, acoustic_graph.sha256[:12]))


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
    weights, loudness, num_samples = [], _LoudnessMeter(rate_hz, animator.fps), 0
    with tqdm(total=audio.duration_s and round(audio.duration_s, 1), unit="s", desc="speech",
              disable=not show_progress or None, leave=False) as progress:
        for samples in audio.blocks(BLOCK_S, resampler=resampler):
            weights.append(animator.feed(samples))
            loudness.feed(samples)
            num_samples += len(samples)
            progress.update(round(len(samples) / float(rate_hz), 1))
        weights.append(animator.finish())
    duration_s = num_samples / float(rate_hz)
    num_frames = num_frames_of(duration_s, animator.fps)
    weights = np.concatenate(weights)                           # [frames, 52]
    if not len(weights):
        raise UserError("%s lasts %.2f s, less than one chunk of the %s profile: give a longer clip"
                        % (audio.path, duration_s, animator.profile))
    # The `reference` profile drops the tail of the last chunk: the face holds its last pose.
    weights = resample_frames(weights, animator.fps, animator.fps, num_frames)
    return weights, loudness.finish(num_frames), duration_s


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
                 hearings=None):
    """Animate one audio file and write its files.

    Args: those of run_voca.py's flags; out_path None is ./animation_output/<audio name>,
      eye_motion_seed None adds no eye motion.
    Returns:
      the paths written, in the order written.
    Raises:
      UserError: for any input that cannot be used; what was written before stays whole.
    """
    audio = open_audio(audio_path)
    if out_path is None:
        name = os.path.splitext(os.path.basename(audio_path))[0]
        out_path = os.path.join(".", "animation_output", name)
    animator = SpeechAnimator(checkpoint_path, acoustic_graph_path, force, reference_chunk_s,
                              eye_motion_seed, style, hearings)
    weights, loudness, duration_s = animate_audio(animator, audio, show_progress=True)
    names = animator.channels
    num_frames = num_frames_of(duration_s, fps)
    weights = resample_frames(weights, animator.fps, fps, num_frames)       # [num_frames, 52]
    loudness = resample_frames(loudness[:, np.newaxis], animator.fps, fps, num_frames)[:, 0]

    written = []

    def write(name, writer, *args):
        path = os.path.join(out_path, name)
        writer(path, *args)
        written.append(path)

    write("blendshapes.csv", write_live_link_csv, weights, names, fps)
    write("blendshapes.npz", write_npz, weights, names, fps)
    write("blendshapes.json", write_rokoko_json, weights, names, fps)
    write("curves.png", write_curves_png, weights, names, fps, loudness)
    if preview:
        write("preview.mp4", write_preview, weights, names, fps, audio_path)
    if transcript:
        try:
            words = transcribe(*files_for_transcript(acoustic_graph_path), audio=audio.blocks())
        except TranscriptUnavailable as unavailable:
            print("no transcript: %s" % unavailable, file=sys.stderr)
        else:
            print("heard: %s" % " ".join(word for word, _, _ in words))
            write("transcript.csv", write_transcript, words)
    return written


def write_transcript(path, words):
    """`words` [(word, start_s, end_s)] as CSV with a header."""
    with written_aside(path) as aside, open(aside, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["word", "start_s", "end_s"])
        writer.writerows([word, "%.2f" % start_s, "%.2f" % end_s] for word, start_s, end_s in words)
