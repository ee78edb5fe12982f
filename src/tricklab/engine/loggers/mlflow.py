"""MLflow."""

from __future__ import annotations

from typing import Any

from tricklab.engine.loggers.base import LightningRows
from tricklab.registry import component


@component("logger", source="lightning.pytorch.loggers.MLFlowLogger")
class MLflow(LightningRows):
    """MLflow, on a tracking server or in a local folder.

    Args:
        tracking_uri: the server, or ``file:/…``; null: ``mlruns/`` in the run's folder.
        experiment: MLflow's experiment.
    """

    package = "mlflow"
    extra = "mlflow"

    def __init__(self, tracking_uri: str | None = None, experiment: str = "tricklab") -> None:
        super().__init__()
        self.tracking_uri, self.experiment = tracking_uri, experiment

    def make(self, name: str, folder: str) -> Any:
        """Lightning's MLFlowLogger."""
        from lightning.pytorch.loggers import MLFlowLogger

        uri = self.tracking_uri or f"file:{folder}/mlruns"
        return MLFlowLogger(experiment_name=self.experiment, run_name=name, tracking_uri=uri)
