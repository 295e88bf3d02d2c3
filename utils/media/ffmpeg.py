"""ffmpeg, the one that moviepy brings: how it is asked, and what it complains of."""
import os
import re
import subprocess

import imageio_ffmpeg

from utils.common.errors import UserError

# What ffmpeg takes for a list of files to read, whatever bytes follow: HLS, concat, SDP, DASH, IMF.
LISTS = (b"#EXTM3U", b"ffconcat", b"v=0")
LISTS_INSIDE = (b"<MPD", b"<CompositionPlaylist", b"<SmoothStreamingMedia")


def ffmpeg_reading(path, verbosity, input_options=()):
    """The beginning of a command that reads `path`.

    file: keeps a name with a colon or a leading dash a name; the whitelist keeps a file that
    refers to others from fetching them. input_options: what stands before -i.
    """
    return ([imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-v", verbosity,
             "-protocol_whitelist", "file,pipe"] + list(input_options) + ["-i", "file:" + path])


def start_ffmpeg(command, **streams):
    """The running process of a command; its stdin is empty.

    The static ffmpeg 4.2 that Python 3.7 gets dies of a segmentation fault on every .mts and .ts,
    where it loads the system's tables of letters for the channel's name; so it finds none.
    """
    return subprocess.Popen(command, stdin=subprocess.DEVNULL,
                            env=dict(os.environ, GCONV_PATH=os.devnull), **streams)


def stream_kept(report, letter):
    """Options after the output that keep a stream ("V:0", "a:0") of such a report in view.

    Of these containers ffmpeg sets the clock to 0 where the first of the streams that are asked
    for begins: asked for one alone, it would lose how much later than the other that starts.
    """
    kind = "Video" if letter.startswith("V") else "Audio"
    if not (re.search(r"^ *Input #0, (mpeg|mpegts|ogg|vob)\b", report, re.MULTILINE)
            and re.search(r"^ *Stream #0:.*: %s: " % kind, report, re.MULTILINE)):
        return []
    return ["-map", "0:" + letter, "-c", "copy", "-f", "null", "-"]


def media_report(path):
    """What ffmpeg says of a file without decoding it: streams, rates, tags. Empty if unreadable.
    """
    process = start_ffmpeg(ffmpeg_reading(path, "info"), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    return process.communicate()[0].decode("utf-8", "replace")


def duration_s(report):
    """The container's word for how long it lasts, of such a report; None where it has none."""
    found = re.search(r"Duration: (\d+):(\d+):(\d+\.\d+)", report)
    if not found:
        return None
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def check_media_file(path, wanted, kind, formats):
    """UserError, in the caller's words, for what ffmpeg need not be asked about.

    A folder, nothing, an empty file ("give `wanted`"); text ("not `kind` but text; give
    `formats`").
    """
    if os.path.isdir(path):
        raise UserError("%s is a folder; give %s" % (path, wanted))
    if not os.path.isfile(path):
        raise UserError("there is no file %s; check the path" % path)
    if os.path.getsize(path) == 0:
        raise UserError("%s is empty (0 bytes); give %s" % (path, wanted))
    with open(path, "rb") as stream:
        beginning = stream.read(4096)
    if _is_text(beginning[:1024]):
        raise UserError("%s is not %s but text; give %s" % (path, kind, formats))
    if beginning.lstrip(b"\xef\xbb\xbf").startswith(LISTS) or any(
            word in beginning for word in LISTS_INSIDE):
        raise UserError("%s is a list of other files, not %s; give %s" % (path, kind, formats))


def _is_text(beginning):
    """Whether a file begins like text. A playlist does, and ffmpeg waits for what it lists."""
    words = beginning.decode("utf-8", "ignore")     # a character may be cut at the end
    return len(words.encode("utf-8")) > len(beginning) - 4 and all(
        letter.isprintable() or letter in "\t\r\n\f\ufeff" for letter in words)


def first_line(report):
    """The first thing ffmpeg says, without the "[wav @ 0x1f2e] " of the part that says it."""
    lines = [re.sub(r"^(\[[^]]*\] *)+", "", line.strip()) for line in report.splitlines()]
    return next((line for line in lines if line), "")


def reason(report, path):
    """The line of ffmpeg's report that says why, without the file's name in front."""
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    telling = [line for line in lines
               if re.search(r"moov atom|Invalid data|[Ee]rror|not found|could not", line)]
    line = (telling or lines or ["it says nothing"])[0]
    return first_line(line.replace("file:" + path + ": ", ""))


# ---- the media's clock

NOMINAL_RATES = (24, 25, 30, 48, 50, 60, 100, 120, 240)


def media_timecode_s(media_path):
    """Time of day in seconds at which a video or sound begins, by its timecode; None without.

    As ffmpeg finds it in the container: HH:MM:SS:FF, FF in frames of the video's rate.
    """
    report = media_report(os.fspath(media_path))
    found = re.search(r"^\s*timecode\s*:\s*(\d+):(\d+):(\d+)[:;.](\d+)", report,
                      re.IGNORECASE | re.MULTILINE)
    rate = re.search(r" ([\d.]+) fps\b", report)
    if not found or not rate:
        return None
    hours, minutes, seconds, frames = (int(part) for part in found.groups())
    # A phone's 29.98 frames a second are counted in thirtieths, and so are 29.97.
    rate_hz = min(NOMINAL_RATES, key=lambda nominal: abs(nominal - float(rate.group(1))))
    if frames >= rate_hz:
        return None
    return hours * 3600 + minutes * 60 + seconds + frames / float(rate_hz)
