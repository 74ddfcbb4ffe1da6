"""BEATs: constants of facts.py and load.py."""

from pathlib import Path

# The model whose architecture is used where none is named.
ARCHITECTURE_OF = "esp_aves2_sl_beats_all"
# The small BEATs of this repository (train_small.py): `weights: bundled`.
BUNDLED = Path(__file__).with_name("beats_small.safetensors")
