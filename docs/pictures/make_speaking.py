"""Make docs/pictures/speaking.gif: the preview face speaks the first half of the test sentence.

    python -m docs.pictures.make_speaking

The curves beside the face are four of its 52 channels. GIF times are whole hundredths of a second:
25 frames a second is the highest even rate that browsers keep.
"""
import os
import subprocess

import cv2
import imageio_ffmpeg
import numpy as np

from utils.animation.animator import SpeechAnimator
from utils.animation.audio_file import animate_audio
from utils.common.constants import DEFAULT_EYE_SEED, SAMPLE_RATE_HZ
from utils.common.errors import run_script
from utils.common.resample import resample_frames
from utils.media.audio import open_audio, read_audio
from utils.preview.face import render_face

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
FPS = 25
LOOP_S = 3.6                        # both ends at rest, so that the loop has no seam
SENTENCE = "Poppy, my father, bought a big blue boat."
NUM_BARS = 137                      # of the waveform: one in two pixels
# Channel, the value at the top of its row, colour (BGR).
CURVES = (("jawOpen", 0.55, (176, 106, 31)), ("mouthPucker", 0.55, (60, 98, 217)),
          ("mouthPressLeft", 0.40, (77, 143, 58)), ("eyeBlinkLeft", 1.25, (160, 80, 130)))

FACE_SIZE, FACE_BOX = 384, (24, 344, 32, 352)           # top, bottom, left, right of what is shown
HEIGHT, PANEL_WIDTH = 320, 420
LEFT, RIGHT, TOP, ROW = 130, 404, 48, 52                # of the curves; names stand left of them
SCALE, SHIFT = 2, 4                 # the panel is drawn twice as large; points in 1 / 16 pixel
PAPER, INK, FAINT, AHEAD = (252, 249, 247), (70, 60, 52), (214, 208, 202), (226, 221, 216)


def row_points(values, row):
    """Corners [n, 2] of a curve of `values` [n] in 0..1, drawn in row number `row`."""
    x = np.linspace(LEFT, RIGHT, len(values))
    y = TOP + ROW * (row + 1) - 8 - values * (ROW - 14)
    return np.round(SCALE * (1 << SHIFT) * np.stack([x, y], axis=1)).astype(np.int32)


def draw_line(picture, points, colour, thickness=1):
    cv2.polylines(picture, [points], False, colour, SCALE * thickness, cv2.LINE_AA, shift=SHIFT)


def draw_bars(picture, peaks, shown, colour):
    """The waveform up to `shown` (0..1): upright bars for `peaks` [n] in the first row."""
    top, bottom = row_points(0.5 + peaks / 2, 0), row_points(0.5 - peaks / 2, 0)
    bars = np.stack([top, bottom], axis=1)[:int(round(shown * len(peaks)))]     # [n, 2, 2]
    cv2.polylines(picture, list(bars), False, colour, SCALE, cv2.LINE_AA, shift=SHIFT)


def write(picture, text, x, y, colour=INK, size=0.42):
    cv2.putText(picture, text, (SCALE * x, SCALE * y), cv2.FONT_HERSHEY_SIMPLEX, SCALE * size,
                colour, SCALE, cv2.LINE_AA)


def draw_panel(peaks, curves, shown):
    """The curves with the part up to `shown` (0..1) in colour, uint8 [HEIGHT, PANEL_WIDTH, 3]."""
    picture = np.full((SCALE * HEIGHT, SCALE * PANEL_WIDTH, 3), PAPER, np.uint8)
    write(picture, SENTENCE, 16, 28, size=0.46)
    write(picture, "speech", 16, TOP + ROW // 2 + 4)
    draw_bars(picture, peaks, 1.0, AHEAD)
    draw_bars(picture, peaks, shown, INK)
    for row, (name, values, colour) in enumerate(curves, 1):
        write(picture, name, 16, TOP + ROW * (row + 1) - 8, colour)
        points = row_points(values, row)
        past = points[:max(2, int(round(shown * len(points))))]
        draw_line(picture, row_points(np.zeros(2), row), FAINT)
        draw_line(picture, points, AHEAD)
        draw_line(picture, past, colour, 2)
        cv2.circle(picture, tuple(int(v) for v in past[-1]), 3 * SCALE << SHIFT, colour, -1,
                   cv2.LINE_AA, shift=SHIFT)
    return cv2.resize(picture, (PANEL_WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def frames_of(audio_path):
    """The pictures of the loop, uint8 BGR [HEIGHT, HEIGHT + PANEL_WIDTH, 3] each."""
    animator = SpeechAnimator(os.path.join(REPOSITORY, "model", "default.model"),
                              os.path.join(REPOSITORY, "ds_graph", "deepspeech-mini",
                                           "output_graph.tflite"),
                              eye_motion_seed=DEFAULT_EYE_SEED)
    weights, _, _ = animate_audio(animator, open_audio(audio_path))
    num_frames = int(round(LOOP_S * FPS))
    weights = resample_frames(weights, animator.fps, FPS, num_frames)           # [frames, 52]
    samples = read_audio(audio_path)[:int(LOOP_S * SAMPLE_RATE_HZ)]
    peaks = np.abs(samples[:len(samples) // NUM_BARS * NUM_BARS]).reshape(NUM_BARS, -1).max(axis=1)
    peaks = np.clip(peaks / peaks.max(), 0.02, 1.0)
    curves = [(name, weights[:, animator.channels.index(name)] / top, colour)
              for name, top, colour in CURVES]
    top, bottom, left, right = FACE_BOX
    for i in range(num_frames):
        face = render_face(weights[i], animator.channels, FACE_SIZE)[top:bottom, left:right]
        yield np.hstack([face, draw_panel(peaks, curves, (i + 1.0) / num_frames)])


def write_gif(path, frames):
    """Write pictures as a GIF that loops; one palette for all, so that nothing flickers."""
    pictures = np.stack(list(frames))                               # [frames, height, width, 3]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "rawvideo",
               "-pix_fmt", "bgr24", "-video_size", "%dx%d" % pictures.shape[2:0:-1],
               "-framerate", str(FPS), "-i", "pipe:0", "-filter_complex",
               "split[a][b];[a]palettegen=max_colors=200:stats_mode=full[p];"
               "[b][p]paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle",
               "-loop", "0", path]
    subprocess.run(command, input=pictures.tobytes(), check=True)


def main():
    path = os.path.join(HERE, "speaking.gif")
    write_gif(path, frames_of(os.path.join(REPOSITORY, "audio", "test_sentence.wav")))
    print("wrote %s: %.0f kB" % (path, os.path.getsize(path) / 1000.0))


if __name__ == "__main__":
    run_script(main)
