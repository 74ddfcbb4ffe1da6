"""BEATs: what its facts and its loading both need."""

from pathlib import Path

# The model whose architecture stands where none is named.
ARCHITECTURE_OF = "esp_aves2_sl_beats_all"
# The small BEATs of this repository (train_small.py): `weights: bundled`.
BUNDLED = Path(__file__).with_name("beats_small.safetensors")
