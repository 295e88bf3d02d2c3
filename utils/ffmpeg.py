"""ffmpeg, the one that moviepy brings: how it is asked, and what it complains of."""
import re

import imageio_ffmpeg


def ffmpeg_reading(path, verbosity):
    """The beginning of a command that reads `path`.

    file: keeps a name with a colon or a leading dash a name; the whitelist keeps a file that
    refers to others from fetching them.
    """
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-v", verbosity,
            "-protocol_whitelist", "file,pipe", "-i", "file:" + path]


def is_text(path):
    """Whether a file begins like text. A playlist does, and ffmpeg waits for what it lists."""
    with open(path, "rb") as stream:
        beginning = stream.read(1024)
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
