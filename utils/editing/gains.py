"""Shapes amplified by name."""
import collections
import fnmatch

import numpy as np

from utils.common.channels import MODEL_CHANNELS

MAX_GAIN = 100.0

# pattern: of channel names, as in a shell, in any case. factor: >= 0.
Gain = collections.namedtuple("Gain", "pattern factor")


def parse_gain(text):
    """The Gain that `mouthSmile*=0.8` stands for; ValueError in words for what is none."""
    pattern, equals, factor = text.rpartition("=")
    try:
        factor = float(factor if equals else "")
    except ValueError:
        raise ValueError("%r; expected NAME=FACTOR, as mouthSmile*=0.8" % text)
    if not 0 <= factor <= MAX_GAIN:
        raise ValueError("a factor of %g; expected 0 to %g" % (factor, MAX_GAIN))
    gain = Gain(pattern.strip(), factor)
    if not _matching(gain, MODEL_CHANNELS):
        raise ValueError("%r is the name of none of the 52 shapes; as jawOpen, mouthSmile*"
                         % gain.pattern)
    return gain


def amplified(weights, names, gains, warn):
    """Weights [frames, len(names)] times the factors of `gains`, in [0, 1].

    Factors on one channel multiply. What comes above 1 is cut to 1, and told.
    """
    factors = np.ones(len(names), np.float32)
    for gain in gains:
        factors[_matching(gain, names)] *= gain.factor
    product = weights * factors                                     # [frames, len(names)]
    above = (product > 1.0) & (weights <= 1.0)
    if above.any():
        warn("the gain brings %.2g %% of the amplified values above 1, most of them of %s; they "
             "are cut to 1" % (100.0 * above[:, factors > 1.0].mean(),
                           names[above.sum(axis=0).argmax()]))
    return np.clip(product, 0.0, 1.0)


def _matching(gain, names):
    return [place for place, name in enumerate(names)
            if fnmatch.fnmatchcase(name.lower(), gain.pattern.lower())]
