"""Blinks and slight brow raises from a seeded generator: the sound does not determine them.

A network trained on any face learns the mean of its blinks, a lid that hangs a twentieth shut and
never closes. So what animates (EyeMotion) takes the place of the network's lids, and the corpus of
synthetic speakers (add_eye_motion) gets its eyes here too.

How often: A. R. Bentivoglio et al., "Analysis of blink rate patterns in normal subjects", Movement
Disorders 12(6), 1997: 17 a minute at rest, 26 in conversation. When: more in pauses than in words.
How: down fast, up in twice the time, both lids alike, the eyeball a little down with them; iPhone
captures at 60 frames a second have blinks half shut for 0.10-0.12 s, MediaPipe's labels at 25 for
0.20 s, these 0.17 s. Captured lids peak at 0.5-0.95 of the shape; these at 0.85-1, since a drawn
lid that stops at half its way looks tired. Brows rise where a syllable is stressed, slightly.
"""
import numpy as np

from utils.common.channels import MODEL_CHANNELS, mouth_opening
from utils.common.constants import DEFAULT_EYE_SEED

BLINK_CLOSING_S, BLINK_SHUT_S, BLINK_OPENING_S = 0.085, 0.035, 0.180
BLINK_DEPTH = (0.85, 1.0)
BLINK_SPREAD = 0.5                  # of the logarithm of the time between blinks
MIN_BLINK_INTERVAL_S = 0.8
BLINKS_PER_MINUTE = 20.0            # of the corpus
BLINKS_WITH = (("eyeSquint", 0.12), ("cheekSquint", 0.05), ("eyeLookDown", 0.3),
               ("browDown", 0.03))

BROW_RAISES_PER_MINUTE = 14.0       # where there are stressed syllables enough
BROW_HEIGHT = (0.04, 0.16)
BROW_RISE_S = (0.20, 0.35)
BROW_FALL = 1.4                     # of the rise's time
BROWS_WITH = (("browInnerUp", 1.0), ("browOuterUp", 0.6), ("eyeWide", 0.3))

# While animating: the rate in words, in the first seconds of a pause, and at rest.
FIRST_BLINK_S = 0.5
SPEAKING_PER_MINUTE, PAUSING_PER_MINUTE, RESTING_PER_MINUTE = 17.5, 33.0, 17.0
PAUSE_S, REST_S = 0.2, 0.8          # the mouth has been shut for that long; lips meet for less
# Parts of the widest opening lately: below the first the mouth is shut, above the second it
# stresses a syllable.
SHUT_OPENING, STRESSED_OPENING = 0.15, 0.65
LEAST_WIDE, WIDE_HALF_LIFE_S = 0.1, 30.0


class EyeMotion:
    """Eye and brow motion for a stream of weights, frame by frame, without look-ahead.

        motion = EyeMotion(channels, fps, seed)
        weights = motion.feed(weights)          # [n, k], any number of frames at a time

    What a frame gets depends on the seed and on the mouth's opening up to that frame, so the cuts
    between blocks change nothing. eyeBlink is replaced; BLINKS_WITH and BROWS_WITH are added to
    what the network has; every other channel is left as it is.
    """

    def __init__(self, channels, fps, seed=DEFAULT_EYE_SEED):
        """channels: names of the columns, jawOpen, mouthClose and eyeBlink* among them;
        fps: their rate; seed: 0 to 2**32 - 1."""
        self._channels, self._fps = tuple(channels), float(fps)
        self._blink_random = np.random.RandomState([seed, 0])
        self._brow_random = np.random.RandomState([seed, 1])
        self._frame = 0
        self._wide = LEAST_WIDE                 # the widest opening lately
        self._shut_s = 0.0                      # how long the mouth has been shut
        self._is_stressed = False
        self._urge = 0.0                        # blinks that were due since the last one
        self._enough = self._blink_random.uniform(0.0, 1.0)
        self._blink_start_s, self._blink_depth = -np.inf, 0.0
        self._next_raise_s = 0.0
        self._raise_start_s, self._raise_s, self._raise_height = -np.inf, 1.0, 0.0

    def feed(self, weights):
        """A copy of `weights` float32 [n, k] in [0, 1], the next frames, with the motion."""
        openings = mouth_opening(weights, self._channels)
        states = np.reshape([self._next(opening) for opening in openings], (-1, 5))
        blink_depth, since_blink_s, raise_height, since_raise_s, raise_s = states.T     # [n] each
        lids = blink_depth * blink_curve(since_blink_s)
        brows = raise_height * raise_curve(since_raise_s, raise_s)
        weights = np.array(weights)
        for i, name in enumerate(self._channels):
            if name.startswith("eyeBlink"):
                weights[:, i] = 0.0
        _add(weights, self._channels, lids, (("eyeBlink", 1.0),) + BLINKS_WITH)
        _add(weights, self._channels, brows, BROWS_WITH)
        return np.clip(weights, 0.0, 1.0)

    def _next(self, opening):
        """Take the next frame's opening; what blink and what raise are under way in it."""
        time_s = self._frame / self._fps
        self._frame += 1
        self._wide = max(opening, LEAST_WIDE,
                         self._wide * 0.5 ** (1.0 / (WIDE_HALF_LIFE_S * self._fps)))
        is_shut = opening < SHUT_OPENING * self._wide
        self._shut_s = self._shut_s + 1.0 / self._fps if is_shut else 0.0

        since_blink_s = time_s - self._blink_start_s
        if time_s >= FIRST_BLINK_S and since_blink_s >= MIN_BLINK_INTERVAL_S:
            due_s = 60.0 / self._blinks_per_minute() - MIN_BLINK_INTERVAL_S
            self._urge += 1.0 / (due_s * self._fps)
            if self._urge >= self._enough:
                self._urge, self._enough = 0.0, _irregular(self._blink_random)
                self._blink_start_s = time_s
                self._blink_depth = self._blink_random.uniform(*BLINK_DEPTH)

        was_stressed, self._is_stressed = self._is_stressed, opening > STRESSED_OPENING * self._wide
        if self._is_stressed and not was_stressed and time_s >= self._next_raise_s:
            self._raise_start_s = time_s
            self._raise_s = self._brow_random.uniform(*BROW_RISE_S)
            self._raise_height = self._brow_random.uniform(*BROW_HEIGHT)
            self._next_raise_s = time_s + _raise_interval_s(self._brow_random)
        return (self._blink_depth, time_s - self._blink_start_s,
                self._raise_height, time_s - self._raise_start_s, self._raise_s)

    def _blinks_per_minute(self):
        if self._shut_s < PAUSE_S:
            return SPEAKING_PER_MINUTE
        return PAUSING_PER_MINUTE if self._shut_s < REST_S else RESTING_PER_MINUTE


