"""Video in: the frames of whatever ffmpeg reads, each with its own time stamp.

A phone films at a rate that varies, so frame i never stands at i / fps. The times are those
of the file, on the clock that utils/media/audio.py puts the sound on: 0 is where the file starts,
and a stream that starts late keeps its place. A phone's rotation tag is obeyed, and pixels that
are not square (DV, DVD, AVCHD at 1440 x 1080) are made so: faces have their true proportions.
"""
import io
import itertools
import os
import re
import subprocess
import tempfile

import imageio_ffmpeg
import numpy as np

from utils.common.errors import UserError, print_warning
from utils.media.ffmpeg import (check_media_file, ffmpeg_reading, first_line, media_report,
                                reason, start_ffmpeg, stream_kept)

VIDEO_EXTENSIONS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".3gp", ".3g2", ".mts",
                    ".m2ts", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".mxf", ".ogv", ".vob")
# V: a film, not the cover picture of a song.
FIRST_VIDEO_STREAM = ["-map", "0:V:0", "-an", "-sn", "-dn"]
PPM_OUTPUT = ["-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "pipe:1"]
# The container's word, which comes last, is the one that players and ffmpeg obey.
PIXEL_ASPECT = re.compile(r"^ *Stream #0:\d+.*: Video: .*\bSAR (\d+):(\d+)", re.MULTILINE)
MAX_PIXEL_ASPECT = 4.0
TICKS_PER_S = 1000000
MAX_REPORT_LINES = 1000             # a damaged file may complain of every frame
FRAME_TIME = re.compile(r"showinfo\S* @ \S+\] (?:\[info\] )?n: *\d+ pts: *(-?\d+|NOPTS)")
COMPLAINT = re.compile(r"\[(error|fatal)\] (.*)")


def video_frames(path, warn=print_warning):
    """Yield (time_s, frame) for every frame of the first video stream of `path`.

    time_s: float, strictly increasing. frame: uint8 [height, width, 3], RGB, of square pixels.
    Memory is constant; leaving the loop early ends ffmpeg. What is damaged part-way is read as far
    as it goes; warn is called with a line on that.
    Raises UserError, at the first frame: missing, a folder, empty, not a video, no video
    stream, cut off so that nothing can be decoded.
    """
    path = os.fspath(path)
    check_media_file(path, "a video file", "a video", "an mp4, mov, mkv, webm or avi")
    time_s, num_frames = None, 0
    with tempfile.TemporaryDirectory() as folder:
        report_path = os.path.join(folder, "report")
        with open(report_path, "wb") as stderr:
            process = start_ffmpeg(_command(path), stdout=subprocess.PIPE, stderr=stderr)
        times = _reported_times(report_path)
        try:
            while True:
                frame = _read_ppm(process.stdout)
                if frame is None:
                    break
                # ffmpeg reports a frame before it passes it on, so its time is there.
                reported_s = next(times)
                if reported_s is None:
                    raise UserError("%s: frame %d has no time stamp; convert it to mp4 with "
                                    "ffmpeg" % (path, num_frames))
                num_frames += 1
                if time_s is not None and reported_s <= time_s:
                    continue                        # out of step: a second one at this time
                time_s = reported_s
                yield time_s, frame
            process.wait()
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
            times.close()
        report = _other_lines(report_path)
    if not num_frames:
        if "matches no streams" in report:
            raise UserError("%s has no picture: no video stream is in it; give a video" % path)
        raise UserError("%s is not a video that ffmpeg can read (%s); give an mp4, mov, mkv, "
                        "webm or avi that plays" % (path, reason(report, path)))
    complaint = COMPLAINT.search(report)
    if complaint:
        warn("%s is damaged (ffmpeg: %s); going on with the %d frames that could be decoded"
             % (path, first_line(complaint.group(2)), num_frames))


def still(path, time_s):
    """The frame shown at `time_s`: uint8 [height, width, 3], RGB; None where there is none."""
    path = os.fspath(path)
    process = start_ffmpeg(
        # Before -i the place is sought, not decoded to.
        ffmpeg_reading(path, "error", ["-ss", "%.3f" % time_s]) + FIRST_VIDEO_STREAM
        + ["-frames:v", "1"] + _filters(_square_pixels(media_report(path))) + PPM_OUTPUT,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return _read_ppm(io.BytesIO(process.communicate()[0]))


def _command(path):
    # settb: the times in whole microseconds; as seconds they are printed with six digits.
    report = media_report(path)
    times = ["settb=1/%d" % TICKS_PER_S, "showinfo"]
    return (ffmpeg_reading(path, "level+info") + ["-nostats"] + FIRST_VIDEO_STREAM
            + _filters(times + _square_pixels(report)) + _every_frame_once() + PPM_OUTPUT
            + stream_kept(report, "a:0"))


def _filters(filters):
    return ["-vf", ",".join(filters)] if filters else []


def _square_pixels(report):
    """[filter] that widens or heightens a picture whose pixels are not square; [] where they are.

    A ratio beyond MAX_PIXEL_ASPECT either way is a broken header and left alone.
    """
    ratio = PIXEL_ASPECT.search(report)
    width, height = (int(number) for number in ratio.groups()) if ratio else (1, 1)
    if width == height or not 1 / MAX_PIXEL_ASPECT <= width / max(height, 1e-9) <= MAX_PIXEL_ASPECT:
        return []
    # In words, since a rotation comes before and turns the ratio, too.
    return ["scale=w='if(gt(sar,1),round(iw*sar),iw)':h='if(gt(sar,1),ih,round(ih/sar))'",
            "setsar=1"]


def _every_frame_once():
    """The option against repeating and dropping frames, whose name changed in ffmpeg 5.1."""
    version = re.match(r"\D?(\d+)\.", imageio_ffmpeg.get_ffmpeg_version())
    if version and int(version.group(1)) < 6:
        return ["-vsync", "0"]
    return ["-fps_mode", "passthrough"]


def _reported_times(report_path):
    """Yield the time in seconds of each frame in a report that grows meanwhile.

    None: the frame has no time, or the report says no more.
    """
    held = b""
    with open(report_path, "rb") as report:
        while True:
            piece = report.read(1 << 16)
            if not piece:
                yield None
                continue
            lines = (held + piece).split(b"\n")
            held = lines.pop()
            for line in lines:
                found = FRAME_TIME.search(line.decode("utf-8", "replace"))
                if found:
                    ticks = found.group(1)
                    yield None if ticks == "NOPTS" else int(ticks) / float(TICKS_PER_S)


def _other_lines(report_path):
    """What the report says beside the frames: a string, of the first lines if very long."""
    with open(report_path, "rb") as report:
        lines = (line.decode("utf-8", "replace").rstrip() for line in report
                 if b"showinfo" not in line)
        return "\n".join(itertools.islice(lines, MAX_REPORT_LINES))


def _read_ppm(stream):
    """The next picture of a stream of binary PPMs: uint8 [height, width, 3], None at its end."""
    if stream.readline() != b"P6\n":
        return None
    width, height = (int(number) for number in stream.readline().split())
    stream.readline()                               # the largest value, 255
    payload = stream.read(height * width * 3)
    if len(payload) < height * width * 3:
        return None
    return np.frombuffer(payload, np.uint8).reshape(height, width, 3)   # read-only
