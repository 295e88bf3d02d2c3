"""The one home of the rates, sizes and tensor names that the parts agree on.

Nothing else in the project repeats one of these numbers. Sources: the DeepSpeech 0.5.0
release (util/config.py, native_client/deepspeech.cc) and the published VOCA-52 network.
"""
import os

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def repository_path(name):
    """The path of the repository's own file or folder `name`, from wherever a script is run.

    Where the user stands in the repository it is ./name, as in the published commands.
    """
    try:
        is_here = os.path.samefile(os.curdir, REPOSITORY)
    except OSError:                     # that folder is gone, as run_script will say
        is_here = False
    return "./" + name if is_here else os.path.join(REPOSITORY, *name.split("/"))


# Audio, as DeepSpeech 0.5.0 takes it.
SAMPLE_RATE_HZ = 16000
INT16_SCALE = 32768.0               # PCM in [-1, 1) is int16 / 32768
MFCC_WINDOW_SAMPLES = 512           # 32 ms
MFCC_STEP_SAMPLES = 320             # 20 ms
MFCC_COEFFICIENTS = 26
CONTEXT_FRAMES = 9                  # past, and as many to come
CONTEXT_WINDOW_FRAMES = 2 * CONTEXT_FRAMES + 1
ACOUSTIC_STEPS = 16                 # steps of one run of a released graph
ACOUSTIC_FPS = SAMPLE_RATE_HZ // MFCC_STEP_SAMPLES   # 50 steps a second

# The alphabet: space, a..z, apostrophe, then the CTC blank (last class, not in alphabet.txt).
ALPHABET = " abcdefghijklmnopqrstuvwxyz'"
NUM_LETTERS = len(ALPHABET) + 1     # 29
BLANK_INDEX = len(ALPHABET)         # 28

# Animation.
ANIMATION_FPS = 30                  # the rate the network is trained and run at
WINDOW_FRAMES = 16                  # animation frames of features that one output frame sees
WINDOW_SHAPE = (WINDOW_FRAMES, NUM_LETTERS)
WINDOW_PAST_FRAMES = 8              # window i holds frames i-8 .. i+7
WINDOW_FUTURE_FRAMES = WINDOW_FRAMES - 1 - WINDOW_PAST_FRAMES
MIN_WINDOW_FUTURE_FRAMES = -5       # below 0 it ends before its frame; the graph hears six ahead
NUM_BLENDSHAPES = 52
MIN_FPS, MAX_FPS = 24, 60           # what --fps takes
MIN_AUDIO_S = 0.1                   # a shorter clip is refused
AUDIO_BLOCK_S = 10.0                # of sound, held in memory at a time

# What comes with the repository, and is taken where nothing else is named.
DEFAULT_CHECKPOINT = repository_path("model/default.model")
DEFAULT_GRAPH = repository_path("ds_graph/deepspeech-mini/output_graph.tflite")
DEFAULT_AUDIO = repository_path("audio/test_sentence.wav")
DEFAULT_TRAINING_DATA = repository_path("training_data")
DEFAULT_EYE_SEED = 0                # of the blinks and brows that run_voca.py adds
TTA_COPIES = 3                      # VTLP copies of the voice, with test-time augmentation

# Feature profiles (see utils/deepspeech/windows.py).
PROFILE_DEEPSPEECH = "deepspeech"   # what this project trains on
PROFILE_REFERENCE = "reference"     # what the published checkpoint was trained on
FEATURE_PROFILES = (PROFILE_DEEPSPEECH, PROFILE_REFERENCE)
PROBABILITY_FLOOR = 1e-6            # below it a letter's log-probability says nothing more
REFERENCE_CHUNK_S = 0.5             # the published training's; its demo took 0.1

# Tensors of a DeepSpeech 0.5.0 graph, .pb and .tflite.
DS_INPUT_NODE = "input_node"
DS_INPUT_LENGTHS = "input_lengths"
DS_INPUT_SAMPLES = "input_samples"
DS_PROBABILITIES = "logits"         # softmax probabilities, in spite of the name
DS_INITIALIZE_STATE = "initialize_state"
DS_STATE_C = "previous_state_c"
DS_STATE_H = "previous_state_h"
DS_NEW_STATE_C = "new_state_c"
DS_NEW_STATE_H = "new_state_h"
DS_MFCCS = "mfccs"
DS_METADATA_NODE = "model_metadata"

MODEL_SCOPE = "VOCA"                # of the animation network's variables and tensors
