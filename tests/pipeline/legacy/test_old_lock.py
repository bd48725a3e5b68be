"""Entries of version 0.1's dvc.lock keep the numbers that their outputs were made with."""

from pipeline.legacy.old_lock import NewStage, carry_entries


def make_stage(kind):
    params = {"params.yaml": ("prepare",), "versions.json": (kind,)}
    return NewStage(f"{kind}@mood", f"run {kind}", (), (kind,), params)


def test_features_are_of_the_rules_that_their_texts_were_made_with():
    """Version 0.1 read these in `prepare` alone; params.yaml may say others since."""
    entries = {
        f"{kind}@mood": {"cmd": "old", "outs": [{"path": kind, "md5": "0"}], "params": {"params.yaml": params}}
        for kind, params in (("prepare", {"prepare": {"split": [6, 2, 2]}}), ("embed", {"embed": {"dimensions": 8}}))
    }
    now = {"prepare": {"invisible": "drop", "split": [6, 2, 2]}}
    carried = carry_entries(entries, [make_stage("prepare"), make_stage("embed")], now, {})
    for kind in ("prepare", "embed"):
        assert carried[f"{kind}@mood"]["params"]["params.yaml"] == {"prepare": {"balance": True, "split": [6, 2, 2]}}
