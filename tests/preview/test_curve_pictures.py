"""The pictures of curves: they exist, show what they are given, and cope with any length."""
import cv2
import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS, UNREAL_CHANNELS
from utils.preview import curve_pictures
from utils.preview.curve_pictures import curves_image, extremes, write_curves_png


def speaking(num_frames):
    phase = np.linspace(0, 20, num_frames)[:, None] + np.arange(52)
    return 0.5 + 0.5 * np.sin(phase)


def read_picture(path):
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def test_a_clip_is_drawn_with_its_loudness(tmp_path):
    plain, loud = tmp_path / "plain.png", tmp_path / "loud.png"
    write_curves_png(str(plain), speaking(90), MODEL_CHANNELS, 30)
    write_curves_png(str(loud), speaking(90), MODEL_CHANNELS, 30,
                     audio_envelope=np.abs(np.sin(np.arange(700))) * 0.01)
    picture = read_picture(plain)
    assert picture.shape[0] > 800 and picture.shape[1] > 1000
    assert (picture.min(axis=2) < 200).mean() > 0.01            # something is on it
    behind = np.abs(read_picture(loud).astype(int) - picture).max(axis=2)
    assert (behind > 10).sum() > 1000
    assert (behind[picture.shape[0] // 4:] > 10).sum() == 0     # behind the first panel alone


# Of the picture's height: 0.03 and 0.065 are its margins, 0.42 of a panel lies between two.
PANELS_TOP, PANEL_HEIGHT = 0.03, (1 - 0.03 - 0.065) / (7 + 6 * 0.42)
PANEL_PITCH = 1.42 * PANEL_HEIGHT
# The channels of each panel, from top to bottom.
DRAWN = (("jawOpen", "mouthClose"), ("mouthFunnel", "mouthPucker"),
         ("mouthStretchLeft", "mouthStretchRight", "mouthSmileLeft", "mouthSmileRight"),
         ("mouthPressLeft", "mouthPressRight", "mouthRollLower", "mouthRollUpper"),
         ("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight"),
         ("eyeBlinkLeft", "eyeBlinkRight"), ("browInnerUp", "browDownLeft", "browDownRight"))


def test_each_channel_is_drawn_in_its_panel(tmp_path):
    """A picture for the first channel of every panel, one for the second, and so on."""
    def picture_of(moving):
        weights = np.full((90, 52), 0.2)
        weights[:, [MODEL_CHANNELS.index(name) for name in moving]] += 0.5 * speaking(90)[:, :1]
        write_curves_png(str(tmp_path / "c.png"), weights, MODEL_CHANNELS, 30)
        return read_picture(tmp_path / "c.png").astype(int)

    still = picture_of(())
    for number in range(max(map(len, DRAWN))):
        moving = [names[number:number + 1] for names in DRAWN]
        changed = np.abs(picture_of(sum(moving, ())) - still).max(axis=2) > 60
        for row, names in enumerate(moving):
            top = int(len(changed) * (PANELS_TOP + row * PANEL_PITCH))
            inside = changed[top:top + int(len(changed) * PANEL_HEIGHT)]
            assert (inside.sum() > 300) == bool(names), (names, inside.sum())


@pytest.mark.parametrize("num_frames", [1, 2])
def test_the_shortest_clips(tmp_path, num_frames):
    path = tmp_path / "short.png"
    write_curves_png(str(path), speaking(num_frames), MODEL_CHANNELS, 30, np.ones(3))
    blank = tmp_path / "zero.png"
    write_curves_png(str(blank), np.zeros((num_frames, 52)), MODEL_CHANNELS, 30, np.ones(3))
    assert (read_picture(path) != read_picture(blank)).any()


def test_an_hour_keeps_its_one_spike(tmp_path):
    weights = np.zeros((3600 * 30, 52))
    quiet, spiked = tmp_path / "quiet.png", tmp_path / "spiked.png"
    write_curves_png(str(quiet), weights, MODEL_CHANNELS, 30)
    weights[50001, MODEL_CHANNELS.index("jawOpen")] = 1
    write_curves_png(str(spiked), weights, MODEL_CHANNELS, 30)
    changed = (read_picture(quiet) != read_picture(spiked)).any(axis=2)
    assert changed.sum() > 30
    times_s, lowest, highest = extremes(weights[:, MODEL_CHANNELS.index("jawOpen")], 30)
    assert len(times_s) <= curve_pictures.MAX_POINTS and highest.max() == 1 and lowest.max() == 0
    assert abs(times_s[highest.argmax()] - 50001 / 30.0) < 3600.0 / curve_pictures.MAX_POINTS


def test_extremes_by_hand():
    times_s, lowest, highest = extremes(np.array([3.0, 1.0, 2.0]), 10)
    assert np.allclose(times_s, [0, 0.1, 0.2])
    assert np.array_equal(lowest, [3, 1, 2]) and np.array_equal(highest, [3, 1, 2])


def test_names_carry_the_order():
    weights, target = speaking(40), speaking(40)[::-1]
    order = [MODEL_CHANNELS.index(name) for name in UNREAL_CHANNELS]
    picture = curves_image(weights, target, MODEL_CHANNELS, 30)
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    assert np.array_equal(picture, curves_image(weights[:, order], target[:, order],
                                                UNREAL_CHANNELS, 30))
    assert not np.array_equal(picture, curves_image(weights[:, order], target[:, order],
                                                    MODEL_CHANNELS, 30))


def test_predicted_is_told_from_true():
    weights, zeros = speaking(40), np.zeros((40, 52))
    one, other = (curves_image(*pair, names=MODEL_CHANNELS, fps=30)
                  for pair in ((weights, zeros), (zeros, weights)))
    assert not np.array_equal(one, other)
    assert (one[..., 0].astype(int) - one[..., 2] > 60).sum() > 500     # RGB: orange predictions


def test_wrong_input_is_named(tmp_path):
    path = str(tmp_path / "c.png")
    with pytest.raises(ValueError, match="one frame"):
        write_curves_png(path, np.zeros((0, 52)), MODEL_CHANNELS, 30)
    with pytest.raises(ValueError, match="jawOpen"):
        write_curves_png(path, np.zeros((4, 2)), ("eyeBlinkLeft", "eyeBlinkRight"), 30)
    with pytest.raises(ValueError, match="differ"):
        curves_image(np.zeros((4, 52)), np.zeros((5, 52)), MODEL_CHANNELS, 30)
    assert not list(tmp_path.iterdir())
