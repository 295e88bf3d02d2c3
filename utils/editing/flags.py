"""The flags that change a face before it is written, as run_voca.py and convert.py have them."""
import argparse
import collections
import math

from utils.common.timecode import timecode_parts
from utils.editing.gains import parse_gain
from utils.formats.face_kinds import BY_NAME

MAX_OFFSET_S = 3600
SMOOTH_FRAMES = (5, 61)         # a parabola through 3 frames is those frames


# neutral_path: a face file, or None. eye_motion: True adds it, False takes blinks out, None.
# merge_path: a face file, or None; merge_offset_s: where it begins, or None.
# smooth_frames: odd, or None. gains: of parse_gain.
Edits = collections.namedtuple("Edits", "neutral_path eye_motion eye_seed merge_path "
                               "merge_offset_s smooth_frames symmetric gains live_link_sides")
Edits.__new__.__defaults__ = (None, None, None, None, None, None, False, (), BY_NAME)


def add_edit_flags(parser):
    """Add the flags, each off where it is not given, to an argparse parser."""
    group = parser.add_argument_group("changes before the face is written, in this order")
    group.add_argument("--neutral", metavar="FILE",
                       help="take off a rest pose: the median of a face file; with --merge it is "
                            "taken off the capture")
    group.add_argument("--merge", metavar="CAPTURE",
                       help="take brows, eyes, cheekSquint and noseSneer from a face file of the "
                            "same take; jaw, mouth, tongue and cheekPuff stay")
    group.add_argument("--merge_offset", type=seconds, metavar="SECONDS",
                       help="where CAPTURE begins in the speech (found by timecode or by the "
                            "mouth)")
    group.add_argument("--smooth", type=window_frames, metavar="FRAMES",
                       help="Savitzky-Golay filter of that window, odd, zero-phase; at 30 a second "
                            "5 costs no closure of the lips, 7 one in 100, 9 one in 9, 11 one in 3")
    group.add_argument("--symmetric", action="store_true",
                       help="left and right get their mean; eyeLookIn and eyeLookOut stay")
    group.add_argument("--gain", type=gain, action="append", default=[], metavar="NAME=FACTOR",
                       help="amplify the shapes of that name, * for any letters; may be repeated")
    group.add_argument("--offset", type=seconds, default=0.0, metavar="SECONDS",
                       help="how much later the face moves; below 0: earlier")
    group.add_argument("--start_timecode", type=timecode_text, metavar="HH:MM:SS:FF",
                       help="time of day of the first row of a Live Link Face CSV; FF counts "
                            "frames, ;FF drop-frame, FF.mmm sixtieths")
    return group


def check_edit_flags(parser, args, formats):
    """End with status 2 where flags do not go together; formats: keys of FORMATS to write."""
    if args.merge_offset is not None and not args.merge:
        parser.error("--merge_offset is of --merge CAPTURE; give both")
    if args.start_timecode and "csv" not in formats:
        parser.error("--start_timecode is of csv, the Live Link Face take, and %s has no time of "
                     "day" % ", ".join(formats))


def edits_of(args, eye_motion=None, live_link_sides=BY_NAME):
    """The Edits of parsed flags, or None where they ask for none.

    eye_motion: True, False or None; args.seed is its seed.
    """
    edits = Edits(args.neutral, eye_motion, args.seed if eye_motion else None, args.merge,
                  args.merge_offset, args.smooth, args.symmetric, tuple(args.gain),
                  live_link_sides)
    return None if edits == Edits(live_link_sides=live_link_sides) else edits


def gain(text):
    """argparse type of --gain."""
    return _worded(parse_gain, text)


def seconds(text):
    """argparse type of a time: an hour at most, to both sides."""
    value = float(text)                         # argparse words the ValueError
    if math.isnan(value) or abs(value) > MAX_OFFSET_S:
        raise argparse.ArgumentTypeError("%s is not from -%d to %d"
                                         % (text, MAX_OFFSET_S, MAX_OFFSET_S))
    return value


def window_frames(text):
    """argparse type of --smooth: an odd number."""
    value = int(text)                           # argparse words the ValueError
    least, most = SMOOTH_FRAMES
    if not least <= value <= most or value % 2 == 0:
        raise argparse.ArgumentTypeError("%s is not an odd number from %d to %d"
                                         % (text, least, most))
    return value


def timecode_text(text):
    """argparse type of --start_timecode; what FF may be, the frame rate says later."""
    _worded(timecode_parts, text)
    return text.strip()


def _worded(parse, text):
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error))
