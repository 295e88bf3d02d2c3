"""Brows and eyes of a captured face with the mouth of speech.

What a face does with its lips, jaw, tongue and the air in its cheeks makes the sound; brows, eyes,
the cheeks below the eyes and the nose do not, and a capture of the take knows them. mouthSmile and
mouthFrown stay with the speech: lips of two sources would not close.

The capture is placed in time as process_data.py places labels (utils/dataset/alignment.py): by
timecode where both have one, in step where the file says so, else where its mouth fits the speech.
"""
import collections
import os

import numpy as np

from utils.common.channels import mouth_opening
from utils.common.constants import ANIMATION_FPS, AUDIO_BLOCK_S
from utils.common.errors import UserError
from utils.common.pcm import to_int16
from utils.common.resample import num_frames_of, resample_frames
from utils.dataset import label_cleaning
from utils.dataset.alignment import SAME_LENGTH_S, Words, aligned, check_in_step
from utils.dataset.av_offset import OPENING_AFTER_VOICE_S
from utils.dataset.label_sources import track_of_rows
from utils.formats.face_files import read_face_rows
from utils.media.ffmpeg import media_timecode_s
from utils.media.loudness import long_speech_envelope

# What comes from the capture, by the beginnings of the names. All others are the speech's: jaw*,
# mouth*, tongueOut, cheekPuff.
GROUPS = collections.OrderedDict([
    ("brows", "brow"), ("eyes", "eye"), ("cheeks", "cheekSquint"), ("nose", "noseSneer")])
FADE_S = 0.2                    # from the speech's brows to a capture's that begins within it
DB_PER_OPENING = 40.0           # of voice_of_face; no more than level_db keeps
ADVICE = "check that both are one take, or say by --merge_offset where it begins"
WORDS = Words("capture", "is", "speech")

# What a capture is placed by. envelope: [m] as utils.media.loudness.speech_envelope, at
# ANIMATION_FPS; timecode_s: time of day at its beginning, or None.
Voice = collections.namedtuple("Voice", "envelope timecode_s")


def voice_of_audio(audio):
    """The Voice of an utils.media.audio.AudioFile."""
    blocks = [to_int16(block) for block in audio.blocks(AUDIO_BLOCK_S)]
    return Voice(long_speech_envelope(np.concatenate(blocks)), media_timecode_s(audio.path))


def voice_of_face(weights, names, fps, timecode_s):
    """The Voice that such a mouth would have: the louder, the further it opens.

    weights: [frames, len(names)]. A voice comes OPENING_AFTER_VOICE_S before the mouth's opening.
    """
    opening = mouth_opening(weights, names)                                 # [frames]
    num_frames = num_frames_of(len(opening) / float(fps), ANIMATION_FPS)
    opening = np.interp(np.arange(num_frames) / float(ANIMATION_FPS) + OPENING_AFTER_VOICE_S,
                        np.arange(len(opening)) / float(fps), opening)
    return Voice(10.0 ** (DB_PER_OPENING * opening / 20.0), timecode_s)


def merged(clip, path, offset_s, at_rest, voice, warn):
    """(Clip, record) of a Clip with the GROUPS of the capture in `path`.

    Each of these channels is the capture's as long as that lasts, and the clip's before and after
    it. A group that the capture lacks, or in which it stands still, is the clip's throughout.
    Angles of head and eyes come along.

    Args:
      offset_s: where in the clip the capture's first row stands; None: it is found.
      at_rest: called with (weights [rows, k], names); what of it lies above the rest pose.
      voice: the clip's Voice.
    Raises UserError for a file that is no capture, or one that lies outside the clip.
    """
    name = os.path.basename(path)

    def warn_of(told):
        warn("%s: %s" % (name, told))

    rows = read_face_rows(path, warn, live_link_sides=None)     # its mouth is not taken
    track = track_of_rows(path, rows)
    start_s, placed = _place(track, offset_s, voice, warn_of)
    share = _share(track.times_s, start_s, len(clip.weights), clip.fps, warn_of)
    if not track.valid.all():
        warn_of("%d of %d rows have no face; it is drawn across them in straight lines"
                % (np.sum(~track.valid), len(track.valid)))
    groups, channels = _taken(track, clip.names, warn_of)
    captured = resample_frames(
        np.clip(at_rest(track.weights[track.valid], track.names), 0.0, 1.0),
        track.times_s[track.valid] + start_s, clip.fps, len(clip.weights))  # [frames, k]
    weights = np.array(clip.weights)
    for channel in channels:
        place = clip.names.index(channel)
        weights[:, place] = (share * captured[:, track.names.index(channel)]
                             + (1.0 - share) * weights[:, place])
    angles = clip.angles
    if rows.angles.any():
        turned = resample_frames(rows.angles[rows.has_face], rows.times_s[rows.has_face] + start_s,
                                 clip.fps, len(clip.weights))               # [frames, 9]
        before = np.zeros_like(turned) if angles is None else angles
        angles = share[:, np.newaxis] * turned + (1.0 - share[:, np.newaxis]) * before
    record = collections.OrderedDict([("capture", name), ("groups", groups)])
    record.update(placed)
    return clip._replace(weights=weights, angles=angles), record


