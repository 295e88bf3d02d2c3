"""Real recordings for the measure_*.py scripts: the clips of a data folder, and rows of scores.

The folder is laid out as its README says; what it lacks is left out:

    pairs/*.flac + *.csv            captured faces
    grid_s1_video/N.mp4 + N_mediapipe52.csv + N_words.csv
    grid_s1_clips/audio.flac + labels.npz + words.csv       3 s sentences back to back
    faces_many/grid_*/                                      the same of other speakers
    speech_phones/*.wav + *.TextGrid, speech/*.wav          no face
"""
import collections
import csv
import glob
import os

import numpy as np

from utils.common import channels
from utils.common.channels import MODEL_CHANNELS, region, reorder
from utils.common.constants import ANIMATION_FPS
from utils.common.errors import UserError
from utils.common.resample import resample_frames
from utils.common.script_flags import add_tta_flag
from utils.dataset.real_corpus import SOURCES
from utils.formats.timings import Timings, read_timings
from utils.media.audio import read_audio
from utils.media.loudness import silent_frames, speech_envelope
from utils.scoring import metrics, scorecard
from utils.scoring.phone_spans import bilabial_spans, open_spans

# labels: scorecard.Face or None; timings: Timings or None; piece_s: length of the pieces that the
# recording was joined from (nothing is differentiated across their borders), or None.
Clip = collections.namedtuple("Clip", "name speaker samples labels timings piece_s")
GRID_PIECE_S = 3.0

COLUMNS = ("opening r", "in speech", "lag ms", "rounding r", "pressing r", "closures", "false",
           "leak", "jitter", "mouth r", "trusted r")


def add_data_flags(parser):
    """Add --data, --checkpoint, --graph and --tta_copies to an argparse parser."""
    parser.add_argument("--data", required=True, metavar="FOLDER", help="the real recordings")
    parser.add_argument("--checkpoint", default="./model/default.model")
    parser.add_argument("--graph", default="./ds_graph/deepspeech-mini/output_graph.tflite")
    add_tta_flag(parser)


def labelled_clips(folder, num_grid_clips):
    """Clips with a face. num_grid_clips: how many of grid_s1_clips, evenly drawn."""
    clips = []
    for path in sorted(glob.glob(os.path.join(folder, "pairs", "*.flac"))):
        clips.append(Clip(_stem(path), "facegood", read_audio(path),
                          scorecard.load_face(path[:-len(".flac")] + ".csv"), None, None))
    for path in sorted(glob.glob(os.path.join(folder, "grid_s1_video", "*.mp4"))):
        stem = path[:-len(".mp4")]
        clips.append(Clip("grid_s1 video " + _stem(path), "grid_s1", read_audio(path),
                          scorecard.load_face(stem + "_mediapipe52.csv"),
                          read_timings(stem + "_words.csv"), GRID_PIECE_S))
    joined = os.path.join(folder, "grid_s1_clips")
    if num_grid_clips and os.path.isdir(joined):
        clips.append(_grid_clips(joined, num_grid_clips, "grid_s1 clips (%d)", "grid_s1"))
    if not clips:
        raise UserError("%s has no pairs, grid_s1_video or grid_s1_clips" % folder)
    return clips


def grid_many_clips(folder):
    """Clips with a face: all sentences of each of GRID's other speakers, by MediaPipe too."""
    return [_grid_clips(path, None, _stem(path) + " (%d)", "grid_many")
            for path in sorted(glob.glob(os.path.join(folder, "faces_many", "grid_*")))]


def unlabelled_clips(folder):
    """Clips without a face, some with phone times."""
    clips = []
    for part in ("speech_phones", "speech"):
        for path in sorted(glob.glob(os.path.join(folder, part, "*.wav"))):
            grid = path[:-len(".wav")] + ".TextGrid"
            timings = read_timings(grid) if os.path.isfile(grid) else None
            clips.append(Clip(_stem(path), _stem(path).rsplit("_", 2)[0], read_audio(path), None,
                              timings, None))
    return clips


