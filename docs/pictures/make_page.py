"""Make docs/pictures/page.png and page.gif: the page of the test sentence, still and speaking.

    python -m docs.pictures.make_page

Needs playwright and Chromium. GIF times are whole hundredths of a second: 12.5 frames a second.
"""
import os
import tempfile

import numpy as np

from tests.helpers.browser import started_browser, watched_page
from tests.helpers.media import ffmpeg
from utils.animation.audio_file import animate_file
from utils.common.constants import DEFAULT_AUDIO, DEFAULT_CHECKPOINT, DEFAULT_GRAPH
from utils.common.errors import run_script
from utils.pages.viewer_page import view

HERE = os.path.dirname(os.path.abspath(__file__))
STILL_SIZE, STILL_S = (1280, 800), 4.0          # the o of "boat"
GIF_SIZE, GIF_FPS, MARGIN = (780, 560), 12.5, 10    # shown: the head, the clock and the curves
LOOP_S = 3.6                                    # both ends at rest, so that the loop has no seam
NEARER = 1.3                                    # the mouth is what moves
COLOURS = 144


def page_of_sentence(folder):
    """Path of the page that `make demo` writes."""
    animate_file(DEFAULT_AUDIO, DEFAULT_CHECKPOINT, DEFAULT_GRAPH, folder, preview=False,
                 formats=("npz",))
    path = os.path.join(folder, "page.html")
    view(os.path.join(folder, "blendshapes.npz"), path, sound_path=DEFAULT_AUDIO,
         title="test_sentence")
    return path


def opened(page, path):
    page.goto("file://" + os.path.abspath(path))
    page.wait_for_selector("html[data-ready]")


def shot_at(page, time_s, path, clip=None):
    """A picture of the page, or of a part of it, at a moment, once it is drawn."""
    page.evaluate("""time => {
        viewer.player.seek(time);
        return new Promise(done => {
          const look = frames => {
            const {time_s, renderer} = viewer.sides.a;
            const isFine = renderer.isFine || !renderer.isSoftware;
            if (frames > 2 && isFine && Math.abs(time_s - time) < 1e-3) done();
            else requestAnimationFrame(() => look(frames + 1));
          };
          look(0);
        });
    }""", time_s)
    page.screenshot(path=path, clip=clip)


def main():
    with tempfile.TemporaryDirectory() as folder, started_browser() as browser:
        path = page_of_sentence(folder)
        with watched_page(browser, *STILL_SIZE, color_scheme="light") as page:
            opened(page, path)
            still_path = os.path.join(folder, "still.png")
            shot_at(page, STILL_S, still_path)
        # A palette for this picture: a third of the size, and nobody sees it.
        ffmpeg("-i", still_path, "-vf", "split[a][b];[a]palettegen[p];[b][p]paletteuse="
               "dither=sierra2_4a", os.path.join(HERE, "page.png"))
        with watched_page(browser, *GIF_SIZE, color_scheme="light") as page:
            opened(page, path)
            page.evaluate("""nearer => {
                document.documentElement.classList.add('playing');
                document.querySelector('.transport .zoom').remove();    // no room in the clip
                viewer.sides.a.renderer.zoom(nearer); }""", NEARER)
            stage, dock = [page.locator(name).bounding_box() for name in (".stage", ".dock")]
            clip = {"x": stage["x"] - MARGIN, "y": stage["y"] - MARGIN,
                    "width": stage["width"] + 2 * MARGIN,
                    "height": dock["y"] + dock["height"] - stage["y"] + 2 * MARGIN}
            for frame, time_s in enumerate(np.arange(0, LOOP_S, 1 / GIF_FPS)):
                shot_at(page, float(time_s), os.path.join(folder, "%03d.png" % frame), clip)
        ffmpeg("-framerate", GIF_FPS, "-i", os.path.join(folder, "%03d.png"), "-vf",
               "split[a][b];[a]palettegen=max_colors=%d:stats_mode=full[p];[b][p]paletteuse="
               "dither=none:diff_mode=rectangle" % COLOURS,
               "-loop", 0, os.path.join(HERE, "page.gif"))
    for name in ("page.png", "page.gif"):
        print("%s: %.0f kB" % (name, os.path.getsize(os.path.join(HERE, name)) / 1000.0))


if __name__ == "__main__":
    run_script(main)
