"""utils/media/video.py: every frame with its own time, and the files that are no video."""
import os
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest

from tests.helpers.paths import REPOSITORY
from utils.common.errors import UserError
from utils.media.video import video_frames


def ffmpeg(*arguments):
    subprocess.check_call([imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
                          + [str(argument) for argument in arguments])


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


@pytest.mark.parametrize("name", ["v.mkv", "v.mov", "v.webm", "v.avi"])
def test_containers(tmp_path, name):
    path = make_video(tmp_path / name)
    times = [time_s for time_s, _ in video_frames(path)]
    assert len(times) == 20 and abs(times[-1] - times[0] - 1.9) < 0.002


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


def test_leaving_early_ends_ffmpeg(tmp_path):
    frames = video_frames(make_video(tmp_path / "a.mp4", "-c:v", "libx264"))
    next(frames)
    frames.close()
    with pytest.raises(StopIteration):
        next(frames)


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


def test_song_cover_is_no_video(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32:d=0.1:r=10", "-frames:v", "1",
           tmp_path / "cover.png")
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", "-i", tmp_path / "cover.png", "-map", "0", "-map",
           "1", "-disposition:v:0", "attached_pic", "-c:v", "mjpeg", tmp_path / "song.mp3")
    with pytest.raises(UserError) as caught:
        list(video_frames(tmp_path / "song.mp3"))
    assert "no video stream" in str(caught.value)
