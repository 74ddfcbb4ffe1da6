"""Columns of the tables that several probes write."""

from stratavox.columns import schema

SCORES = schema("scores/{encoder}/{dataset}/{task}.parquet")
PREDICTIONS = schema("predictions/{encoder}/{dataset}/{task}.parquet")
LAYER_WEIGHTS = schema("layer_weights/{encoder}/{dataset}/{task}.parquet")
