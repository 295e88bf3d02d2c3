"""How well the network does on subjects it has not learnt from, per channel and per region."""
import collections

import numpy as np

from utils.common import channels, curve_math
from utils.common.channels import MODEL_CHANNELS, region
from utils.common.constants import ANIMATION_FPS, PROFILE_DEEPSPEECH, SAMPLE_RATE_HZ
from utils.common.curve_math import runs
from utils.common.errors import UserError
from utils.media.loudness import silent_frames, speech_envelope
from utils.network.losses import LOSS_NAMES
from utils.scoring import scorecard
from utils.scoring.metrics import (CLOSED_SHARE, NEAR_PHONE_S, correlation, mean_absolute_error,
                                   mouth_signals, region_means)
from utils.training.batches import Batches, first_frames_of_runs
from utils.training.styles import style_of_subject

BATCH_INDICES = 512
SCORED_S = 600.0                # of each subject: a score is wanted soon, and does not need hours
OPEN_SHARE = 0.5                # of the labels' 90th percentile of opening: above it, plainly open
# What TensorBoard shows of a scorecard; utils/scoring/metrics.py says what each is.
SCORECARD_MEASURES = ("opening_r", "opening_lag_ms", "mouth_jitter_ratio", "silence_leak",
                      "closure_recall", "false_closure_rate")

# mae: mean absolute error; r: Pearson correlation, None where either side stands still;
# mean_mae: the error of always giving the training mean.
ChannelScore = collections.namedtuple("ChannelScore", "name mae r mean_mae")


def validation_losses(model, subjects, num_consecutive_frames, styles=()):
    """The losses (dictionary of floats) over all valid frames of `subjects`.

    Each subject counts by its frames times the channels it has, as in one big batch. Raises
    UserError where there is nothing to measure on.
    """
    totals, weight = dict.fromkeys(LOSS_NAMES, 0.0), 0.0
    for subject in subjects:
        if not len(first_frames_of_runs(subject.valid, num_consecutive_frames)):
            continue
        batches = Batches([subject], BATCH_INDICES, num_consecutive_frames)
        for windows, targets, mask, num_indices in batches.in_order():
            style = style_of_subject(subject.name, styles)
            rows = None if style is None else np.tile(style, (len(windows), 1))
            losses = model.evaluate(windows, targets, mask, rows)
            known = num_indices * float(np.sum(subject.mask))
            weight += known
            for name in LOSS_NAMES:
                totals[name] += known * float(losses[name])
    if weight == 0.0:
        raise UserError("the validation subjects %s have no %d consecutive valid frames with a "
                        "channel that is known; name others in subject_for_validation"
                        % (", ".join(subject.name for subject in subjects),
                           num_consecutive_frames))
    return {name: total / weight for name, total in totals.items()}


def predictions(model, subjects, styles=()):
    """[frames, 52] of each subject, in its own style."""
    return [model.predict(subject.windows, style_of_subject(subject.name, styles))
            for subject in subjects]


def channel_scores(predicted, subjects, mean_weights):
    """ChannelScore of each channel that some subject has, over valid frames, in order.

    Args:
      predicted: [frames, 52] of each subject.
      subjects: have targets [frames, 52], mask [52] and valid [frames].
      mean_weights: [52], the constant baseline.
    """
    scores = []
    for column, name in enumerate(MODEL_CHANNELS):
        having = [number for number, subject in enumerate(subjects)
                  if subject.mask[column] and subject.valid.any()]
        if not having:
            continue
        ours = np.concatenate([predicted[number][subjects[number].valid, column]
                               for number in having])
        true = np.concatenate([subjects[number].targets[subjects[number].valid, column]
                               for number in having])
        scores.append(ChannelScore(
            name, mean_absolute_error(ours, true), correlation(ours, true),
            mean_absolute_error(mean_weights[column], true)))
    return scores


def region_errors(scores):
    """{region: mean absolute error over its channels}, for the regions that have any."""
    return region_means({score.name: score.mae for score in scores})


def silences(subjects):
    """bool [frames] of each subject: where nobody speaks; all False where its sound is not known.

    As evaluate.py finds them. Of the first SCORED_S seconds, which are read at once.
    """
    found = []
    for subject in subjects:
        silent = np.zeros(len(subject.targets), bool)
        if subject.sound is not None:
            in_silence = silent_frames(speech_envelope(_first_samples(subject)))[:len(silent)]
            silent[:len(in_silence)] = in_silence
        found.append(silent)
    return found


