"""Speech to weights, block by block: one checkpoint and one acoustic graph, loaded once."""
from utils.animation.eye_motion import EyeMotion
from utils.common.constants import PROFILE_REFERENCE, REFERENCE_CHUNK_S, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.native_windows import look_ahead_s
from utils.deepspeech.vtlp import VtlpAveragedGraph
from utils.deepspeech.windows import SpeechFeatureStream
from utils.network.checkpoint import read_checkpoint_info, resolve_checkpoint
from utils.network.voca_model import VocaModel


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
                 tta_copies=1):
        """Load both; UserError for files that are missing, broken or do not go together.

        Args:
          checkpoint_path: prefix, folder or .index of a checkpoint.
          acoustic_graph_path: a DeepSpeech 0.5.0 .tflite or .pb.
          force: go on though the checkpoint was trained on another graph's features.
          reference_chunk_s: chunk length of the `reference` profile; the other has none.
          eye_motion_seed: of the blinks and brow raises (utils/animation/eye_motion.py); None
            leaves the network's output as it is. The `reference` profile gives the published
            output, always.
          style: of a checkpoint that was trained with subject_styles; None is the mean of all.
          tta_copies: test-time augmentation: 1, or TTA_COPIES copies of the voice by VTLP
            (utils/deepspeech/vtlp.py), each a run of the graph. The `reference` profile has one,
            always.
        """
        prefix, acoustic_graph = _load_both(checkpoint_path, acoustic_graph_path)
        info = read_checkpoint_info(prefix)
        if not force:
            _check_acoustic_graph(info["acoustic_graph"], prefix, acoustic_graph)
        self.channels = tuple(info["channels"])
        self.fps = info["fps"]
        self.profile = info["feature_profile"]
        self._future_frames = info["window_future_frames"]
        self._reference_chunk_s = reference_chunk_s
        self._eye_motion_seed = eye_motion_seed
        if tta_copies > 1 and self.profile != PROFILE_REFERENCE:
            acoustic_graph = VtlpAveragedGraph(acoustic_graph)
        self._acoustic_graph = acoustic_graph
        self._model = VocaModel.from_checkpoint(prefix, style)
        self.start()

    def start(self, sample_rate_hz=SAMPLE_RATE_HZ, early_frames=None):
        """Begin a stream; only the `reference` profile takes another rate than 16 kHz.

        early_frames: run the graph for every so many frames, so that they come up to 0.3 s sooner;
        None runs it when its 16 steps are full, which is cheapest. The weights are the same. The
        `reference` profile works in its chunks, always.
        """
        self._features = SpeechFeatureStream(
            self._acoustic_graph, self.profile, sample_rate_hz, self._reference_chunk_s,
            early_frames, self._future_frames)
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

    def look_ahead_s(self, early_frames=None):
        """[(what, seconds)] whose sum is how long after its sound a frame comes, at worst."""
        if self.profile == PROFILE_REFERENCE:
            return [("chunk of the reference profile", self._reference_chunk_s)]
        return look_ahead_s(self._acoustic_graph.num_steps, early_frames, self._future_frames)

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
