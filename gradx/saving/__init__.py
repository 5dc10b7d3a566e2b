"""Trees of arrays in files: safetensors, never pickle, written whole or not at all.

layout.py   the bytes: a header that says what lies where, then the arrays
reading.py  strict: every damaged file raises CheckpointError
writing.py  a sibling file that takes the place of the old one when it is on disk
trees.py    save and load: leaves by their paths
state_dict.py, layouts.py   the same with PyTorch's names and its order of axes
"""

from gradx.saving.state_dict import load_state_dict as load_state_dict
from gradx.saving.state_dict import save_state_dict as save_state_dict
from gradx.saving.trees import load as load
from gradx.saving.trees import save as save
