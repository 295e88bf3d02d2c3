"""Where labels stand in the sound: in step, by timecode, or searched."""
import collections
import os

from utils.common.channels import mouth_opening
from utils.common.constants import ANIMATION_FPS
from utils.common.errors import UserError
from utils.common.resample import num_frames_of
from utils.dataset import av_offset, label_cleaning
from utils.dataset.plausibility import doubt

SAME_LENGTH_S = 0.1                     # a take as long as its sound to that may be cut with it
# Between a capture and a sound that know no common time, beyond what one outlasts the other.
MAX_SEARCHED_LAG_S = 5.0
# A search over MAX_SEARCHED_LAG_S that is less sure speaks against labels and sound being one
# take: of 316 wrong pairs 59 % were below, of 19 right ones none (the worst had 0.31).
CONFIDENCE_DOUBTED = 0.1
MIN_JUDGED_S = 10.0                     # of valid frames, for a search to speak against anything
MAX_OFFSET_S = 0.5                      # between sound and picture of one file
MIN_COVERED = 0.5                       # share of the sound that its labels must cover
MAX_BEYOND_S, MAX_BEYOND_SHARE = 1.0, 0.1   # of the labels, outside the sound
S_PER_DAY = 24 * 3600.0
ONE_TAKE = "check that both are one take"


# What the two are called in a warning; verb: "is" or "are", of the face.
Words = collections.namedtuple("Words", "face verb sound")
LABELS_AND_SOUND = Words("labels", "are", "sound")


# ---- labels against the sound

def aligned(track, valid_rows, envelope, media_timecode_s, force, warn, words=LABELS_AND_SOUND):
    """{method, start_s, confidence}: where in the media the labels' first row stands.

    Args:
      track: the LabelTrack; valid_rows [rows] bool: those that may be compared.
      envelope: [m] utils.media.loudness.speech_envelope at ANIMATION_FPS.
      media_timecode_s: the time of day at which the media begins, or None.
      force: warn of what is refused otherwise.
    """
    if track.start_s is not None:
        return _alignment("in step", track.start_s, None)
    name = os.path.basename(track.path)
    lasts_s = track.times_s[-1] - track.times_s[0]
    sound_s = len(envelope) / float(ANIMATION_FPS)
    start_s = _start_by_timecode(track, media_timecode_s)
    if start_s is not None:
        covered_s = _covered_s(start_s, lasts_s, sound_s)
        if covered_s >= MIN_COVERED * min(lasts_s, sound_s):
            return _alignment("timecode", start_s, None)
        warn("the timecodes of %s and %s are of different clocks: by them the %s would begin at "
             "%+.1f s of %.1f s of %s and cover %.1f s; their place is searched"
             % (words.face, words.sound, words.face, start_s, sound_s, words.sound, covered_s))
    opening, valid = _opening_of_track(track, valid_rows)
    if opening is None:
        raise UserError("%s has no jawOpen, by which it could be aligned with the sound; give "
                        "labels with a mouth" % track.path)
    lag = av_offset.search_lag(opening, valid, envelope, ANIMATION_FPS,
                               MAX_SEARCHED_LAG_S + abs(lasts_s - sound_s))
    if lag.confidence < av_offset.MIN_CONFIDENCE:
        told = ("its place in the %s was searched and is not sure: %+.2f s, confidence %.2f, "
                "below %.2f" % (words.sound, -lag.lag_s, lag.confidence, av_offset.MIN_CONFIDENCE))
        if abs(lasts_s - sound_s) <= SAME_LENGTH_S:
            doubt("taken as in step, being as long as the %s, which proves nothing; %s"
                  % (words.sound, told),
                  ONE_TAKE, valid.sum() >= MIN_JUDGED_S * ANIMATION_FPS
                  and lag.confidence < CONFIDENCE_DOUBTED, name, force, warn)
            return _alignment("in step", 0.0, lag.confidence)
        doubt(told, ONE_TAKE, True, name, force, warn)
    return _alignment("searched", -lag.lag_s, lag.confidence)


