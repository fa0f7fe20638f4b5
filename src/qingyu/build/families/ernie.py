"""ERNIE in its Hugging Face form (Sun et al. 2019, arXiv:1904.09223): BERT and a task embedding."""

from __future__ import annotations

import numpy as np

from qingyu.build.families.bert import Bert
from qingyu.build.parts import Matrix, Vector


class Ernie(Bert):
    MODEL = "ernie"

    def type_table(self, width: int) -> Matrix:
        """Segments, each with the embedding of task 0, which is what inference uses."""
        kinds = super().type_table(width)
        if not self.config.flag("use_task_id", False):
            return kinds
        tasks = self.config.size("task_type_vocab_size", 3)
        name = f"{self.prefix}embeddings.task_type_embeddings.weight"
        task: Vector = self.weights.get(name, tasks, width)[0]
        return np.asarray(kinds + task, np.float32)
