"""Corpora of many speakers as their archives unpack, aligned by processes, some speakers apart."""
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers.paths import REPOSITORY
from utils.acoustic_training import aligned_corpus, speech_corpora
from utils.common.constants import SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.common.worker_processes import Event
from utils.media.audio import write_wav
from utils.speech.aligned import aligned_recordings

TABLE_HEADER = ("utterance,speaker,file,start_s,end_s,transcript,corpus,expert_accuracy,age")


def write(path, text):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with open(str(path), "w", encoding="utf-8") as stream:
        stream.write(text)


def librispeech_folder(root):
    for reader in range(100, 130):
        folder = root / "train-clean-100" / str(reader) / "7"
        write(folder / ("%d-7.trans.txt" % reader),
              "%d-7-0000 IT'S A TEST\n%d-7-0001 NOT THERE\n" % (reader, reader))
        write(folder / ("%d-7-0000.flac" % reader), "")
    return str(root)


def common_voice_folder(root):
    rows = ["client_id\tpath\tsentence\tup_votes"]
    for person in range(20):
        rows.append("%032d\tcommon_voice_en_%d.mp3\t\"He said: \u201cIt\u2019s caf\u00e9\u201d\t2"
                    % (person, person))
        write(root / "clips" / ("common_voice_en_%d.mp3" % person), "")
    rows.append("%032d\tcommon_voice_en_900.mp3\tIn 1984\t2" % 3)
    rows.append("%032d\tcommon_voice_en_901.mp3\tNo sound\t2" % 3)
    write(root / "clips" / "common_voice_en_900.mp3", "")
    write(root / "validated.tsv", "\n".join(rows) + "\n")
    return str(root)


def vctk_folder(root, newer=True):
    for person in ("p225", "p226"):
        write(root / "txt" / person / (person + "_001.txt"), "Please call Stella.\n")
        write(root / "txt" / person / (person + "_002.txt"), "Not recorded.\n")
        write(root / ("wav48_silence_trimmed/%s/%s_001_mic1.flac" if newer
                      else "wav48/%s/%s_001.wav") .replace("%s", person), "")
    return str(root)


def table_folder(root, rows):
    write(root / "utterances.csv", "\n".join([TABLE_HEADER] + rows) + "\n")
    return str(root)


def test_librispeech_is_read_as_it_unpacks(tmp_path):
    spoken = speech_corpora.librispeech(librispeech_folder(tmp_path))
    assert len(spoken) == 30                        # without those whose sound is missing
    assert spoken[0][:2] == ("ls-100-7-0000", "ls-100") and spoken[0].text == "it's a test"
    assert spoken[0].path.endswith(os.path.join("100", "7", "100-7-0000.flac"))
    assert sum(one.held_out for one in spoken) == 3
    part = speech_corpora.librispeech(str(tmp_path / "train-clean-100"))
    assert [one.name for one in part] == [one.name for one in spoken]


def test_common_voice_is_read_as_it_unpacks(tmp_path):
    spoken = speech_corpora.common_voice(common_voice_folder(tmp_path))
    assert len(spoken) == 20                        # without the number, and what has no sound
    assert {one.text for one in spoken} == {"he said it's cafe"}
    assert len({one.speaker for one in spoken}) == 1, "the first 12 digits are equal here"
    assert spoken[7].name == "cv-000000000000-7"


@pytest.mark.parametrize("newer", [True, False])
def test_vctk_is_read_as_it_unpacks(tmp_path, newer):
    spoken = speech_corpora.vctk(vctk_folder(tmp_path, newer))
    assert [(one.name, one.speaker, one.text) for one in spoken] == [
        ("vctk-p225-001", "vctk-p225", "please call stella"),
        ("vctk-p226-001", "vctk-p226", "please call stella")]
    assert sum(one.held_out for one in spoken) == 1


