"""One picture of a video, at a time."""
import subprocess

import numpy as np

from utils.media.ffmpeg import ffmpeg_reading


def still(path, time_s):
    """The frame shown at `time_s`: uint8 [height, width, 3], RGB; None where there is none."""
    command = ffmpeg_reading(path, "error")
    place = command.index("-i")
    command[place:place] = ["-ss", "%.3f" % time_s]     # before -i it is sought, not decoded to
    process = subprocess.Popen(
        command + ["-map", "0:V:0", "-frames:v", "1", "-c:v", "ppm", "-pix_fmt", "rgb24",
                   "-f", "image2pipe", "pipe:1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    picture, _ = process.communicate()
    lines = picture.split(b"\n", 3)                     # P6, "width height", 255, pixels
    if len(lines) < 4 or lines[0] != b"P6":
        return None
    width, height = (int(number) for number in lines[1].split())
    return np.frombuffer(lines[3], np.uint8, height * width * 3).reshape(height, width, 3)
