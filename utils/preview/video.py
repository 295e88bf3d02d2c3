"""The preview: the drawn face, frame by frame, with the sound, as an mp4 any player shows."""
import fractions
import os
import subprocess
import tempfile

import imageio_ffmpeg
import numpy as np
from tqdm import tqdm

from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.preview.face import render_face
from utils.preview.head import DESIGN_SIZE

CONSTANT_QUALITY = 18               # x264's scale: 18 is taken for visually lossless
# What every player takes; browsers balk at some lower rates.
AUDIO_RATE_HZ, AUDIO_BITRATE = 48000, "160k"


def write_preview(path, weights, names, fps, audio_path=None, size=DESIGN_SIZE):
    """Write `weights` [frames, 52] as an mp4 of `size` x `size` (even), frame i shown at i/fps.

    The sound of `audio_path`, in any format ffmpeg reads, starts with frame 0; whichever of
    picture and sound is longer sets the length. Frames go to ffmpeg one by one, so memory does
    not grow with the clip. Raises UserError where ffmpeg cannot read the sound or write the
    file, ValueError for weights, names or a size that render_face refuses.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or not len(weights):
        raise ValueError("weights of shape %s, expected (frames, 52)" % (weights.shape,))
    if size % 2:
        raise ValueError("size %d is odd; the video format halves it" % size)
    if audio_path is not None and not os.path.isfile(audio_path):
        raise UserError("the sound for the preview, %s, is not a file; give one that is there"
                        % audio_path)
    picture = render_face(weights[0], names, size)      # bad input shows before a file is begun
    with written_aside(path) as aside, tempfile.TemporaryFile() as log:
        command = ffmpeg_command(aside, fps, size, audio_path)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=log)
        try:
            for i in tqdm(range(len(weights)), desc="preview", unit="frame", mininterval=1.0,
                          disable=None, leave=False):               # None: on a terminal only
                if i and not np.array_equal(weights[i], weights[i - 1]):
                    picture = render_face(weights[i], names, size)
                process.stdin.write(picture.tobytes())
            process.stdin.close()
        except BrokenPipeError:     # ffmpeg gave up; its log says why
            pass
        except BaseException:
            process.kill()
            raise
        finally:
            status = process.wait()
        if status:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
            raise UserError("ffmpeg could not write %s (%s); check the sound file and the free "
                            "space" % (path, lines[-1] if lines else "status %d" % status))


def ffmpeg_command(path, fps, size, audio_path):
    """ffmpeg's arguments: BGR frames on its stdin, the sound from its file."""
    rate = str(fractions.Fraction(fps).limit_denominator(1001))     # 29.97... as 30000/1001
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "rawvideo",
               "-pix_fmt", "bgr24", "-video_size", "%dx%d" % (size, size), "-framerate", rate,
               "-i", "pipe:0"]
    if audio_path is not None:
        # The features count samples from the stream's first one; so does the preview.
        command += ["-i", os.path.abspath(audio_path), "-map", "0:v:0", "-map", "1:a:0",
                    "-af", "asetpts=PTS-STARTPTS", "-c:a", "aac", "-b:a", AUDIO_BITRATE,
                    "-ar", str(AUDIO_RATE_HZ), "-ac", "2"]
    return command + ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(CONSTANT_QUALITY),
                      "-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p",
                      "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
                      "-movflags", "+faststart", "-f", "mp4", path]