def add_eye_motion(weights, fps, seed, accents_s=()):
    """Add blinks and slight brow raises to weights [frames, 52] (MODEL_CHANNELS), in place.

    accents_s: times at which a brow may rise (stressed vowels); none, no raises.
    """
    random = np.random.RandomState(seed)
    duration_s = len(weights) / float(fps)
    times_s = np.arange(len(weights)) / float(fps)
    for start_s in blink_times(duration_s, random):
        lid = random.uniform(*BLINK_DEPTH) * blink_curve(times_s - start_s)
        _add(weights, MODEL_CHANNELS, lid, (("eyeBlink", 1.0),) + BLINKS_WITH)
    next_s = 0.0
    for accent_s in accents_s:
        if accent_s < next_s:
            continue
        rise_s = random.uniform(*BROW_RISE_S)
        height = random.uniform(*BROW_HEIGHT)
        brow = height * raise_curve(times_s - (accent_s - rise_s), rise_s)
        _add(weights, MODEL_CHANNELS, brow, BROWS_WITH)
        next_s = accent_s + _raise_interval_s(random)


def without_blinks(weights, channels):
    """A copy of weights [frames, len(channels)] with open lids.

    BLINKS_WITH is taken off in its measure, so that what EyeMotion added is gone to where nothing
    was cut at 1; a captured blink leaves little behind. With two lids the mean is the blink.
    """
    weights = np.array(weights)
    lids = [i for i, name in enumerate(channels) if name.startswith("eyeBlink")]
    if lids:
        _add(weights, channels, -weights[:, lids].mean(axis=1), BLINKS_WITH)
        weights[:, lids] = 0.0
    return np.clip(weights, 0.0, 1.0)


def blink_times(duration_s, random):
    """Starts of blinks in seconds, at BLINKS_PER_MINUTE, irregular as real ones (log-normal)."""
    mean_s = 60.0 / BLINKS_PER_MINUTE - MIN_BLINK_INTERVAL_S
    starts_s, at_s = [], random.uniform(0.0, 60.0 / BLINKS_PER_MINUTE)
    while at_s < duration_s:
        starts_s.append(at_s)
        at_s += MIN_BLINK_INTERVAL_S + mean_s * _irregular(random)
    return starts_s


def blink_curve(since_s):
    """The lid over time since the blink began: down fast, up more slowly. 0 to 1, as since_s."""
    opens_s = BLINK_CLOSING_S + BLINK_SHUT_S
    return (smootherstep(since_s / BLINK_CLOSING_S)
            * (1.0 - smootherstep((since_s - opens_s) / BLINK_OPENING_S)))


def raise_curve(since_s, rise_s):
    """The brow over time since it began to rise for `rise_s`: up, and down again. 0 to 1."""
    fall_s = BROW_FALL * rise_s
    return smootherstep(since_s / rise_s) * smootherstep((rise_s + fall_s - since_s) / fall_s)


def smootherstep(position):
    """0 below 0, 1 above 1, and in between 6x^5 - 15x^4 + 10x^3: level and flat at both ends."""
    x = np.clip(position, 0.0, 1.0)
    return x * x * x * (x * (6.0 * x - 15.0) + 10.0)


def _irregular(random):
    """Log-normal about a mean of 1, as the times between blinks are."""
    return random.lognormal(-0.5 * BLINK_SPREAD ** 2, BLINK_SPREAD)


def _raise_interval_s(random):
    return random.uniform(0.5, 1.5) * 60.0 / BROW_RAISES_PER_MINUTE


def _add(weights, channels, amount, gains):
    """Add `amount` [frames] times its gain to each shape of `gains`, on both sides."""
    for shape, gain in gains:
        for i, name in enumerate(channels):
            if name in (shape, shape + "Left", shape + "Right"):
                weights[:, i] += gain * amount
