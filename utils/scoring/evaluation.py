"""A checkpoint or another system's file, scored on a subject: the pipeline behind evaluate.py."""
import collections
import os

import numpy as np

from utils.common.constants import DEFAULT_EYE_SEED
from utils.common.errors import UserError
from utils.formats.face_kinds import BY_NAME
from utils.formats.timings import read_timings
from utils.media.audio import open_audio, read_audio
from utils.scoring import metrics, scorecard

# labels: a scorecard.Face. samples: float32 [num_samples], 16 kHz. valid: bool [frames] or None.
# audio_path: None where the sound is in `samples` alone. audio_name, labels_name: for the card.
Subject = collections.namedtuple(
    "Subject", "labels samples valid audio_path audio_name labels_name")

# timings: utils.formats.timings.Timings or None. means: the Faces whose mean the constant is.
# timings_path, mean_of_paths: where they were read from, for the card.
References = collections.namedtuple("References", "timings means timings_path mean_of_paths")


def labels_beside(audio_path, labels_path=None):
    """The path of a sound's labels: the one named, else the .csv beside it; UserError without."""
    path = labels_path or os.path.splitext(audio_path)[0] + ".csv"
    if not os.path.isfile(path):
        raise UserError("there are no labels %s; give the subject's with --labels" % path)
    return path


def subject_of_files(audio_path, labels_path, live_link_sides=BY_NAME):
    """The Subject of a sound and a file of labels. live_link_sides: see scorecard.load_face."""
    return Subject(scorecard.load_face(labels_path, live_link_sides), read_audio(audio_path), None,
                   audio_path, audio_path, labels_path)


def subject_of_dataset(dataset_path, name):
    """The Subject called `name` of a dataset of process_data.py."""
    labels, samples, valid = scorecard.load_subject(dataset_path, name)
    called = "%s subject %s" % (dataset_path, name)
    return Subject(labels, samples, valid, None, called, called)


def read_references(timings_path=None, mean_of_paths=(), live_link_sides=BY_NAME):
    """The References to score with, read before any long work; UserError for what cannot be."""
    return References(
        read_timings(timings_path) if timings_path else None,
        [scorecard.load_face(path, live_link_sides) for path in mean_of_paths],
        timings_path, list(mean_of_paths))


def score_checkpoint(subject, animator, name, references):
    """(card, curves) of a SpeechAnimator on a Subject; see scorecard.score.

    It is scored without eye motion: against one subject's blinks it could only be wrong. The
    blinks a minute are those that run_voca.py would add.
    """
    # Here: it brings TensorFlow, which the files of other systems do without.
    from utils.animation.audio_file import animate_audio
    if subject.audio_path is None:
        animator.start()
        weights = np.concatenate([animator.feed(subject.samples), animator.finish()])
    else:
        weights, _, _ = animate_audio(animator, open_audio(subject.audio_path),
                                      show_progress=True)               # [frames, 52]
    face = scorecard.Face(weights, animator.channels)
    card, curves = _score(subject, face, name, references)
    found, eye_motion = card["systems"][scorecard.SYSTEM], animator.eye_motion(DEFAULT_EYE_SEED)
    if eye_motion and "blinks_a_minute" in found:
        found["blinks_a_minute"] = metrics.blink_rate(
            eye_motion.feed(weights[:card["frames"]]), face.names, card["fps"])
    return card, curves


def score_file(subject, prediction_path, references, live_link_sides=BY_NAME):
    """(card, curves) of another system's file on a Subject; see scorecard.score."""
    return _score(subject, scorecard.load_face(prediction_path, live_link_sides), prediction_path,
                  references)


def _score(subject, face, name, references):
    card, curves = scorecard.score(face, subject.labels, subject.samples, references.timings,
                                   references.means, subject.valid)
    return dict({"system": name, "audio": subject.audio_name, "labels": subject.labels_name,
                 "timings": references.timings_path,
                 "mean_of": references.mean_of_paths or [subject.labels_name]}, **card), curves
