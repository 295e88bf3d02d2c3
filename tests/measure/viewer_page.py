"""What the page of a take weighs, how fast it opens and draws, and what it holds in memory.

    python -m tests.measure.viewer_page                 the test sentence, and ten minutes of it

Needs playwright and Chromium. The head is drawn in software, the slowest way there is.
"""
import os
import tempfile
import time

import numpy as np

from tests.helpers.browser import started_browser, watched_page
from utils.animation.animator import SpeechAnimator
from utils.animation.audio_file import animate_audio
from utils.common.constants import DEFAULT_AUDIO, DEFAULT_CHECKPOINT, DEFAULT_GRAPH
from utils.formats.npz import write_npz
from utils.media.audio import open_audio, read_audio, write_wav
from utils.pages.viewer_page import view

TEN_MINUTES_S = 600.0
WATCHED_S = 5.0


def measure(browser, folder, name, samples):
    """One line of the table for sound float [num_samples] at 16 kHz."""
    sound_path, take_path, page_path = [
        os.path.join(folder, name + ending) for ending in (".wav", ".npz", ".html")]
    write_wav(sound_path, samples)
    animator = SpeechAnimator(DEFAULT_CHECKPOINT, DEFAULT_GRAPH, eye_motion_seed=0)
    weights, _, duration_s = animate_audio(animator, open_audio(sound_path))
    write_npz(take_path, weights, animator.channels, animator.fps)
    started_s = time.time()
    num_bytes = view(take_path, page_path, sound_path=sound_path)
    made_s = time.time() - started_s
    with watched_page(browser, 900, 600) as page:
        started_s = time.time()
        page.goto("file://" + page_path)
        page.wait_for_selector("html[data-ready]")
        opened_s = time.time() - started_s
        page.evaluate("viewer.player.play()")
        times = page.evaluate("""seconds => new Promise(done => {
            const times = [], audio = document.getElementById('sound'), {a} = viewer.sides;
            const show = a.renderer.setWeights;
            a.renderer.setWeights = function (names, values) {  // as the head gets them
              times.push([performance.now() / 1000, a.time_s, audio.currentTime]);
              show.call(this, names, values);
            };
            setTimeout(() => done(times), 1000 * seconds);
        })""", WATCHED_S)
        moment_s, shown_s, heard_s = np.array(times).T
        rate = (len(times) - 1) / (moment_s[-1] - moment_s[0])
        worst_s = np.abs(shown_s - heard_s).max()
        heap_bytes = page.context.new_cdp_session(page).send(
            "Runtime.getHeapUsage")["usedSize"]
        size = page.evaluate("[document.getElementById('head-a').width, "
                             "document.getElementById('head-a').height]")
    return (name, "%.1f" % duration_s, "%.2f" % made_s, "%.2f" % (num_bytes / 1e6),
            "%.2f" % opened_s, "%.0f" % (heap_bytes / 1e6), "%.1f" % rate,
            "%dx%d" % tuple(size), "%.0f" % (1000 * worst_s))


def main():
    sentence = read_audio(DEFAULT_AUDIO)
    ten_minutes = np.tile(sentence, int(np.ceil(TEN_MINUTES_S * 16000 / len(sentence))))
    row = "%-12s" + "%10s" * 8
    print(row % ("take", "seconds", "made in s", "MB", "opens in s", "heap MB", "frames/s",
                 "head", "late ms"))
    with tempfile.TemporaryDirectory() as folder, started_browser() as browser:
        for name, samples in (("sentence", sentence),
                              ("ten_minutes", ten_minutes[:int(TEN_MINUTES_S * 16000)])):
            print(row % measure(browser, folder, name, samples))


if __name__ == "__main__":
    main()