def test_a_table_of_speakers_holds_out_adults_and_drops_what_is_not_the_prompt(tmp_path):
    rows = ["so762-%d1,so762-%d,audio/%d.opus,1.5,2.5,ONE,speechocean762,%s,%d"
            % (i, i, i, "4.8" if i == 40 else "5.0", 12 if i % 2 else 30) for i in range(10, 60)]
    rows.append("cv-7,cv-a,audio/a.opus,0,1,TWO,Common Voice en 6.1,,twenties")
    spoken = speech_corpora.table_of_speakers(table_folder(tmp_path, rows))
    assert len(spoken) == 50 and "so762-40" not in {one.speaker for one in spoken}
    assert spoken[1] == ("so762-10-101", "so762-10", str(tmp_path / "audio" / "10.opus"), 1.5, 2.5,
                         "one", spoken[1].held_out)
    held_out = {one.speaker for one in spoken if one.held_out}
    assert len(held_out) == 2 and all(int(name[-2:]) % 2 == 0 for name in held_out)
    rows.append("x-7,x,audio/a.opus,0,1,TWO,Other,,")
    with pytest.raises(UserError, match="corpus 'Other' is none of Common Voice, LibriSpeech"):
        speech_corpora.table_of_speakers(table_folder(tmp_path, rows))


def test_the_same_speakers_are_always_held_out():
    speakers = ["speaker%d" % number for number in range(200)]
    held_out = speech_corpora.held_out_speakers(speakers, 10)
    assert len(held_out) == 10
    assert speech_corpora.held_out_speakers(speakers[::-1] * 2, 10) == held_out
    assert len(speech_corpora.held_out_speakers(speakers[:30], 10)) == 3
    assert len(speech_corpora.held_out_speakers(speakers[:2], 10)) == 1
    assert speech_corpora.held_out_speakers(speakers[:1], 10) == set()


@pytest.mark.parametrize("sentence, words", [
    ("Don't \u2018stop\u2019 \u2014 na\u00efve!", "don't stop naive"), ("Room 101", ""),
    ("\u041f\u0440\u0438\u0432\u0435\u0442", ""), ("ROCK 'N' ROLL", "rock n roll")])
def test_plain_words(sentence, words):
    assert speech_corpora.plain_words(sentence) == words


@pytest.mark.parametrize("reader", ["librispeech", "common_voice", "vctk", "table_of_speakers"])
def test_a_folder_of_something_else_is_refused(tmp_path, reader):
    with pytest.raises(UserError, match="holds n"):
        getattr(speech_corpora, reader)(str(tmp_path))


def test_a_table_without_a_column_is_refused(tmp_path):
    write(tmp_path / "validated.tsv", "client_id\tpath\n")
    with pytest.raises(UserError, match="validated.tsv has no column sentence"):
        speech_corpora.common_voice(str(tmp_path))


class FakeAligner(object):
    """Knows no word with an x."""

    def aligned(self, samples, text, language):
        end_s = len(samples) / float(SAMPLE_RATE_HZ)
        return None if "x" in text else ([(text, 0.0, end_s)], [("AA", 0.0, end_s)], 0.0)


def test_an_aligned_corpus_keeps_held_out_speakers_apart(tmp_path, monkeypatch):
    path, out = str(tmp_path / "in.wav"), str(tmp_path / "out")
    write_wav(path, np.float32(0.1 * np.sin(np.arange(3 * SAMPLE_RATE_HZ))))
    spoken = [speech_corpora.Spoken("a-%d" % number, "a", path, number, number + 1.0, text, held)
              for number, (text, held) in enumerate(
                  [("one", False), ("x two", True), ("three", True)])]
    monkeypatch.setattr(aligned_corpus, "_ALIGNERS", [FakeAligner()])
    monkeypatch.setattr(aligned_corpus, "run_tasks", lambda function, tasks, _: (
        Event(number, "done", function(None, *task))
        for number, task in enumerate(tasks)))
    aligned_corpus.align_corpus(spoken, out)
    assert [os.path.basename(name) for name in aligned_recordings(out)] == ["a-0.wav"]
    assert sorted(os.listdir(os.path.join(out, "held_out"))) == [
        "a-1.txt", "a-1.wav", "a-2.csv", "a-2.txt", "a-2.wav"]
    with open(os.path.join(out, "held_out", "a-1.txt")) as stream:
        assert stream.read() == "x two\n"
    assert os.path.getsize(os.path.join(out, "a-0.wav")) == 44 + 2 * SAMPLE_RATE_HZ
    assert aligned_corpus._align_file(None, spoken[:1], out)[0] == 1        # it stands there


def test_align_speech_takes_one_source(tmp_path):
    refused = subprocess.run(
        [sys.executable, "-m", "ds_graph.align_speech", "--out", str(tmp_path / "out"), "--vctk",
         "a", "--librispeech", "b"], cwd=REPOSITORY, stderr=subprocess.PIPE)
    assert refused.returncode == 2 and b"not allowed with" in refused.stderr
