"""What another speaker, room and background make of speech, done to its MFCCs.

Cheap enough to be drawn anew for every pass over the corpus: a minute takes some 20 ms, and no
waveform. MFCCs are the cosine transform of 40 log-mel bands (20 to 4000 Hz); the 26 that are kept
give a smooth log-mel spectrum back, in which a longer vocal tract is a stretched axis, a noise an
added power, and a room a decaying tail. Frames of digital silence stay what they are.
"""
import numpy as np
import scipy.signal

from utils.common.constants import ACOUSTIC_FPS, MFCC_COEFFICIENTS
from utils.deepspeech.mfcc import COSINE_TRANSFORM, MEL_CHANNELS
from utils.deepspeech.vtlp import MEL_AXIS, bands_at, stretched

DIGITAL_SILENCE_C0 = -150.0         # below: zeros (c0 of speech is -28 +- 10)
NATS_PER_DB = np.log(10.0) / 20.0   # the bands hold magnitudes


def mfccs_of(bands):
    """MFCCs [n, 26] of log magnitudes [n, 40]."""
    return np.dot(bands, COSINE_TRANSFORM)


def augmented_stream(random, mfccs, letters, phones, silence, others=None, strength=1.0):
    """Augment a recording in pace, speaker and room, with its letters and phones.

    Args:
      random: np.random.RandomState.
      mfccs: float [n, 26]; letters, phones: int [n], the class of each frame.
      silence: the class in `phones` of frames where nobody speaks.
      others, strength: see `augmented`.
    Returns:
      (MFCCs float32, letters, phones), as long.
    """
    frames = time_warped(random, letters, strength)
    phones = phones[frames]
    return (augmented(random, mfccs[frames], phones == silence, others, strength), letters[frames],
            phones)


def augmented(random, mfccs, silent, others=None, strength=1.0):
    """Augment speaker and room: the MFCCs of another speaker in another place.

    Args:
      random: np.random.RandomState.
      mfccs: float [n, 26] of one recording.
      silent: bool [n], where nobody speaks.
      others: MFCCs [m, k, 26] of recordings of which some may be heard behind; or None.
      strength: how often, of 1, something is added or taken away, and how far voices are bent.
    Returns:
      float32 [n, 26].
    """
    digital = mfccs[:, 0] < DIGITAL_SILENCE_C0
    if digital.all():
        return mfccs.astype(np.float32)
    bands = np.dot(mfccs, _tract_of_another_length(random, strength))       # [n, 40]
    loud = np.percentile(bands[~digital].mean(1), 90)       # the speech's own level
    if random.rand() < 0.5 * strength:
        bands += _changing_effort(random, len(bands))[:, np.newaxis]
    if random.rand() < 0.5 * strength:
        bands = _with_soft_onsets(random, bands, silent, np.percentile(bands[~digital], 3, axis=0))
    if random.rand() < 0.5 * strength:
        bands = _with_breaths(random, bands, silent, loud)
    if random.rand() < 0.3 * strength:
        bands = _in_a_room(random, bands)
    if others is not None and random.rand() < 0.25 * strength:
        bands = _added(bands, _babble(random, others, len(bands))
                       + loud - random.uniform(3.0, 25.0) * NATS_PER_DB)
    if random.rand() < 0.7 * strength:
        bands = _added(bands, _noise(random, len(bands))
                       + loud - random.uniform(0.0, 30.0) * NATS_PER_DB)
    bands += _microphone(random)
    if random.rand() < 0.3 * strength:
        bands += _missing_band(random)
    if random.rand() < 0.15 * strength:
        bands += _narrow_band(random)
    changed = mfccs_of(bands)
    # Formants less or more marked, and what is finer than formants.
    changed[:, 1:] *= random.uniform(0.85, 1.1) * np.exp(
        random.uniform(-0.1, 0.4) * np.linspace(0.0, 1.0, MFCC_COEFFICIENTS - 1)
        + random.randn(MFCC_COEFFICIENTS - 1) * 0.1 * strength)
    return np.where(digital[:, np.newaxis], mfccs, changed).astype(np.float32)


def time_warped(random, letters, strength=1.0):
    """Frame numbers that play a recording faster here and slower there.

    Stretches of 0.2 to 1.6 s leave out up to a third of their frames, at strength 1, or repeat as
    many. Frames at a letter's beginning or end (letters, int [n]) are never left out, so no letter
    is lost.

    Returns int [n], not falling; where the recording ends early it starts again from frame 0.
    """
    num_frames = len(letters)
    changes = np.concatenate(([True], letters[1:] != letters[:-1], [True]))
    lone = changes[:-1] | changes[1:]
    times = np.ones(num_frames, int)
    first = 0
    while first < num_frames:
        end = first + random.randint(10, 81)
        drawn = random.rand(len(times[first:end])) < random.uniform(0.0, 0.35 * strength)
        other = lone[first:end] if random.rand() < 0.5 else 2
        times[first:end] = np.where(drawn, other, 1)
        first = end
    return np.resize(np.repeat(np.arange(num_frames), times), num_frames)


def _added(bands, more):
    """Log magnitude of the sum of two sounds that have nothing to do with each other."""
    return 0.5 * np.logaddexp(2.0 * bands, 2.0 * more)


def _tract_of_another_length(random, strength=1.0):
    """Matrix [26, 40]: MFCCs to log magnitudes along a stretched and bent mel axis.

    By 17 % at 1 kHz (one standard deviation at strength 1; at most two); the ends of the axis
    stay.
    """
    stretch, bend = np.clip(random.randn(2), -2.0, 2.0) * (0.05, 0.018) * strength
    return bands_at(stretched(stretch, bend))


