"""utils/pages/viewer/renderer.js in a real browser: the face that is seen, by its pixels."""
import base64

import cv2
import numpy as np
import pytest

from tests.helpers.browser import watched_page
from tests.helpers.glb import GlbWriter
from tests.helpers.viewer import as_text, open_viewer
from utils.formats.gltf import DEFAULT_AVATAR

WIDTH, HEIGHT = 240, 240                                # CSS pixels; software draws four to one
EYES, MOUTH = slice(85, 112), slice(125, 165)           # rows of the default view
FACE = slice(80, 160)                                   # columns


@pytest.fixture(scope="module")
def viewer(browser, tmp_path_factory):
    with watched_page(browser, WIDTH, HEIGHT) as page:
        open_viewer(page, tmp_path_factory.mktemp("viewer"))
        yield page


def shown(page):
    """The canvas as [HEIGHT, WIDTH, 3] int16, blue first."""
    text = page.evaluate("""() => {
      renderer.drawFrame(true);
      return document.querySelector('canvas').toDataURL('image/png').split(',')[1];
    }""")
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.int16)


def changed(before, after):
    """[HEIGHT, WIDTH]: whether a pixel looks other than before."""
    return np.abs(after - before).max(axis=2) > 12


@pytest.fixture(scope="module")
def head():
    with open(DEFAULT_AVATAR, "rb") as stream:
        return as_text(stream.read())


@pytest.fixture(scope="module")
def first_picture(viewer, head):
    viewer.evaluate("async text => { await show(text); window.head = renderer.model; }", head)
    return shown(viewer)


@pytest.fixture
def rest(viewer, first_picture):
    """The page with our head at rest, and its picture."""
    viewer.evaluate("""() => {
      if (renderer.model !== head) renderer.setModel(head);
      renderer.setTheme('dark');
      renderer.resetView();
      pose({});
    }""")
    return viewer, first_picture


def test_a_face_stands_before_the_background(rest):
    _, picture = rest
    assert picture[5, 5].max() < 40                                     # the dark theme's corner
    red, blue = picture[MOUTH, FACE, 2], picture[MOUTH, FACE, 0]
    assert (red > blue + 20).mean() > 0.8                               # skin
    assert picture[:, :, 1].max() < 255                                 # nothing is burnt out


@pytest.mark.parametrize("weights, rows", [
    ({"jawOpen": 1}, MOUTH), ({"mouthFunnel": 1}, MOUTH),
    ({"mouthSmileLeft": 1, "mouthSmileRight": 1}, MOUTH),
    ({"mouthPressLeft": 1, "mouthPressRight": 1, "mouthRollLower": 1}, MOUTH),
    ({"jawOpen": 0.5, "tongueOut": 1}, MOUTH), ({"eyeBlinkLeft": 1, "eyeBlinkRight": 1}, EYES),
    ({"eyeLookUpLeft": 1, "eyeLookUpRight": 1}, EYES)])
def test_a_shape_changes_its_part_of_the_face_only(rest, weights, rows):
    page, before = rest
    page.evaluate("weights => pose(weights)", weights)
    moved = changed(before, shown(page))
    other = EYES if rows == MOUTH else MOUTH
    assert moved[rows, FACE].mean() > 0.03
    assert moved[other, FACE].mean() < 0.01


def test_left_is_the_subjects_left(rest):
    page, before = rest
    page.evaluate("pose({eyeBlinkLeft: 1})")
    columns = np.flatnonzero(changed(before, shown(page)).any(axis=0))
    assert len(columns) and columns.min() > WIDTH / 2                   # the picture's right


def test_drawn_in_steps_is_drawn_at_once(rest):
    """While it moves, depth pictures are drawn in turn; a still face shows all of them."""
    page, _ = rest
    page.evaluate("pose({jawOpen: 0.8, mouthFunnel: 0.3})")
    whole = shown(page)
    page.evaluate("""() => {
      for (const value of [0, 0.3, 0.6, 0.8]) {
        renderer.setWeights(['jawOpen', 'mouthFunnel', 'unknown'], [value, 0.3, 1]);
        renderer.draw();
      }
    }""")
    assert np.abs(shown(page) - whole).max() <= 2


def test_weights_stay_within_their_range(rest):
    page, before = rest
    for value in (-3, float("nan")):
        page.evaluate("value => renderer.setWeights(['jawOpen'], [value])", value)
        assert page.evaluate("renderer.geometry.shapes.get('jawOpen').weight") == 0
    page.evaluate("renderer.setWeights(['jawOpen'], [7])")
    found = shown(page)
    page.evaluate("pose({jawOpen: 1})")
    assert np.array_equal(shown(page), found)
    page.evaluate("pose({})")
    assert np.array_equal(shown(page), before)


def test_themes(rest):
    page, dark = rest
    page.evaluate("renderer.setTheme('light')")
    light = shown(page)
    assert light[5, 5].min() > 150
    assert np.abs(light - dark)[EYES, FACE].max() <= 2                  # the face stays
    page.evaluate("renderer.setTheme({background: '#ff0000', glow: '#ff0000', vignette: 0})")
    assert np.abs(shown(page)[5, 5] - [0, 0, 255]).max() <= 1