def _first_samples(subject):
    blocks, num_samples = [], 0
    for block in subject.sound(PROFILE_DEEPSPEECH)[0]:      # float32, 16 kHz
        blocks.append(block)
        num_samples += len(block)
        if num_samples >= SCORED_S * SAMPLE_RATE_HZ:
            break
    return np.concatenate(blocks)[:int(SCORED_S * SAMPLE_RATE_HZ)]


def scorecard_measures(predicted, subjects, silent):
    """{measure: value} of SCORECARD_MEASURES that have a value, by the code of evaluate.py.

    Each is a mean over the subjects, weighted by their seconds. Invalid frames are cut out, and
    what is left is scored as one clip. Closures are the labels' own (see label_spans): nothing
    here knows the phones.

    Args:
      predicted: [frames, 52] of each subject; silent: bool [frames] of each, see silences.
    """
    totals, weights = collections.Counter(), collections.Counter()
    for ours, subject, in_silence in zip(predicted, subjects, silent):
        rows = np.flatnonzero(subject.valid[:int(SCORED_S * ANIMATION_FPS)])
        if len(rows) < scorecard.MIN_SCORED_S * ANIMATION_FPS:
            continue
        known = np.flatnonzero(subject.mask)
        names = [MODEL_CHANNELS[column] for column in known]
        face, labels = [scorecard.Face(np.asarray(weights_of)[rows][:, known], names)
                        for weights_of in (ours, subject.targets)]      # [rows, known]
        found = _measures_of(face, labels, in_silence[rows])
        for measure in SCORECARD_MEASURES:
            if found.get(measure) is not None:
                totals[measure] += len(rows) * found[measure]
                weights[measure] += len(rows)
    return {measure: totals[measure] / weights[measure] for measure in weights}


def _measures_of(face, labels, silent):
    """scorecard.measures of SCORECARD_MEASURES alone: all of them take five times as long."""
    scored = [name for name, curve in zip(labels.names, labels.weights.T)
              if curve.std(dtype=np.float64) >= channels.SCORED_DEVIATION]
    opening = mouth_signals(labels.weights, labels.names).get("opening")
    closed, opened, wanted = None, None, SCORECARD_MEASURES
    if opening is not None and curve_math.moves(opening):
        closed, opened = label_spans(opening, silent)
    else:                               # no closures without it, and a leak of what has no scale
        wanted = [name for name in SCORECARD_MEASURES if name != "silence_leak"]
    return scorecard.measures(face, labels, scored,
                              scorecard.Speech(None, silent, closed, opened), only=wanted)


def label_spans(opening, silent):
    """([(start_s, end_s)] where the labels' mouth is shut in speech, the same where it is open).

    Shut as metrics.closed_share has it; open: above OPEN_SHARE of the 90th percentile, and that
    for NEAR_PHONE_S on both sides, so that a closure that comes a frame early is no false one.
    """
    wide = np.percentile(opening, 90)
    shut = _spans((opening < CLOSED_SHARE * wide) & ~silent)
    wide_open = [(start_s + NEAR_PHONE_S, end_s - NEAR_PHONE_S)
                 for start_s, end_s in _spans(opening > OPEN_SHARE * wide)]
    return shut, [(start_s, end_s) for start_s, end_s in wide_open if end_s >= start_s]


def _spans(marked):
    """[(time of the first frame, of the last)] of the stretches of True in `marked`."""
    return [(start / float(ANIMATION_FPS), (end - 1) / float(ANIMATION_FPS))
            for start, end in zip(*runs(marked))]


def score_table(scores):
    """The scores as lines of text, moving channels and still ones, with the mean last."""
    lines = ["%-20s %-7s %8s %7s %14s" % ("channel", "region", "MAE", "r", "constant mean")]
    for score in scores:
        lines.append("%-20s %-7s %8.4f %7s %14.4f" % (
            score.name, region(score.name), score.mae,
            "still" if score.r is None else "%.2f" % score.r, score.mean_mae))
    moving = [score.r for score in scores if score.r is not None]
    lines.append("%-20s %-7s %8.4f %7s %14.4f" % (
        "mean", "", np.mean([score.mae for score in scores]),
        "%.2f" % np.mean(moving) if moving else "still",
        np.mean([score.mean_mae for score in scores])))
    return "\n".join(lines)
