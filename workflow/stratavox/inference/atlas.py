"""The acoustic atlas: variance of each descriptor that each readout explains on held-out groups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox.inference.estimates import depth
from stratavox.inference.groups import Interval, interval
from stratavox.inference.measures import Explained
from stratavox.inference.study import Study

ATLAS = pa.schema(
    [
        ("encoder", pa.string()),
        ("target", pa.string()),
        ("readout", pa.string()),
        ("depth", pa.float64()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("interval", pa.string()),
        ("n_clips", pa.int32()),
        ("n_groups", pa.int32()),
    ]
)
# (encoder, target, readout)
Place = tuple[str, str, str]


def explained(study: Study, tables: dict[str, pd.DataFrame]) -> dict[Place, Explained]:
    """The squared errors of ``tables`` (encoder to its atlas), by group in the study's order.

    Random draws of an encoder are also taken together: their errors are averaged.
    """
    found: dict[Place, Explained] = {}
    for encoder, table in tables.items():
        for (target, readout), part in table.groupby(["target", "readout"], sort=False):
            by_group = part.groupby(part["group"].fillna(""))[["sse", "sst"]].sum()
            by_group = by_group.reindex(study.group_names or [""], fill_value=0.0)
            found[encoder, target, readout] = Explained(
                by_group["sse"].to_numpy(), by_group["sst"].to_numpy()
            )
    for encoder in study.encoders:
        if len(encoder.members) > 1:
            for name, target, readout in list(found):
                if name == encoder.members[0]:
                    drawn = [found[member, target, readout] for member in encoder.members]
                    error = np.mean([one.error for one in drawn], axis=0)
                    found[encoder.name, target, readout] = Explained(error, drawn[0].spread)
    return found


def estimates(
    study: Study, found: dict[Place, Explained], tables: dict[str, pd.DataFrame]
) -> pa.Table:
    """Variance explained with bounds (schema `ATLAS`)."""
    return pa.Table.from_pylist(list(_rows(study, found, tables)), schema=ATLAS)


def _rows(
    study: Study, found: dict[Place, Explained], tables: dict[str, pd.DataFrame]
) -> Iterator[dict]:
    for encoder in study.encoders:
        if encoder.members[0] not in tables:
            continue
        counted = tables[encoder.members[0]].groupby(["target", "readout"])["n_clips"].sum()
        for (name, target, readout), measure in found.items():
            if name != encoder.name:
                continue
            told = Interval(float(measure(np.ones((1, len(measure.error))))[0]), None, None, "none")
            if study.groups is not None:
                told = interval(measure, study.groups)
            yield {
                "encoder": name,
                "target": target,
                "readout": readout,
                "depth": depth(encoder, readout),
                "value": told.value,
                "low": told.low,
                "high": told.high,
                "interval": told.kind,
                "n_clips": int(counted[target, readout]),
                "n_groups": int(np.sum(measure.spread > 0)) if study.groups is not None else None,
            }