def merge_line(record):
    """What merged did, in words: its `record`."""
    confidence = record["confidence"]
    return "%s of %s, which begins at %+.2f s of the speech (%s%s)" % (
        ", ".join(record["groups"]), record["capture"], record["start_s"], record["method"],
        "" if confidence is None else ", confidence %.2f" % confidence)


def _place(track, offset_s, voice, warn):
    """(start_s, {start_s, method, confidence}): where the capture's first row stands."""
    def warn_of_place(told):
        warn("%s; %s" % (told, ADVICE))

    valid_rows = track.valid & ~label_cleaning.jumps(track.weights, track.times_s, track.names)
    if offset_s is not None:
        placed = collections.OrderedDict([("method", "given"), ("start_s", offset_s),
                                          ("confidence", None)])
    else:
        has_clocks = track.notes.get("timecode_s") is not None and voice.timecode_s is not None
        if "jawOpen" not in track.names and track.start_s is None and not has_clocks:
            raise UserError("%s has no jawOpen, by which it could be placed in the speech; %s"
                            % (track.path, ADVICE))
        placed = aligned(track, valid_rows, voice.envelope, voice.timecode_s, True, warn_of_place,
                         WORDS)
    if placed["confidence"] is None:            # else a search has had its say
        weights, valid = label_cleaning.to_animation_frames(
            track.times_s, track.weights, valid_rows, len(voice.envelope), placed["start_s"])
        check_in_step(weights, track.names, valid, voice.envelope, warn_of_place, WORDS)
    return placed["start_s"], placed


def _share(times_s, start_s, num_frames, fps, warn):
    """[num_frames] how much of the capture a frame gets: 1 within it, 0 outside, FADE_S between."""
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0 / fps
    end_s, duration_s = start_s + times_s[-1] + step_s, num_frames / float(fps)
    covered_s = min(end_s, duration_s) - max(start_s, 0.0)
    if covered_s <= 0:
        raise UserError("the capture lies at %.1f to %.1f s of %.1f s of speech, which is outside; "
                        "%s" % (start_s, end_s, duration_s, ADVICE))
    left_out_s = end_s - start_s - covered_s
    if duration_s - covered_s > SAME_LENGTH_S or left_out_s > SAME_LENGTH_S:
        warn("it covers %.1f of %.1f s of speech, where brows and eyes are its own; %.1f s of it "
             "are left out" % (covered_s, duration_s, left_out_s))
    frames_s = np.arange(num_frames) / float(fps)
    into_s, to_end_s = frames_s - start_s, end_s - frames_s
    # A capture that begins with the clip, to a frame, has nothing to be faded from.
    begins = np.ones(num_frames) if start_s < 1.0 / fps else into_s / FADE_S
    ends = np.ones(num_frames) if end_s > duration_s - 1.0 / fps else to_end_s / FADE_S
    return np.clip(np.minimum(begins, ends), 0.0, 1.0).astype(np.float32)


def _taken(track, names, warn):
    """([groups], [channels]) that come from the capture; what does not is told in a line."""
    moves = dict(zip(track.names, label_cleaning.moving(track.weights, track.valid)))
    groups, channels, lacking = [], [], []
    for group, start in GROUPS.items():
        wanted = [name for name in names if name.startswith(start)]
        if not any(moves.get(name, False) for name in wanted):
            lacking.append(group)
            continue
        groups.append(group)
        channels += [name for name in wanted if name in moves]
        lacking += [name for name in wanted if name not in moves]
    if not groups:
        raise UserError("%s moves none of %s; give a capture of a whole face"
                        % (track.path, ", ".join(GROUPS)))
    if lacking:
        warn("it does not move, or lacks, %s; these are the speech's" % ", ".join(lacking))
    return groups, channels
