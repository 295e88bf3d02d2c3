"""Give real speech its word and phone times, so that graph and default checkpoint learn from it.

    pip install pocketsphinx                                    (5.0, Python 3.8 and later)
    apt-get install --no-install-recommends espeak-ng asterisk-core-sounds-en \\
        asterisk-core-sounds-en-g722 pocketsphinx-testdata ktuberling-data qabcs-data kajongg \\
        tuxpaint-stamps-default
    python -m ds_graph.align_speech --out training/aligned_speech

    apt-get install --no-install-recommends espeak-ng tuxpaint-stamps-default klettres-data \\
        kajongg gcin-voice fillets-ng-data fillets-ng-data-cs festival \\
        festvox-czech-dita festvox-czech-krb festvox-czech-machac festvox-czech-ph \\
        festvox-suopuhe-mv festvox-suopuhe-lj festvox-italp16k festvox-itapc16k festvox-ru \\
        festvox-ca-ona-hts \\
        asterisk-core-sounds-es asterisk-core-sounds-es-g722 asterisk-core-sounds-fr \\
        asterisk-core-sounds-fr-g722 asterisk-core-sounds-it asterisk-core-sounds-it-g722 \\
        asterisk-core-sounds-ru asterisk-core-sounds-ru-g722 asterisk-prompt-it-menardi-wav
    python -m ds_graph.align_speech --out training/aligned_languages --source languages

    python -m ds_graph.align_speech --out training/aligned_grid --source REALDATA/grid_s1_clips

    python -m ds_graph.align_speech --out training/aligned_librispeech --librispeech LibriSpeech
    python -m ds_graph.align_speech --out training/aligned_common_voice --common_voice cv-corpus/en
    python -m ds_graph.align_speech --out training/aligned_vctk --vctk VCTK-Corpus-0.92
    python -m ds_graph.align_speech --out training/aligned_many --speakers REALDATA/speech_many

Corpora of many speakers, as published: utils/acoustic_training/speech_corpora.py says which folders
they have. Speakers whom training must not hear go to OUT/held_out, with NAME.txt, what they say.

What else is spoken comes from utils/acoustic_training/recorded_speech.py: English; or many
languages, whose words are written as their phones (/B_AO_N/, utils/acoustic_training/pronunciation.py), for
the graph spells English alone; or GRID's clips, laid out as tests/measure/real_clips.py says.

Writes OUT/NAME.wav (16 kHz) and OUT/NAME.csv (columns type, start_s, end_s, label, which
utils/formats/timings.py reads). What cannot be aligned, or fits badly, is left out and counted.
Times are those of the aligner, to 10 ms.
"""
import argparse

from utils.acoustic_training.aligner import Aligner, write_aligned
from utils.acoustic_training.recorded_speech import (english_recordings, grid_recordings,
                                                     language_recordings)
from utils.acoustic_training.aligned_corpus import align_corpus
from utils.acoustic_training.speech_corpora import (common_voice, librispeech, table_of_speakers,
                                                    vctk)
from utils.common.errors import run_script
from utils.common.files import make_folder



def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FOLDER")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--source", default="english", metavar="english|languages|GRID_FOLDER",
                      help="what to align (%(default)s)")
    what.add_argument("--librispeech", metavar="FOLDER", help="LibriSpeech or a part of it")
    what.add_argument("--common_voice", metavar="FOLDER", help="one language of Common Voice: "
                      "validated.tsv and clips/")
    what.add_argument("--vctk", metavar="FOLDER", help="VCTK 0.92 or 0.80")
    what.add_argument("--speakers", metavar="FOLDER", help="utterances.csv and its sound files")
    parser.add_argument("--processes", type=int, default=1, help="of these corpora (%(default)s)")
    args = parser.parse_args()
    make_folder(args.out)
    for folder, reader in ((args.librispeech, librispeech), (args.common_voice, common_voice),
                           (args.vctk, vctk), (args.speakers, table_of_speakers)):
        if folder is not None:
            align_corpus(reader(folder), args.out, args.processes)
            return
    aligner = Aligner()
    recordings = {"english": english_recordings, "languages": language_recordings}.get(
        args.source, lambda: grid_recordings(args.source))()
    seconds = [write_aligned(recording, aligner, args.out) for recording in recordings]
    print("%d of %d recordings aligned, %.1f minutes; in %s" % (
        sum(length > 0 for length in seconds), len(seconds), sum(seconds) / 60.0, args.out))


if __name__ == "__main__":
    run_script(main)
