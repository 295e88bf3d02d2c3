"""Make the embedded training set, or the larger corpus behind the default checkpoint.

    python -m training_data.make_embedded_set
        writes training_data/1.mp4 ... 11.mp4 with 1.csv ... 11.csv: eleven synthetic voices, the
        drawn face that speaks, and its blendshapes as Live Link Face CSV. These files are part
        of the repository; subject 11 is the validation subject.
    python -m training_data.make_embedded_set --minutes 90 --out_path training/synthetic_corpus
        writes that much speech as NAME.wav + NAME.csv instead, without pictures.

Speech comes from Debian's espeak-ng, flite and festival voices (utils/speech/synthesis.py names
the packages), faces from phone times (utils/speech/coarticulation.py).
"""
import argparse
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import run_script
from utils.preview.video import write_preview
from utils.speech.synthetic_subjects import (face_of_passage, speak_passage, write_corpus,
                                             write_subject)

# voice, speed, pitch, sentences: in each set lips shut, open, round and meet the teeth.
SUBJECTS = (
    ("flite:slt", 1.00, 1.00, (
        "Bob and Pam bought a big map of Alabama.",
        "She wore five velvet shoes on a windy morning.",
        "Father thought the weather would improve.",
        "You chose a very good moment to leave.")),
    ("flite:rms", 1.05, 1.00, (
        "My brother keeps bees behind the old farm house.",
        "Why would a fox swim over the wide river?",
        "Push the red button, then pull the lever.",
        "Three thin sheep jumped through the open gate.")),
    ("flite:kal16", 1.00, 1.05, (
        "Please move the blue table away from the door.",
        "The chef often shows us how to make soup.",
        "Maybe Vivian will phone before breakfast.",
        "All summer we walked along the quiet shore.")),
    ("festival:slt-hts", 1.00, 1.00, (
        "Many people like warm apple pie with cream.",
        "Joe saw few wolves in the woods of Wyoming.",
        "The voice of the judge was calm and even.",
        "Put both of your thumbs on top of the box.")),
    ("festival:ked", 1.00, 1.00, (
        "A pale moon rose above the empty beach.",
        "We used a spoon to measure the brown sugar.",
        "Have you ever fished for perch at the pond?",
        "That thick book about birds belongs to Martha.")),
    ("espeak:en-us+f3", 0.95, 1.05, (
        "Bring me the map and the old brass compass.",
        "The few who knew the truth would not say a word.",
        "Perhaps the boys may visit us above the shop.",
        "Wash the wool in cool water and hang it up.")),
    ("espeak:en-us+m3", 0.95, 1.00, (
        "Above the valley a farmer built a stone bridge.",
        "Both mothers believe that the plum jam is better.",
        "You should choose the yellow chair by the window.",
        "Rough seas kept our ship far from the harbour.")),
    ("espeak:en-gb-x-rp", 0.95, 1.00, (
        "Our team won the cup for the fourth time in May.",
        "Few visitors ever find the path to the pool.",
        "He poured some milk and took a bite of bread.",
        "Those who wish to go may leave from the back.")),
    ("espeak:en-us+f2", 1.00, 1.00, (
        "Pamela hopes to become a famous piano player.",
        "Two white geese flew over the frozen marsh.",
        "Should we buy a cheap broom or a better vacuum?",
        "The thief was caught with a bag of silver forks.")),
    ("flite:kal", 0.95, 0.97, (
        "Robin put the wet umbrella beside the fireplace.",
        "A small bomb of paint made everybody jump.",
        "What would you do with a million pounds?",
        "She showed us five ways of folding a paper boat.")),
    ("flite:awb", 1.00, 1.00, (
        "Move the boat up the beach before the storm.",
        "Whose shoes are these, and who will wear them?",
        "My father planted five apple trees for his family.",
        "Both of us thought about the same problem.")),
)
PAUSES_S = (0.5, 0.8, 0.4)
VIDEO_SIZE = 256


def make_embedded_set(folder):
    """Write N.mp4 and N.csv for each of SUBJECTS; returns the bytes written."""
    total_bytes = 0
    for number, (voice, speed, pitch, sentences) in enumerate(SUBJECTS, start=1):
        samples, phones = speak_passage(sentences, voice, speed, pitch, PAUSES_S)
        weights = face_of_passage(samples, phones, seed=number)
        stem = os.path.join(folder, str(number))
        write_subject(folder, str(number), samples, weights)
        write_preview(stem + ".mp4", weights, MODEL_CHANNELS, ANIMATION_FPS,
                      audio_path=stem + ".wav", size=VIDEO_SIZE)
        os.remove(stem + ".wav")
        total_bytes += sum(os.path.getsize(stem + end) for end in (".mp4", ".csv"))
        print("%s.mp4: %.1f s of %s, %d frames" % (stem, len(samples) / float(SAMPLE_RATE_HZ),
                                                   voice, len(weights)))
    return total_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, help="write a corpus of this length instead")
    parser.add_argument("--out_path", default=FOLDER, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="of the corpus")
    args = parser.parse_args()
    if args.minutes is None:
        total_bytes = make_embedded_set(args.out_path)
        print("wrote %d subjects to %s, %.1f MB" % (len(SUBJECTS), args.out_path,
                                                    total_bytes / 1e6))
    else:
        training, validation = write_corpus(args.out_path, args.minutes, seed=args.seed)
        print("%s holds %d subjects to train on and %d to validate"
              % (args.out_path, len(training), len(validation)))


if __name__ == "__main__":
    run_script(main)
