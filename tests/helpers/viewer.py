"""The page's 3D half alone in a browser: glb.js and renderer.js on an empty page."""
import base64
import os

from tests.helpers.paths import REPOSITORY

VIEWER = os.path.join(REPOSITORY, "utils", "pages", "viewer")
PAGE = """<!doctype html><meta charset="utf-8"><title>viewer</title>
<body style="margin:0"><canvas style="display:block;width:100vw;height:100vh"></canvas>
<script>%s
function bytesOf(text) {
  return Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
}
async function show(text) {
  const renderer = window.renderer || new FaceRenderer(document.querySelector('canvas'));
  window.renderer = renderer;
  await renderer.setModel(parseGlb(bytesOf(text)));
  renderer.resetView();
}
function pose(weights) {                // all others at 0
  const names = Object.keys(renderer.model.arkitNames);
  renderer.setWeights(names, names.map(name => weights[name] || 0));
}
</script>"""


def open_viewer(page, folder):
    """Opens the empty page from disk in a playwright page."""
    scripts = []
    for name in ("glb.js", "renderer.js"):
        with open(os.path.join(VIEWER, name), encoding="utf-8") as stream:
            scripts.append(stream.read())
    path = os.path.join(str(folder), "viewer.html")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(PAGE % "\n".join(scripts))
    page.goto("file://" + path)


def as_text(content):
    """Bytes in base64, as the page's scripts take them."""
    return base64.b64encode(content).decode("ascii")
