"""The kinds of face files, as --labels calls them. Plain strings: cheap to import."""
import collections

LIVE_LINK, AUDIO2FACE, BEAT, TABLE, NPZ, ROKOKO, VMD, VRMA, GLTF = (
    "live_link", "audio2face", "beat", "mediapipe_csv", "npz", "rokoko", "vmd", "vrma", "gltf")

# What each is, for help texts.
FACE_FILE_KINDS = collections.OrderedDict([
    (LIVE_LINK, "CSV of the Live Link Face app, and of programs that write its form"),
    (AUDIO2FACE, "Audio2Face's JSON (facsNames, weightMat) or its animation_frames.csv"),
    (BEAT, "JSON of BEAT or LAM (names, frames of weights)"),
    (TABLE, "CSV with a column of times and ARKit's names, as MediaPipe's users write them"),
    (NPZ, ".npz of run_voca.py (weights, names, fps)"),
    (ROKOKO, "Rokoko Studio Live JSON v3, as run_voca.py writes it"),
    (VMD, "MikuMikuDance's motion with the ARKit shapes as morphs, as Perfect Sync models have"),
    (VRMA, "VRM animation whose expressions bear ARKit's names, as Perfect Sync models have"),
    (GLTF, "binary glTF with an animation of morph targets that bear ARKit's names"),
])
FACE_FILE_EXTENSIONS = (".csv", ".json", ".npz", ".vmd", ".vrma", ".glb")

# Whose left and right a Live Link Face CSV's MouthLeft/Right and JawLeft/Right are.
BY_NAME, BY_APP = LIVE_LINK_SIDES = ("names", "app")