def _stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def _grid_clips(folder, num_clips, name, speaker):
    """One Clip of a folder's sentences; num_clips: how many of them, evenly drawn (None: all).

    name: has a place for how many there are.
    """
    content = np.load(os.path.join(folder, "labels.npz"))
    names, ids = [str(name) for name in content["names"]], [str(key) for key in content["clips"]]
    num_drawn = len(ids) if num_clips is None else min(num_clips, len(ids))
    drawn = np.linspace(0, len(ids) - 1, num_drawn).round().astype(int)
    samples = read_audio(os.path.join(folder, "audio.flac"))
    samples = samples.reshape(len(ids), -1)[drawn].reshape(-1)
    labels = np.concatenate([
        resample_frames(weights, float(content["fps"]), ANIMATION_FPS,
                        int(GRID_PIECE_S * ANIMATION_FPS))
        for weights in content["labels"][drawn].astype(np.float32)])
    place = {ids[clip]: i for i, clip in enumerate(drawn)}
    words = []
    with open(os.path.join(folder, "words.csv"), newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["clip"] in place:
                start_s = GRID_PIECE_S * place[row["clip"]]
                words.append((row["word"], start_s + float(row["start_s"]),
                              start_s + float(row["end_s"])))
    words.sort(key=lambda word: word[1])
    return Clip(name % len(drawn), speaker, samples,
                scorecard.Face(labels, names), Timings([], words), GRID_PIECE_S)


def face_of(animator, samples):
    """The Face that a SpeechAnimator gives `samples` (16 kHz)."""
    animator.start()
    return scorecard.Face(np.concatenate([animator.feed(samples), animator.finish()]),
                          animator.channels)


def rows_of(clip, faces):
    """{name: {column: value or None}} of `faces` {name: Face} and of the baselines of `clip`."""
    envelope = speech_envelope(clip.samples)
    num_frames = min([len(envelope), len(clip.labels.weights)]
                     + [len(face.weights) for face in faces.values()])
    envelope, labels = envelope[:num_frames], _cut(clip.labels, num_frames)
    speech = scorecard.Speech(envelope, silent_frames(envelope),
                              clip.timings and bilabial_spans(clip.timings),
                              clip.timings and open_spans(clip.timings))
    compared = collections.OrderedDict((name, _cut(face, num_frames))
                                       for name, face in faces.items())
    compared["loudness, plain RMS"] = scorecard.Face(envelope[:, np.newaxis] / envelope.max(),
                                                     ("jawOpen",))
    compared["loudness, fitted"] = scorecard.loudness_baseline(labels, envelope)
    compared["mean"] = scorecard.mean_baseline(labels)
    compared["labels"] = labels
    return collections.OrderedDict((name, _row(face, labels, speech, clip))
                                   for name, face in compared.items())


def _cut(face, num_frames):
    return scorecard.Face(face.weights[:num_frames], face.names)


def _row(face, labels, speech, clip):
    scored = [name for name in MODEL_CHANNELS if name in labels.names and reorder(
        labels.weights, labels.names, (name,)).std() >= channels.SCORED_DEVIATION]
    found = scorecard.measures(face, labels, scored, speech)
    mouth = {name: values["r"] or 0.0
             for name, values in scorecard.channel_scores(face, labels, scored).items()
             if region(name) in channels.MOUTH_REGIONS}
    trusted = [mouth[name] for name in mouth
               if clip.speaker in SOURCES and name in SOURCES[clip.speaker].channels]
    ours, true = [metrics.mouth_signals(one.weights, one.names, scored)["opening"]
                  for one in (face, labels)]
    # Outside silences, opening for speech as a whole counts no more.
    in_speech = metrics.correlation(ours[~speech.silent], true[~speech.silent])
    return collections.OrderedDict(zip(COLUMNS, (
        found["opening_r"], in_speech, found["opening_lag_ms"], found.get("rounding_r"),
        found.get("pressing_r"), found.get("closure_recall"), found.get("false_closure_rate"),
        found["silence_leak"],
        metrics.jitter_ratio(_pieces(ours, clip.piece_s), _pieces(true, clip.piece_s)),
        float(np.mean(list(mouth.values()))), metrics.mean_of_known(trusted))))


def _pieces(curve, piece_s):
    """[frames] as [frames of a piece, pieces], what is left at the end cut off."""
    if piece_s is None:
        return curve
    length = int(piece_s * ANIMATION_FPS)
    return curve[:len(curve) // length * length].reshape(-1, length).T


def mean_rows(rows_of_clips):
    """The mean of each column over clips' rows (list of {name: {column: value}}), None left out."""
    means = collections.OrderedDict()
    for name in rows_of_clips[0]:
        means[name] = collections.OrderedDict(
            (column, metrics.mean_of_known(rows[name][column] for rows in rows_of_clips))
            for column in rows_of_clips[0][name])
    return means


def print_table(head, rows):
    """Markdown; rows [[cell or number or None]]."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(_shown(cell, name) for cell, name in zip(row, head)) + " |")
    print("")


def _shown(cell, name):
    if cell is None:
        return "-"
    if not isinstance(cell, float):
        return str(cell)
    return "%.0f" % cell if name.endswith("ms") else "%.2f" % cell
