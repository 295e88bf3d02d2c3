"""utils/media/video.py: every frame with its own time, and the files that are no video."""
import os
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest

from tests.helpers.media import ffmpeg, ffmpeg_children
from tests.helpers.paths import REPOSITORY
from utils.common.constants import SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.media.audio import read_audio, write_wav
from utils.media.video import VIDEO_EXTENSIONS, still, video_frames


# What an encoder of its own default lacks, or a format that takes certain sizes and rates only.
CONTAINER_OPTIONS = {".3gp": ["-c:v", "mpeg4"], ".3g2": ["-c:v", "mpeg4"],
                     ".ogv": ["-c:v", "libtheora"], ".mts": ["-c:v", "libx264"],
                     ".m2ts": ["-c:v", "libx264"]}
SOUND_OPTIONS = {".flv": ["-ar", "44100"], ".3gp": ["-c:a", "aac"]}


def make_video(path, *options):
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=64x48:r=10", *(list(options) + [path]))
    return path


def test_frames_and_times(tmp_path):
    path = make_video(tmp_path / "a.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    times, frames = zip(*video_frames(path))
    np.testing.assert_allclose(times, np.arange(20) / 10.0, atol=1e-6)
    assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in frames)


def test_colours_are_rgb(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x16:d=0.2:r=10", "-c:v", "libx264",
           tmp_path / "red.mp4")
    _, frame = next(video_frames(tmp_path / "red.mp4"))
    red, green, blue = frame.reshape(-1, 3).mean(axis=0)
    assert red > 230 and green < 25 and blue < 25


@pytest.mark.parametrize("extension", VIDEO_EXTENSIONS)
def test_containers(tmp_path, extension):
    options = CONTAINER_OPTIONS.get(extension, [])
    path = tmp_path / ("v" + extension)
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=176x144:r=25", *(options + [path]))
    times = [time_s for time_s, _ in video_frames(path)]
    assert len(times) == 50 and abs(times[-1] - times[0] - 1.96) < 0.002


@pytest.mark.parametrize("extension", [".mp4", ".mts", ".mpg", ".wmv", ".flv", ".3gp"])
def test_sound_and_picture_of_a_container_stand_on_one_clock(tmp_path, extension):
    """A flash and a click at 1 s, in streams that themselves begin at 0 s and 0.5 s."""
    write_wav(tmp_path / "click.wav", np.concatenate([np.zeros(8000), np.full(800, 0.5),
                                                      np.zeros(7200)]))
    options = CONTAINER_OPTIONS.get(extension, []) + SOUND_OPTIONS.get(extension, [])
    path = tmp_path / ("v" + extension)
    ffmpeg("-f", "lavfi", "-i", "color=black:d=2:s=176x144:r=25", "-itsoffset", "0.5", "-i",
           tmp_path / "click.wav", "-vf", "drawbox=t=fill:c=white:enable='gte(t,0.999)'",
           *(options + [path]))
    flash_s = next(time_s for time_s, frame in video_frames(path) if frame.mean() > 128)
    click_s = np.argmax(np.abs(read_audio(path)) > 0.1) / float(SAMPLE_RATE_HZ)
    assert abs(flash_s - click_s) < 0.05, (flash_s, click_s)


@pytest.mark.parametrize("aspect, shape", [
    ("16/11", (48, 93, 3)), ("3/4", (64, 64, 3)), ("1/1", (48, 64, 3)), ("1/90", (48, 64, 3))])
def test_pixels_are_made_square(tmp_path, aspect, shape):
    path = make_video(tmp_path / "v.mp4", "-vf", "setsar=" + aspect, "-c:v", "libx264")
    frames = [frame for _, frame in video_frames(path)]
    assert len(frames) == 20 and {frame.shape for frame in frames} == {shape}
    assert still(path, 1.0).shape == shape


def test_the_pixel_aspect_that_the_container_says_goes_first(tmp_path):
    make_video(tmp_path / "v.mp4", "-vf", "setsar=16/11", "-c:v", "libx264")
    ffmpeg("-i", tmp_path / "v.mp4", "-c", "copy", "-aspect", "4:3", tmp_path / "v.mkv")
    assert next(video_frames(tmp_path / "v.mkv"))[1].shape == (48, 64, 3)


def test_a_still_is_the_frame_of_its_time(tmp_path):
    path = make_video(tmp_path / "a.mp4", "-c:v", "libx264", "-qp", "0", "-g", "4")
    frames = dict((round(time_s, 3), frame) for time_s, frame in video_frames(path))
    for time_s in (0.0, 0.5, 1.9):
        np.testing.assert_array_equal(still(path, time_s), frames[time_s])
    assert still(path, 30.0) is None and still(tmp_path / "absent.mp4", 0.0) is None


