"""How well the network does on subjects it has not learnt from, per channel and per region."""
import collections

import numpy as np

from utils.batches import Batches
from utils.channels import MODEL_CHANNELS, region
from utils.errors import UserError
from utils.metrics import correlation, mean_absolute_error, region_means
from utils.voca_model import LOSS_NAMES

BATCH_INDICES = 512

# mae: mean absolute error; r: Pearson correlation, None where either side stands still;
# mean_mae: the error of always giving the training mean.
ChannelScore = collections.namedtuple("ChannelScore", "name mae r mean_mae")


def validation_losses(model, subjects, num_consecutive_frames):
    """The losses (dictionary of floats) over all frames of `subjects`.

    Each subject counts by its frames times the channels it has, as in one big batch. Raises
    UserError where there is nothing to measure on.
    """
    totals, weight = dict.fromkeys(LOSS_NAMES, 0.0), 0.0
    for subject in subjects:
        if len(subject.targets) < num_consecutive_frames:
            continue
        batches = Batches([subject], BATCH_INDICES, num_consecutive_frames)
        for windows, targets, mask, num_indices in batches.in_order():
            losses = model.evaluate(windows, targets, mask)
            known = num_indices * float(np.sum(subject.mask))
            weight += known
            for name in LOSS_NAMES:
                totals[name] += known * float(losses[name])
    if weight == 0.0:
        raise UserError("the validation subjects %s have no %d consecutive frames with a channel "
                        "that is known; name others in subject_for_validation"
                        % (", ".join(subject.name for subject in subjects),
                           num_consecutive_frames))
    return {name: total / weight for name, total in totals.items()}


def predictions(model, subjects):
    """[frames, 52] of each subject."""
    return [model.predict(subject.windows) for subject in subjects]


def training_mean(subjects):
    """Mean weight [52] of each channel over the subjects that have it; 0 where none has."""
    total, frames = np.zeros(len(MODEL_CHANNELS)), np.zeros(len(MODEL_CHANNELS))
    for subject in subjects:
        mask = np.asarray(subject.mask, np.float64)
        total += mask * np.sum(subject.targets, axis=0, dtype=np.float64)
        frames += mask * len(subject.targets)
    return total / np.maximum(frames, 1.0)


def channel_scores(predicted, subjects, mean_weights):
    """ChannelScore of each channel that some subject has, in MODEL_CHANNELS order.

    Args:
      predicted: [frames, 52] of each subject.
      subjects: have targets [frames, 52] and mask [52].
      mean_weights: [52], the constant baseline.
    """
    scores = []
    for column, name in enumerate(MODEL_CHANNELS):
        having = [number for number, subject in enumerate(subjects) if subject.mask[column]]
        if not having:
            continue
        ours = np.concatenate([predicted[number][:, column] for number in having])
        true = np.concatenate([subjects[number].targets[:, column] for number in having])
        scores.append(ChannelScore(
            name, mean_absolute_error(ours, true), correlation(ours, true),
            mean_absolute_error(mean_weights[column], true)))
    return scores


def region_errors(scores):
    """{region: mean absolute error over its channels}, for the regions that have any."""
    return region_means({score.name: score.mae for score in scores})


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