def _alignment(method, start_s, confidence):
    return collections.OrderedDict([
        ("method", method), ("start_s", round(float(start_s), 4)),
        ("confidence", None if confidence is None else round(float(confidence), 3))])


def _start_by_timecode(track, media_timecode_s):
    """Where in the media the labels begin by both timecodes, or None where one has none."""
    if track.notes.get("timecode_s") is None or media_timecode_s is None:
        return None
    later_s = track.notes["timecode_s"] - media_timecode_s
    return (later_s + S_PER_DAY / 2) % S_PER_DAY - S_PER_DAY / 2


def _covered_s(start_s, lasts_s, sound_s):
    """How much of a sound is covered by labels that begin at start_s of it."""
    return max(0.0, min(start_s + lasts_s, sound_s) - max(start_s, 0.0))


def _opening_of_track(track, valid_rows):
    """(opening [frames] or None, valid [frames]) of the labels alone, from their own start."""
    num_frames = num_frames_of(track.times_s[-1] - track.times_s[0], ANIMATION_FPS) + 1
    weights, valid = label_cleaning.to_animation_frames(
        track.times_s, track.weights, valid_rows, num_frames, 0.0)
    return _opening(weights, track.names), valid


def _opening(weights, names):
    """[frames] how far the mouth is open; None where the source says nothing of that."""
    if "jawOpen" not in names:
        return None
    if "mouthClose" not in names:
        return weights[:, names.index("jawOpen")]
    return mouth_opening(weights, names)


def check_coverage(track, start_s, duration_s, method, force, warn):
    """Warn where labels and sound hardly overlap, or differ in length; UserError unless forced."""
    lasts_s = track.times_s[-1] - track.times_s[0]
    covered_s = _covered_s(start_s, lasts_s, duration_s)
    beyond_s = lasts_s - covered_s
    told = None
    if covered_s < MIN_COVERED * duration_s:
        told = "the labels cover %.1f of %.1f s of sound" % (covered_s, duration_s)
    elif method == "in step" and beyond_s > max(MAX_BEYOND_S, MAX_BEYOND_SHARE * duration_s):
        told = "the labels last %.1f s and the sound %.1f s" % (lasts_s, duration_s)
    if told:
        doubt(told, ONE_TAKE, True, os.path.basename(track.path), force, warn)


def measured_offset(weights, names, valid, envelope):
    """{offset_s, confidence, r, corrected}: by how much the labels are late; None: no mouth."""
    opening = _opening(weights, names)
    if opening is None:
        return None
    lag = av_offset.search_lag(opening, valid, envelope, ANIMATION_FPS, MAX_OFFSET_S)
    return collections.OrderedDict([
        ("offset_s", round(float(lag.lag_s), 4)), ("confidence", round(float(lag.confidence), 3)),
        ("r", round(float(lag.r), 3)), ("corrected", False)])


def check_in_step(weights, names, valid, envelope, warn, words=LABELS_AND_SOUND):
    """Warn where the sound speaks against the place that aligned labels have been given.

    A wider search than measured_offset's: it is sure of another place, or sees no connection.
    """
    opening = _opening(weights, names)
    if opening is None or valid.sum() < MIN_JUDGED_S * ANIMATION_FPS:
        return
    lag = av_offset.search_lag(opening, valid, envelope, ANIMATION_FPS, MAX_SEARCHED_LAG_S)
    if lag.confidence < CONFIDENCE_DOUBTED:
        warn("mouth and %s do not go together at any place within %.0f s (confidence %.2f)"
             % (words.sound, MAX_SEARCHED_LAG_S, lag.confidence))
    elif lag.confidence >= av_offset.MIN_CONFIDENCE and abs(lag.lag_s) > MAX_OFFSET_S:
        warn("by the %s the %s %s %.2f s %s (confidence %.2f)"
             % (words.sound, words.face, words.verb, abs(lag.lag_s),
                "late" if lag.lag_s > 0 else "early", lag.confidence))
