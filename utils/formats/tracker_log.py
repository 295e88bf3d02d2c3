"""The published system's face tracker logs, debugout-*.txt."""
import math
import os
import re

import numpy as np

from utils.common.channels import MODEL_CHANNELS, TRACKER_CHANNELS
from utils.common.errors import UserError
from utils.common.files import folder_and_stem

SECTION = re.compile(r"\[?\s*([^\[\],]+\.(?:mp4|mov|mkv|webm|avi|wav))\s*\]?\s*$", re.IGNORECASE)
MAX_LINE = 1 << 20      # letters; what is longer comes as several lines
LOG_ROW = re.compile(r"\s*\[\s*[-+.\deE]+\s*(,|\])")


def is_tracker_log(path):
    """Whether a text begins as a tracker's log does; else it is a transcript or the like."""
    lines = log_lines(path)
    for _ in range(50):
        line = next(lines, None)
        if line is None:
            return False
        if LOG_ROW.match(line):
            return True
    return False


# ---- the published tracker's logs

def read_tracker_log(path, media_path):
    """(times_s, weights float32 [n, 40 or 52], names) of one video in a log.

    A line [1.mp4] or 1.mp4 names the video that follows; then a time in seconds and a line
    [v0, v1, ..., v39] take turns; lines that begin with - separate. 40 values are the published
    tracker's, 52 the published network's.
    """
    section = _section_of(path, media_path)
    here, time_s, times_s, rows = None, None, [], []
    for number, line in enumerate(log_lines(path), start=1):
        name = stem_of_section(line)
        if name is not None:
            if time_s is not None:
                break
            here = name
        elif here != section or not line.strip() or (
                time_s is None and re.match(r"\s*-(?![.\d])", line)):
            continue
        elif time_s is None:
            time_s = _log_number(path, number, line)
            if times_s and time_s < times_s[-1]:
                raise UserError("%s line %d: the time goes back from %g s to %g s; give one run "
                                "of the tracker" % (path, number, times_s[-1], time_s))
        else:
            rows.append(_log_row(path, number, line, len(rows[0]) if rows else None))
            times_s.append(time_s)
            time_s = None
    if time_s is not None:
        raise UserError("%s: the values at %g s are missing; the log was cut off there" % (
            path, time_s))
    if not rows:
        raise UserError("%s: no values for %s in it; expected times in seconds and lists "
                        "[v0, v1, ...] by turns" % (path, section or "a face"))
    names = {len(channels): channels for channels in (TRACKER_CHANNELS, MODEL_CHANNELS)}
    return np.array(times_s), np.array(rows, np.float32), names[len(rows[0])]


def _section_of(path, media_path):
    """The stem of the video whose section is meant; None in a log that names no video."""
    stems = []
    for line in log_lines(path):
        stem = stem_of_section(line)
        if stem is not None and stem not in stems:
            stems.append(stem)
    if not stems:
        return None
    if media_path is None:
        if len(stems) > 1:
            raise UserError("%s holds the videos %s; say which is meant"
                            % (path, ", ".join(stems)))
        return stems[0]
    stem = folder_and_stem(os.fspath(media_path))[1]
    if stem not in stems:
        raise UserError("%s holds the videos %s; expected %s among them"
                        % (path, ", ".join(stems), os.path.basename(os.fspath(media_path))))
    return stem


def stem_of_section(line):
    found = SECTION.match(line.strip())
    return os.path.splitext(os.path.basename(found.group(1)))[0] if found else None


def log_lines(path):
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as stream:
            for line in iter(lambda: stream.readline(MAX_LINE), ""):
                yield line
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))


def _log_number(path, number, text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError("%s line %d: %r; expected a finite number"
                        % (path, number, text.strip()[:40]))
    return value


def _log_row(path, number, line, num_before):
    text = line.strip()
    if not (text.startswith("[") and text.endswith("]")):
        raise UserError("%s line %d: %r; expected the values [v0, v1, ...] of the time before"
                        % (path, number, text[:40]))
    row = [_log_number(path, number, cell) for cell in text[1:-1].split(",")]
    largest = max(row, key=abs)
    if abs(largest) > np.finfo(np.float32).max:
        raise UserError("%s line %d: %g; expected weights of about 0 to 1"
                        % (path, number, largest))
    expected = [num_before] if num_before else [len(TRACKER_CHANNELS), len(MODEL_CHANNELS)]
    if len(row) not in expected:
        raise UserError("%s line %d: %d values; expected %s"
                        % (path, number, len(row), " or ".join(str(n) for n in expected)))
    return row
