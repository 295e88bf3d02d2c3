"""The preview: the drawn face, frame by frame, with the sound, as an mp4 any player shows."""
import fractions
import os
import tempfile

import numpy as np
from moviepy.video.io.ffmpeg_writer import FFMPEG_VideoWriter
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
        writer = FFMPEG_VideoWriter(aside, (size, size), fps, preset="veryfast", logfile=log,
                                    audiofile=audio_path and os.path.abspath(audio_path),
                                    ffmpeg_params=ffmpeg_params(fps, audio_path is not None))
        process = writer.proc
        try:
            for i in tqdm(range(len(weights)), desc="preview", unit="frame", mininterval=1.0,
                          disable=None, leave=False):               # None: on a terminal only
                if i and not np.array_equal(weights[i], weights[i - 1]):
                    picture = render_face(weights[i], names, size)
                process.stdin.write(picture[:, :, ::-1].tobytes())      # BGR to RGB
            process.stdin.close()
        except BrokenPipeError:     # ffmpeg gave up; what it says tells why
            pass
        except BaseException:
            process.kill()
            raise
        finally:
            status = process.wait()         # which writer.close() would not tell
        if status:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
            raise UserError("ffmpeg could not write %s (%s); check the sound file and the free "
                            "space" % (path, lines[-1] if lines else "status %d" % status))


def ffmpeg_params(fps, has_sound):
    """What ffmpeg is told besides what moviepy's writer tells it: exact times, colours, sound."""
    # moviepy writes the rate with two digits: 23.976 would drift 0.6 s in an hour.
    rate = str(fractions.Fraction(fps).limit_denominator(1001))     # 29.97... as 30000/1001
    filters = "setpts=N/(%s)/TB,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p" % rate
    params = ["-loglevel", "error", "-vf", filters, "-r", rate, "-crf", str(CONSTANT_QUALITY),
              "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
              "-movflags", "+faststart"]
    if has_sound:
        # The features count samples from the stream's first one; so does the preview.
        params += ["-map", "0:v:0", "-map", "1:a:0", "-af", "asetpts=PTS-STARTPTS", "-c:a", "aac",
                   "-b:a", AUDIO_BITRATE, "-ar", str(AUDIO_RATE_HZ), "-ac", "2"]
    return params