def test_orbit_zoom_and_reset_by_hand(rest):
    page, before = rest
    page.evaluate("if (!window.hasControls) { renderer.attachControls(); hasControls = true; }")
    page.mouse.move(120, 120)
    page.mouse.down()
    page.mouse.move(220, 120)
    page.mouse.up()
    turned = shown(page)
    assert changed(before, turned).mean() > 0.1
    page.mouse.move(200, 150)                                           # no button is held
    assert np.array_equal(shown(page), turned)
    page.mouse.wheel(0, -200)
    page.wait_for_function("renderer.closeness > 1.2")
    page.mouse.dblclick(120, 120)
    assert np.array_equal(shown(page), before)
    page.evaluate("renderer.zoom(1e9)")
    assert page.evaluate("renderer.closeness") == 3
    page.evaluate("renderer.orbit(0, 1e9)")
    assert page.evaluate("renderer.pitch") < 1.5


def test_a_lost_context_comes_back(rest):
    page, before = rest
    page.evaluate("""() => new Promise(done => {
      const loser = renderer.gl.getExtension('WEBGL_lose_context');
      renderer.canvas.addEventListener('webglcontextlost', () => {
        renderer.draw();                // nothing happens, nothing is thrown
        setTimeout(() => loser.restoreContext(), 0);
      }, {once: true});
      renderer.canvas.addEventListener('webglcontextrestored', () => done(), {once: true});
      loser.loseContext();
    })""")
    assert np.array_equal(shown(page), before)


def test_without_webgl_2_an_error_of_one_line(viewer):
    told = viewer.evaluate("""() => {
      const canvas = document.createElement('canvas');
      canvas.getContext = () => null;
      try {
        return new FaceRenderer(canvas) && 'nothing';
      } catch (error) {
        return error.message;
      }
    }""")
    assert "WebGL2" in told and "\n" not in told


def test_a_renderer_is_disposed_of(viewer):
    viewer.evaluate("""() => {
      const canvas = document.createElement('canvas');
      document.body.append(canvas);
      const other = new FaceRenderer(canvas);
      other.attachControls();
      other.draw();                     // no model yet: the background alone
      other.dispose();
      other.draw();
      canvas.dispatchEvent(new PointerEvent('pointermove', {pointerId: 1}));
      canvas.remove();
    }""")


def face_of_others(names, **material):
    """A textured square face on a stand, its lower half on a target."""
    writer = GlbWriter()
    writer.document["scenes"] = [{"nodes": [0, 1]}]
    writer.document["nodes"] = [{"mesh": 0, "scale": [100] * 3}, {"mesh": 1, "scale": [100] * 3}]
    picture = cv2.imencode(".png", np.full((2, 2, 3), [30, 220, 30], np.uint8))[1].tobytes()
    corners = np.array([[-1, 0, 0], [1, 0, 0], [1, 2, 0], [-1, 2, 0]])
    writer.mesh({"attributes": {"POSITION": writer.add(corners, "f4"), "TEXCOORD_0": writer.add(
        corners[:, :2], "f4")}, "indices": writer.add([0, 1, 2, 0, 2, 3], "u1"), "material": 0,
        "targets": [{"POSITION": writer.add([[0, -1, 0]] * 2 + [[0, 0.2, 0]] * 2, "f4")}]
        * len(names)}, extras={"targetNames": names})
    writer.mesh({"attributes": {"POSITION": writer.add(corners - [0, 2, 0.5], "f4")},
                 "indices": writer.add([0, 1, 2, 0, 2, 3], "u1")})
    writer.document.update(
        images=[{"bufferView": writer.view(picture), "mimeType": "image/png"}],
        textures=[{"source": 0}], materials=[dict(
            {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}, **material)])
    return as_text(writer.content())


@pytest.mark.parametrize("name, material", [
    ("JAWOPEN", {}), ("jaw_open", {"doubleSided": True}), ("x.jawOpen", {"alphaMode": "BLEND"}),
    ("JawOpen", {"alphaMode": "MASK"}), ("jawOpen", {"extensions": {"KHR_materials_unlit": {}}}),
    ("jawopen", {"name": "Eye_L"}), ("jaw open", {"name": "hair"}), ("jawOPEN", {"name": "shirt"})])
def test_an_avatar_of_other_names_moves_and_has_its_texture(viewer, name, material):
    viewer.evaluate("text => show(text)", face_of_others([name, "sparkle"], **material))
    before = shown(viewer)
    middle = before[HEIGHT // 2, WIDTH // 2]
    assert middle[1] > 2 * middle[0] and middle[1] > 2 * middle[2]      # green, of any light
    viewer.evaluate("renderer.setWeights(['jawOpen'], [1])")
    assert changed(before, shown(viewer)).mean() > 0.01


def test_sizes_follow_the_window(rest):
    page, before = rest
    page.set_viewport_size({"width": 120, "height": 240})
    narrow = page.evaluate("renderer.drawFrame(true), [renderer.canvas.width, "
                           "renderer.canvas.height]")
    assert narrow[1] == 2 * narrow[0]
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    assert np.array_equal(shown(page), before)
