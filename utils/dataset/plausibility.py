"""Whether labels can be what they should be: figures with bounds, and what is said beyond them.

Between the two bounds of a figure labels are taken with a warning, beyond the second they are
refused unless forced. All bounds stand well outside what 19 right takes of 12 to 113 s have.
"""
import numpy as np

from utils.common.channels import MOUTH_REGIONS, region
from utils.common.errors import UserError

# Share of the sound's frames that can be learnt from. Half is what alignment.MIN_COVERED asks of
# the labels' length, too; whoever films one face has more than 0.9.
VALID_SHARE_WARNED, VALID_SHARE_REFUSED = 0.8, 0.5
# Size of the largest weight. Full scale is 1; rigs exaggerate by half; threefold is another unit.
WEIGHT_WARNED, WEIGHT_REFUSED = 1.5, 3.0
WEIGHT_REFUSED_SHARE = 0.01             # of the rows; fewer are slips of the capture, not its unit
# How far the liveliest channel of mouth and jaw moves, between its 1st and 99th percentile. The
# takes have 0.32 to 0.5 even between the 5th and 95th; 0.02 is a tracker's trembling.
MOUTH_WARNED, MOUTH_REFUSED = 0.1, 0.02


def check_weights(weights, valid_rows, name, force, warn):
    """Warn of weights [rows, k] that leave 0..1 widely, or raise UserError, in the valid rows."""
    sizes = np.abs(weights[valid_rows]).max(axis=1) if valid_rows.any() else np.zeros(1)    # [rows]
    if sizes.max() > WEIGHT_WARNED:
        told = ("the weights reach %.4g where 1 is full scale, and what is beyond is cut off"
                % sizes.max())
        doubt(told, "export them in 0..1",
              np.mean(sizes > WEIGHT_REFUSED) > WEIGHT_REFUSED_SHARE, name, force, warn)


def check_valid_share(valid, why, name, force, warn):
    """Warn where few frames of `valid` [frames] can be learnt from, or raise UserError.

    why: words on what is wrong with the others.
    """
    share = float(np.mean(valid))
    if share < VALID_SHARE_WARNED:
        doubt("%.0f %% of the sound's frames can be learnt from%s" % (100 * share, why),
              "check that sound and labels are one take", share < VALID_SHARE_REFUSED, name, force,
              warn)


def check_mouth(weights, names, valid, name, force, warn):
    """Warn where the mouth of weights [frames, k] hardly moves in the valid frames, or raise."""
    mouth = [place for place, channel in enumerate(names) if region(channel) in MOUTH_REGIONS]
    moved = 0.0
    if mouth and valid.any():
        low, high = np.percentile(weights[valid][:, mouth], [1, 99], axis=0)    # [mouth] each
        moved = float((high - low).max())
    if moved < MOUTH_WARNED:
        doubt("the mouth hardly moves, by %.3f of full scale at most" % moved,
              "check what the labels are of", moved < MOUTH_REFUSED, name, force, warn)


def doubt(told, advice, refused, name, force, warn):
    """Warn of `told`; where it is `refused` and not forced, raise UserError with the advice."""
    if refused and not force:
        raise UserError("%s: %s; %s, or take it by --force" % (name, told, advice))
    warn(told)
