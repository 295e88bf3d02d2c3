"""utils/media/ffmpeg.py: what is read out of ffmpeg's reports, and what it is not asked about."""
import numpy as np
import pytest

from tests.helpers.media import ffmpeg
from utils.common.errors import UserError
from utils.media.audio import write_wav
from utils.media.ffmpeg import (check_media_file, duration_s, first_line, media_report,
                                media_timecode_s, reason)


def test_the_duration_is_the_containers(tmp_path):
    write_wav(tmp_path / "a.wav", np.zeros(24000))
    assert duration_s(media_report(str(tmp_path / "a.wav"))) == pytest.approx(1.5, abs=0.01)
    assert duration_s("  Duration: 01:02:03.45, start: 0.0") == pytest.approx(3723.45)
    assert duration_s("  Duration: N/A, bitrate: N/A") is None
    assert duration_s(media_report(str(tmp_path / "absent.wav"))) is None


def test_the_first_line_is_without_who_says_it():
    report = "\n[wav @ 0x1f2e] [error] no data\n[mp3 @ 0x3] later\n"
    assert first_line(report) == "no data"
    assert first_line(" \n") == ""


def test_the_reason_is_the_line_that_tells(tmp_path):
    (tmp_path / "a.mp4").write_bytes(bytes(bytearray(range(256))) * 8)
    path = str(tmp_path / "a.mp4")
    told = reason(media_report(path), path)
    assert "moov atom not found" in told and path not in told
    assert reason("", path) == "it says nothing"


@pytest.mark.parametrize("rate, timecode, seconds", [
    ("25", "10:00:00:12", 36000.48), ("30000/1001", "01:00:00;15", 3600.5),
    ("24", "00:00:00:00", 0.0)])
def test_the_timecode_of_a_film(tmp_path, rate, timecode, seconds):
    path = tmp_path / "a.mov"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=0.5:s=64x48:r=" + rate, "-timecode", timecode, path)
    assert media_timecode_s(path) == pytest.approx(seconds, abs=1e-6)


def test_a_film_without_a_timecode_has_none(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=0.5:s=64x48:r=25", tmp_path / "a.mov")
    assert media_timecode_s(tmp_path / "a.mov") is None
    assert media_timecode_s(tmp_path / "absent.mov") is None


def test_what_ffmpeg_is_not_asked_about(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text(u"only words\n" * 100)
    (tmp_path / "noise").write_bytes(bytes(bytearray(range(256))))
    for name, told in ((".", "is a folder; give a film"), ("absent", "there is no file"),
                       ("empty", r"is empty \(0 bytes\); give a film"),
                       ("text", "is not a film at all but text; give an mp4")):
        with pytest.raises(UserError, match=told):
            check_media_file(str(tmp_path / name), "a film", "a film at all", "an mp4")
    check_media_file(str(tmp_path / "noise"), "a film", "a film at all", "an mp4")
