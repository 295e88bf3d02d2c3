"""What tests of sound and video need: ffmpeg, and which of it still runs."""
import os
import subprocess

import imageio_ffmpeg


def ffmpeg(*arguments):
    """Run ffmpeg quietly with these arguments; raises where it fails."""
    subprocess.check_call([imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
                          + [str(argument) for argument in arguments])


def ffmpeg_children():
    """Names of this process's children that are ffmpeg, zombies included; reads /proc."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as stream:
                    name, fields = stream.read().rsplit(")", 1)
            except OSError:
                continue        # it ended between the two calls
            if int(fields.split()[1]) == os.getpid() and "ffmpeg" in name:
                found.append(name)
    return found
