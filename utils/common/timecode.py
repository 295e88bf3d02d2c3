"""A time of day as cameras write it, HH:MM:SS:FF, in seconds."""
import math
import re

SIXTIETHS = 60                  # the Live Link Face app's unit at any frame rate
FORM = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3})(\.\d{1,6})?$")
EXPECTED = "HH:MM:SS:FF, as 10:20:30:12"
DROP_FRAME_RATES = (30, 60)     # counted; frames pass 1000/1001 times as fast
DROPPED_SHARE = 15              # SMPTE 12M: of 30 numbers 2 are left out at a minute, of 60 four


def timecode_parts(text):
    """(hours, minutes, seconds, separator, FF as text, its decimals or None); else ValueError."""
    found = FORM.match(text.strip())
    if not found:
        raise ValueError("%r is no timecode; expected %s" % (text, EXPECTED))
    hours, minutes, seconds = (int(part) for part in found.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError("%r is no time of day; expected %s" % (text, EXPECTED))
    return (hours, minutes, seconds) + found.groups()[3:]


def seconds_of_timecode(text, fps):
    """Time of day in seconds of a timecode of a recording with `fps` frames a second.

    FF counts frames: of 30 at 29.97, of 24 at 23.976. The clock's digits stay as they are:
    00:00:01:15 is 1.5 s at 29.97, too. A semicolon before FF means drop-frame, whose numbers 0
    and 1 are left out at each minute but the tenth. With a point, HH:MM:SS:FF.mmm, it is the Live
    Link Face app's: FF counts sixtieths.
    Raises ValueError in words for what is none at that rate.
    """
    hours, minutes, seconds, separator, frames, decimals = timecode_parts(text)
    units_per_s = SIXTIETHS if decimals else int(math.ceil(fps - 1e-6))
    if separator == ";":
        is_drop_rate = (units_per_s in DROP_FRAME_RATES and not decimals
                        and abs(fps * 1001 / 1000.0 - units_per_s) < 0.01)
        if not is_drop_rate:
            raise ValueError("%s: a semicolon means drop-frame, which is of 29.97 and 59.94 frames "
                             "a second, and these are %g; write a colon" % (text, fps))
        dropped = units_per_s // DROPPED_SHARE
        if seconds == 0 and minutes % 10 and int(frames) < dropped:
            raise ValueError("%s: drop-frame has no number %s at that minute; the first is %02d"
                             % (text, frames, dropped))
    count = float(frames + (decimals or ""))
    if count >= units_per_s:
        raise ValueError("%s: FF is %g, and there are %d %s a second; expected 0 to %d"
                         % (text, count, units_per_s, "sixtieths" if decimals else "frames",
                            units_per_s - 1))
    return hours * 3600 + minutes * 60 + seconds + count / units_per_s
