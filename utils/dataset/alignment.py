"""Where labels stand in the sound: in step, by timecode, or searched."""
import collections
import os

from utils.common.channels import mouth_opening
from utils.common.constants import ANIMATION_FPS
from utils.common.errors import UserError
from utils.common.resample import num_frames_of
from utils.dataset import av_offset, label_cleaning
from utils.media import ffmpeg

SAME_LENGTH_S = 0.1                     # a take as long as its sound to that was cut with it
MAX_SEARCHED_LAG_S = 5.0                # between a capture and a sound that know no common time
MAX_OFFSET_S = 0.5                      # between sound and picture of one file
MIN_COVERED = 0.5                       # share of the sound that its labels must cover
MAX_BEYOND_S, MAX_BEYOND_SHARE = 1.0, 0.1   # of the labels, outside the sound
S_PER_DAY = 24 * 3600.0


# ---- labels against the sound

def aligned(track, valid_rows, envelope, source, options, warnings):
    """{method, start_s, confidence}: where in the media the labels' first row stands."""
    if track.start_s is not None:
        return _alignment("in step", track.start_s, None)
    if track.notes.get("timecode_s") is not None:
        media_timecode_s = ffmpeg.media_timecode_s(source.media_path)
        if media_timecode_s is not None:
            later_s = track.notes["timecode_s"] - media_timecode_s
            return _alignment("timecode",
                              (later_s + S_PER_DAY / 2) % S_PER_DAY - S_PER_DAY / 2, None)
    opening, valid = _opening_of_track(track, valid_rows)
    if opening is None:
        raise UserError("%s has no jawOpen, by which it could be aligned with the sound; give "
                        "labels with a mouth" % track.path)
    lag = av_offset.search_lag(opening, valid, envelope, ANIMATION_FPS, MAX_SEARCHED_LAG_S)
    if lag.confidence < av_offset.MIN_CONFIDENCE:
        told = ("its place in the sound was searched and is not sure: %+.2f s, confidence %.2f, "
                "below %.2f" % (-lag.lag_s, lag.confidence, av_offset.MIN_CONFIDENCE))
        lasts_s = track.times_s[-1] - track.times_s[0]
        if abs(lasts_s - len(envelope) / float(ANIMATION_FPS)) <= SAME_LENGTH_S:
            warnings.append("in step, since it is as long as the sound; %s" % told)
            return _alignment("in step", 0.0, lag.confidence)
        if not options.force:
            raise UserError("%s: %s; check that both are one take, or take it by --force"
                            % (os.path.basename(track.path), told))
        warnings.append(told)
    return _alignment("searched", -lag.lag_s, lag.confidence)


def _alignment(method, start_s, confidence):
    return collections.OrderedDict([
        ("method", method), ("start_s", round(float(start_s), 4)),
        ("confidence", None if confidence is None else round(float(confidence), 3))])


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


def check_coverage(track, start_s, duration_s, method, force, warnings):
    end_s = start_s + track.times_s[-1] - track.times_s[0]
    covered_s = max(0.0, min(end_s, duration_s) - max(start_s, 0.0))
    beyond_s = end_s - start_s - covered_s
    told = None
    if covered_s < MIN_COVERED * duration_s:
        told = "the labels cover %.1f of %.1f s of sound" % (covered_s, duration_s)
    elif method == "in step" and beyond_s > max(MAX_BEYOND_S, MAX_BEYOND_SHARE * duration_s):
        told = "the labels last %.1f s and the sound %.1f s" % (end_s - start_s, duration_s)
    if told and not force:
        raise UserError("%s: %s; check that both are one take, or take it by --force"
                        % (os.path.basename(track.path), told))
    if told:
        warnings.append(told)


def measured_offset(weights, names, valid, envelope):
    """{offset_s, confidence, r, corrected}: by how much the labels are late; None: no mouth."""
    opening = _opening(weights, names)
    if opening is None:
        return None
    lag = av_offset.search_lag(opening, valid, envelope, ANIMATION_FPS, MAX_OFFSET_S)
    return collections.OrderedDict([
        ("offset_s", round(float(lag.lag_s), 4)), ("confidence", round(float(lag.confidence), 3)),
        ("r", round(float(lag.r), 3)), ("corrected", False)])