def test_variable_frame_rate_keeps_each_time(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=64x48:r=10", "-vf", "select='mod(n,4)'",
           *(frame_rate_kept() + ["-c:v", "libx264", tmp_path / "vfr.mkv"]))
    times = [time_s for time_s, _ in video_frames(tmp_path / "vfr.mkv")]
    kept = [n / 10.0 for n in range(20) if n % 4]
    np.testing.assert_allclose(np.array(times) - times[0], np.array(kept) - kept[0], atol=0.002)


def frame_rate_kept():
    version = imageio_ffmpeg.get_ffmpeg_version().split(".")[0]
    return ["-vsync", "vfr"] if version.isdigit() and int(version) < 6 else ["-fps_mode", "vfr"]


def test_late_picture_keeps_its_place_beside_the_sound(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=d=2", "-itsoffset", "0.5", "-f", "lavfi",
           "-i", "testsrc=d=1:s=64x48:r=10", "-map", "0:a", "-map", "1:v", tmp_path / "late.mkv")
    time_s, _ = next(video_frames(tmp_path / "late.mkv"))
    assert abs(time_s - 0.5) < 0.03


def test_phone_rotation_is_obeyed(tmp_path):
    make_video(tmp_path / "a.mp4", "-c:v", "libx264")
    source = ["-display_rotation", "90", "-i", tmp_path / "a.mp4"]
    try:
        ffmpeg(*(source + ["-c", "copy", tmp_path / "turned.mp4"]))
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg cannot write the rotation tag")
    assert next(video_frames(tmp_path / "turned.mp4"))[1].shape == (64, 48, 3)


def test_one_frame(tmp_path):
    path = make_video(tmp_path / "one.mp4", "-frames:v", "1", "-c:v", "libx264")
    (time_s, frame), = video_frames(path)
    assert time_s == 0.0 and frame.shape == (48, 64, 3)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="counts processes through /proc")
def test_leaving_early_ends_ffmpeg(tmp_path):
    # More than a pipe holds, so that ffmpeg cannot have ended by itself.
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=640x480:r=25", "-c:v", "libx264", "-preset",
           "ultrafast", tmp_path / "a.mp4")
    frames = video_frames(tmp_path / "a.mp4")
    next(frames)
    assert ffmpeg_children(), "the decoder should be running here"
    frames.close()
    assert not ffmpeg_children()


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="counts processes through /proc")
def test_finished_reading_leaves_no_process(tmp_path):
    path = make_video(tmp_path / "a.mp4", "-c:v", "libx264")
    assert len(list(video_frames(path))) == 20 and still(path, 0.5) is not None
    assert not ffmpeg_children()


def test_a_process_may_end_in_the_middle(tmp_path):
    path = make_video(tmp_path / "a.mp4", "-c:v", "libx264")
    ended = subprocess.Popen(
        [sys.executable, "-c", "import sys; from utils.media.video import video_frames; "
         "frames = video_frames(sys.argv[1]); next(frames)", str(path)],
        cwd=REPOSITORY, stderr=subprocess.PIPE)
    assert ended.communicate(timeout=60)[1] == b"" and ended.returncode == 0


def test_what_is_no_video(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", tmp_path / "sound.wav")
    whole = make_video(tmp_path / "a.mp4", "-c:v", "libx264").read_bytes()
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "noise.mp4").write_bytes(bytes(bytearray(range(256))) * 20)
    (tmp_path / "cut.mp4").write_bytes(whole[:len(whole) // 2])     # its index is at the end
    for name, said in (("sound.wav", "no video stream"), ("empty.mp4", "empty"),
                       ("text.mp4", "text"), ("noise.mp4", "not a video"),
                       ("cut.mp4", "moov"), ("absent.mp4", "no file"), (".", "folder")):
        with pytest.raises(UserError) as caught:
            list(video_frames(tmp_path / name))
        assert said in str(caught.value) and "\n" not in str(caught.value), name


def test_cut_off_with_index_in_front_is_read_as_far_as_it_goes(tmp_path, capfd):
    path = make_video(tmp_path / "a.mp4", "-c:v", "libx264", "-g", "5", "-movflags", "faststart")
    (tmp_path / "cut.mp4").write_bytes(path.read_bytes()[:-os.path.getsize(str(path)) // 3])
    num_frames = len(list(video_frames(tmp_path / "cut.mp4")))
    assert 0 < num_frames < 20
    assert capfd.readouterr().err.startswith("warning: %s is damaged" % (tmp_path / "cut.mp4"))
    warnings = []
    assert len(list(video_frames(tmp_path / "cut.mp4", warnings.append))) == num_frames
    assert warnings[0].startswith("%s is damaged" % (tmp_path / "cut.mp4"))
    assert not capfd.readouterr().err


def test_song_cover_is_no_video(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32:d=0.1:r=10", "-frames:v", "1",
           tmp_path / "cover.png")
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", "-i", tmp_path / "cover.png", "-map", "0", "-map",
           "1", "-disposition:v:0", "attached_pic", "-c:v", "mjpeg", tmp_path / "song.mp3")
    with pytest.raises(UserError) as caught:
        list(video_frames(tmp_path / "song.mp3"))
    assert "no video stream" in str(caught.value)
