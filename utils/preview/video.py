"""The preview: the drawn face, frame by frame, with the sound, as an mp4 any player shows."""
import concurrent.futures
import contextlib
import fractions
import os
import tempfile

import numpy as np
from tqdm import tqdm

from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.preview.face import (check_size, face_of_size, moving_box, ordered_weights,
                                still_layers)
from utils.preview.head import DESIGN_SIZE

CONSTANT_QUALITY = 18               # x264's scale: 18 is taken for visually lossless
# Motion is sought less finely than by "veryfast", for a twentieth more bytes. One thread keeps up
# with the drawing, takes less in all, and gives the same file on any machine.
PRESET, X264_OPTIONS, NUM_THREADS = "veryfast", "subme=1", 1
# What every player takes; browsers balk at some lower rates.
AUDIO_RATE_HZ, AUDIO_BITRATE = 48000, "160k"


@contextlib.contextmanager
def preview_beside(drawers, *arguments):
    """write_preview(*arguments) in a thread, while the block does other things.

    Drawers draw. The end of the block waits for the preview and raises what it raised; an error
    in the block stops it, and leaves no file. Without Drawers it is written after the block.
    """
    if drawers is None:
        yield
        write_preview(*arguments)
        return
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        preview = pool.submit(write_preview, *arguments, drawers=drawers)
        try:
            yield
            preview.result()
        except BaseException:
            drawers.stop()
            raise


def write_preview(path, weights, names, fps, audio_path=None, size=DESIGN_SIZE, audio_stream=0,
                  drawers=None):
    """Write `weights` [frames, 52] as an mp4 of `size` x `size` (even), frame i shown at i/fps.

    The sound is an audio stream of `audio_path`, in any format ffmpeg reads; time 0 of that file is
    frame 0, as it is in utils/media/audio.py. Whichever of picture and sound is longer sets the
    length. The part of the frames that changes goes to ffmpeg one by one, by moviepy's writer, so
    memory does not grow with the clip; ffmpeg lays it over the rest, which it gets first. Drawers
    of this size draw, or this process where there are none. Raises UserError where ffmpeg cannot
    read the sound or write the file, ValueError for weights, names or a size that render_face
    refuses.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or not len(weights):
        raise ValueError("weights of shape %s, expected (frames, 52)" % (weights.shape,))
    if size % 2:
        raise ValueError("size %d is odd; the video format halves it" % size)
    if audio_path is not None and not os.path.isfile(audio_path):
        raise UserError("the sound for the preview, %s, is not a file; give one that is there"
                        % audio_path)
    check_size(size)                            # bad input shows before a file is begun
    weights = ordered_weights(weights, names)
    is_new = np.append(True, (weights[1:] != weights[:-1]).any(axis=1))         # [frames]
    pictures = (drawers.pictures(weights[is_new]) if drawers is not None else
                (face_of_size(size).draw_moving(row) for row in weights[is_new]))
    picture = next(pictures)
    tiles = _tiles(size)
    # moviepy's import takes a quarter of a second, which a run without a preview need not wait.
    from moviepy.video.io.ffmpeg_writer import FFMPEG_VideoWriter
    with written_aside(path) as aside, tempfile.TemporaryFile(mode="w+") as log:
        writer = FFMPEG_VideoWriter(
            aside, picture.shape[1::-1], fps, codec=X264, preset=PRESET, logfile=log,
            threads=NUM_THREADS, audiofile=audio_path and _as_file(audio_path),
            ffmpeg_params=_output_options(size, tiles.shape[:2], fps, audio_path is not None,
                                          audio_stream))
        process = writer.proc                           # close() forgets it, and its status
        try:
            going_on = all(_written(writer, tile) for row in tiles for tile in row)
            for i in tqdm(range(len(weights)), desc="preview", unit="frame", mininterval=1.0,
                          disable=None, leave=False):               # None: on a terminal only
                if not going_on:
                    break                       # ffmpeg gave up; its log says why
                if i and is_new[i]:
                    picture = next(pictures)
                going_on = _written(writer, picture)
        except BaseException:
            process.kill()
            raise
        finally:
            _closed(writer)
        if process.wait():
            log.seek(0)
            raise UserError("ffmpeg could not write %s (%s); check the sound file and the free "
                            "space" % (path, _last_line(log.read())))


# By that name moviepy leaves the pixel format to us: for "libx264" 2.x asks for one with alpha.
X264 = "h264"


def _tiles(size):
    """The still face as RGB pictures of the moving part's size: uint8 [rows, columns, h, w, 3].

    They go on, black, where the face ends.
    """
    left, top, right, bottom = moving_box(size)
    height, width = bottom - top, right - left
    rows, columns = -(-size // height), -(-size // width)
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    sheet[:size, :size] = still_layers(size)[-1][:, :, ::-1]        # BGR to RGB
    return sheet.reshape(rows, height, columns, width, 3).swapaxes(1, 2)


def _as_file(path):
    """A path that ffmpeg takes for a file, whatever colons or dashes are in it."""
    return "file:" + os.path.abspath(path)


def _output_options(size, tiling, fps, has_sound, audio_stream):
    """What moviepy's own arguments do not say, as options of ffmpeg's output."""
    rate = fractions.Fraction(fps).limit_denominator(1001)      # 29.97... as 30000/1001
    # moviepy gives the rate with two decimals, which 23.976 would lose 0.6 s an hour by.
    timing = "settb=%d/%d,setpts=N" % (rate.denominator, rate.numerator)
    rows, columns = tiling
    left, top, _, _ = moving_box(size)
    graph = ("[0:v]scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,split[tiles][parts];"
             "[tiles]trim=end_frame={num},tile={columns}x{rows},crop={size}:{size}:0:0,"
             "loop=-1:1,{timing}[still];"
             "[parts]trim=start_frame={num},{timing}[moving];"
             "[still][moving]overlay={left}:{top}:shortest=1[picture]").format(
                 num=rows * columns, rows=rows, columns=columns, size=size, timing=timing,
                 left=left, top=top)
    options = ["-filter_complex", graph, "-filter_complex_threads", str(NUM_THREADS),
               "-map", "[picture]", "-r", str(rate)]
    if has_sound:
        # As utils/media/audio.py reads it: a stream that starts late keeps its place. Of more
        # than two channels two are made; what is mono is not encoded twice.
        options += ["-map", "1:a:%d" % audio_stream,
                    "-af", "aresample=%d:async=1:first_pts=0,aformat=channel_layouts=mono|stereo"
                    % AUDIO_RATE_HZ, "-c:a", "aac", "-b:a", AUDIO_BITRATE]
    return options + ["-crf", str(CONSTANT_QUALITY), "-x264-params", X264_OPTIONS,
                      "-pix_fmt", "yuv420p", "-colorspace", "bt709",
                      "-color_primaries", "bt709", "-color_trc", "bt709",
                      "-movflags", "+faststart", "-f", "mp4"]


def _written(writer, picture):
    """Whether ffmpeg took the picture. Where it is gone, moviepy's own report of that fails, too."""
    try:
        writer.write_frame(picture)
    except (IOError, TypeError):
        return False
    return True


def _closed(writer):
    """Close a writer whose ffmpeg may be gone."""
    try:
        writer.close()
    except IOError:                             # what was buffered for it is lost
        pass


def _last_line(report):
    lines = report.strip().splitlines()
    return lines[-1] if lines else "it says nothing"