def _changing_effort(random, num_frames):
    """Gain in nats [n] that wanders by +-4 dB: nobody speaks all words as loudly."""
    every = random.randint(10, 40)
    knots = random.randn(num_frames // every + 2) * 0.45
    return np.interp(np.arange(num_frames), np.arange(len(knots)) * every, knots)


def _with_soft_onsets(random, bands, silent, floor):
    """Speech that swells out of its pauses: synthesisers begin at once, people seldom.

    The first 20 to 200 ms begin up to 24 dB lower, though not below `floor` [40].
    """
    bands = bands.copy()
    for first in np.flatnonzero(silent[:-1] & ~silent[1:]) + 1:
        num_frames = random.randint(1, 11)
        rise_db = random.uniform(0.0, 24.0) * (1.0 - (np.arange(num_frames) + 0.5) / num_frames)
        where = slice(first, min(first + num_frames, len(bands)))
        lowered = bands[where] - rise_db[:where.stop - first, np.newaxis] * NATS_PER_DB
        bands[where] = np.minimum(bands[where], np.maximum(lowered, floor))
    return bands


def _microphone(random):
    """A level and a smooth frequency curve in nats, [40]."""
    order = np.arange(1, 8)
    curve = np.dot(random.randn(7) * 0.35 / order, np.cos(
        np.outer(order, MEL_AXIS) * np.pi))
    return curve + random.randn() * 0.7


def _missing_band(random):
    """A notch of up to 3 nats and a quarter of the axis, in nats [40]."""
    return -random.uniform(0.5, 3.0) * np.exp(-0.5 * (
        (MEL_AXIS - random.rand()) / random.uniform(0.03, 0.12)) ** 2)


def _narrow_band(random):
    """What a telephone or a codec leaves of the axis, in nats [40]: no lows, and few highs."""
    low, high = random.uniform(0.0, 0.2), random.uniform(0.8, 1.0)      # to 300 Hz, from 2600 Hz
    outside = np.maximum(low - MEL_AXIS, 0.0) + np.maximum(MEL_AXIS - high, 0.0)
    return -np.minimum(outside * random.uniform(20.0, 80.0), 4.0)


def _babble(random, others, num_frames):
    """Log magnitudes [n, 40] of two to six voices at once, as loud as 0 where they are loud."""
    power = 0.0
    for _ in range(random.randint(2, 7)):
        voice = others[random.randint(len(others))]
        frames = (random.randint(len(voice)) + np.arange(num_frames)) % len(voice)
        bands = np.dot(voice[frames], bands_at(MEL_AXIS))
        power = power + np.exp(2.0 * (bands - np.percentile(bands.mean(1), 90)))
    bands = 0.5 * np.log(power + 1e-30)
    return bands - np.percentile(bands.mean(1), 90)


def _noise(random, num_frames):
    """Log magnitudes [n, 40] about 0 of steady or swelling noise."""
    # Few bins of the spectrum make a low band, so that it flickers most, as codecs do.
    flicker = random.uniform(0.9, 1.5) * (0.3 + 0.4 * np.exp(-8.0 * MEL_AXIS))
    # White noise rises by 2 nats, as the bands widen; a room's hum or traffic falls.
    slope = random.uniform(-2.5, 2.5)
    bands = slope * (MEL_AXIS - 0.5) + random.randn(num_frames, MEL_CHANNELS) * flicker
    if random.rand() < 0.5:
        times_s = np.arange(num_frames) / float(ACOUSTIC_FPS)
        swell = np.sin(2 * np.pi * (random.uniform(0.1, 3.0) * times_s + random.rand()))
        bands += random.uniform(0.2, 1.0) * swell[:, np.newaxis]
    return bands


def _in_a_room(random, bands):
    """With a tail that decays by 60 dB in 0.2 to 0.8 s."""
    kept = 10 ** (-6.0 / (random.uniform(0.2, 0.8) * ACOUSTIC_FPS))         # of power, a frame
    power = np.exp(2.0 * bands)
    tail = scipy.signal.lfilter([0.0, 1.0 - kept], [1.0, -kept], power, axis=0)
    return 0.5 * np.log(power + 10 ** random.uniform(-1.8, -0.2) * tail + 1e-30)


def _with_breaths(random, bands, silent, loud):
    """Breaths, smacks and knocks in the pauses, which say no letter."""
    bands = bands.copy()
    edges = np.flatnonzero(np.diff(np.concatenate(([0], silent.astype(int), [0]))))
    for first, end in zip(edges[::2], edges[1::2]):
        if end - first < 10 or random.rand() < 0.4:
            continue
        if random.rand() < 0.3:                                 # a smack or a knock
            num_frames, shape_db = random.randint(1, 4), np.zeros(1)
        else:
            num_frames = min(end - first - 4, random.randint(8, 50))
            shape_db = 20.0 * (np.sin(np.pi * (np.arange(num_frames) + 0.5) / num_frames)
                               ** random.uniform(0.4, 1.5) - 1.0)
        start = first + 2 + random.randint(max(1, end - first - num_frames - 3))
        spectrum_db = -random.uniform(0.0, 20.0) * MEL_AXIS
        for _ in range(random.randint(1, 4)):                   # resonances of the open mouth
            spectrum_db += random.uniform(3.0, 14.0) * np.exp(
                -0.5 * ((MEL_AXIS - random.rand()) / random.uniform(0.04, 0.1)) ** 2)
        sound = (spectrum_db - spectrum_db.max() + shape_db[:, np.newaxis]
                 + random.uniform(-35.0, 3.0)) * NATS_PER_DB
        sound = sound + loud + random.randn(num_frames, MEL_CHANNELS) * 0.3
        where = slice(start, min(start + num_frames, end))
        bands[where] = _added(bands[where], sound[:where.stop - start])
    return bands
