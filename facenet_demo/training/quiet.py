"""Libraries are silenced where they say nothing to the user of this program."""

from __future__ import annotations

import logging
import warnings


def quieten_libraries() -> None:
    """Silence them, for the whole process."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",  # crops are read from a mapped file: workers cost more
        ".*is smaller than the logging interval.*",  # nothing is logged by step
        ".*LeafSpec.*",  # Lightning 2.6 on torch 2.15, harmless
        ".*have no `val_dataloader`.*",  # --data.split.val 0
        ".*Checkpoint directory .* exists.*",  # --resume
        ".*your dataloader is not resumable.*",  # it is: see EpochBatches
        ".*callbacks used to create the checkpoint.*",  # --resume without patience
        ".* is (an )?experimental .*",  # Optuna's heartbeats; set here, for all threads
        "Encountered `nan`.*",  # a trial's reason says so
        ".*monitor='val/loss'.. could not find the monitored key.*",  # the last epoch is kept
    ):
        warnings.filterwarnings("ignore", message)
