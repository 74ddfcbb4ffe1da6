"""Columns of the tables that probes write; workflow/schemas/tables.yaml says what each one is."""

from __future__ import annotations

import pyarrow as pa

SCORES = pa.schema(
    [
        ("readout", pa.string()),
        ("probe", pa.string()),
        ("control", pa.string()),
        ("regime", pa.string()),
        ("repeat", pa.int32()),
        ("fold", pa.int32()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("n_test", pa.int32()),
        ("c", pa.float64()),
        ("at_edge", pa.bool_()),
        ("converged", pa.bool_()),
        ("inner_log_loss", pa.float64()),
        ("chosen", pa.bool_()),
    ]
)
PREDICTIONS = pa.schema(
    [
        ("readout", pa.string()),
        ("probe", pa.string()),
        ("control", pa.string()),
        ("regime", pa.string()),
        ("repeat", pa.int32()),
        ("fold", pa.int32()),
        ("clip_id", pa.string()),
        ("group", pa.string()),
        ("target", pa.string()),
        ("predicted", pa.string()),
        ("log_probability", pa.float64()),
    ]
)
WEIGHTS = pa.schema(
    [
        ("regime", pa.string()),
        ("repeat", pa.int32()),
        ("fold", pa.int32()),
        ("readout", pa.string()),
        ("weight", pa.float64()),
    ]
)
