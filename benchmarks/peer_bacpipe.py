"""bacpipe's own pipeline with its probing task; runs in an environment with bacpipe, alone.

The working directory holds bacpipe_model_checkpoints/ and gets bacpipe_results/.
"""

import argparse
import json
from pathlib import Path

import bacpipe

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--clips", required=True, help="folder of audio with annotations.csv")
options = parser.parse_args()

bacpipe.play(
    models=["beats"],
    audio_dir=options.clips,
    evaluation_task=["probing"],
    only_embed_annotations=True,  # a clip is what was annotated, not a window of a grid
    min_label_occurrences=10,  # 50 would leave out classes that the other ways have
    dim_reduction_model="None",
    dashboard=False,
)
(results,) = Path("bacpipe_results").rglob("probe_results_linear.json")
score = json.loads(results.read_text())["overall"]["macro_accuracy"]
print(json.dumps({"layers": 1, "last": score}))
