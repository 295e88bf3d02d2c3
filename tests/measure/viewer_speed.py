"""Frames a second of the page's 3D head in software rendering, on this machine.

    python -m tests.measure.viewer_speed [--glb FILE] [--seconds 5] [--width 900] [--height 600]

Chromium draws without a graphics card (SwiftShader), with five shapes moving at each frame.
Other work on the machine slows it: the load is printed beside the figures.
"""
import argparse
import os
import tempfile

from tests.helpers.browser import started_browser, watched_page
from tests.helpers.viewer import as_text, open_viewer
from utils.common.errors import run_script
from utils.formats.gltf import DEFAULT_AVATAR

MEASURE = """seconds => new Promise(done => {
  const names = ['jawOpen', 'mouthFunnel', 'eyeBlinkLeft', 'mouthSmileLeft', 'browInnerUp'];
  const start = performance.now(), steps_ms = [];
  let last = start, blend_ms = 0;
  requestAnimationFrame(function frame() {
    const now = performance.now();
    renderer.setWeights(names, names.map((_, k) => 0.5 + 0.5 * Math.sin(now / 200 + k)));
    if (renderer.geometry.update()) {
      blend_ms += performance.now() - now;
      renderer.uploadMoved();
      renderer.areMapsOld = true;
    }
    renderer.draw();
    renderer.gl.finish();
    steps_ms.push(now - last);
    last = now;
    if (now - start < 1000 * seconds) requestAnimationFrame(frame);
    else {
      steps_ms.sort((a, b) => a - b);
      done({fps: 1000 * (steps_ms.length - 1) / (now - start), blend: blend_ms / steps_ms.length,
        median: 1000 / steps_ms[steps_ms.length >> 1], ratio: renderer.coarseRatio});
    }
  });
})"""


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glb", default=DEFAULT_AVATAR)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--width", type=int, default=900)
    parser.add_argument("--height", type=int, default=600)
    arguments = parser.parse_args()
    with open(arguments.glb, "rb") as stream:
        content = as_text(stream.read())
    with started_browser() as browser, tempfile.TemporaryDirectory() as folder, \
            watched_page(browser, arguments.width, arguments.height) as page:
        open_viewer(page, folder)
        page.evaluate("text => show(text)", content)
        page.evaluate(MEASURE, 1.0)                     # shaders are compiled at first use
        found = page.evaluate(MEASURE, arguments.seconds)
    print("%d x %d: %.1f frames/s (median %.1f), morphs %.2f ms a frame, drawn at %.1f of the "
          "size; load %.1f on %d cores" % (
              arguments.width, arguments.height, found["fps"], found["median"], found["blend"],
              found["ratio"], os.getloadavg()[0], os.cpu_count()))


if __name__ == "__main__":
    run_script(main)
