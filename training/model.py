"""Plain BERT (Devlin et al. 2019) with its masked-language-model head and any number of task heads.

Parameters carry transformers' names (`bert.encoder.layer.0.attention.self.query.weight`,
`cls.predictions...`), so a checkpoint loads with `BertForMaskedLM.from_pretrained` and is what
`qingyu build` reads. Heads add `heads.<name>.pooler.*` (sequence heads only) and
`heads.<name>.classifier.*`.

Shapes: B rows, L positions, H hidden size, N attention heads, V vocabulary.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Config:
    """The fields of transformers' config.json that a BERT has."""

    vocab_size: int = 12280
    hidden_size: int = 512
    num_hidden_layers: int = 8
    num_attention_heads: int = 8
    intermediate_size: int = 2048
    hidden_act: str = "gelu"
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02

    @classmethod
    def read(cls, values: dict[str, Any]) -> Config:
        """From the content of a config.json. Raises ValueError for a model that is not a plain
        BERT.
        """
        if values.get("model_type", "bert") != "bert":
            raise ValueError(
                f"model_type is {values['model_type']!r}; the recipe trains plain BERT only"
            )
        if values.get("position_embedding_type", "absolute") != "absolute":
            raise ValueError(
                f"position_embedding_type is {values['position_embedding_type']!r}, not 'absolute'"
            )
        config = cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})
        if config.hidden_act != "gelu":
            raise ValueError(f"hidden_act is {config.hidden_act!r}; the recipe knows only 'gelu'")
        return config

    def written(self) -> dict[str, Any]:
        """The content of config.json, in the order it is written."""
        return {"architectures": ["BertForMaskedLM"], "model_type": "bert", **asdict(self)}

    def tiny(self) -> Config:
        """The same model in miniature: seconds on a CPU."""
        return replace(
            self, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
        )


@dataclass(frozen=True)
class HeadSpec:
    """A task head as heads.json describes it: its labels in order; one answer a text ("seq") or a
    token ("token").
    """

    labels: tuple[str, ...]
    level: str = "seq"


@dataclass
class Trace:
    """What distillation compares: hidden states [B, L, H] (embeddings first), and q, k, v [B, N,
    L, H/N] of a layer.
    """

    hidden: list[Tensor] = field(default_factory=list)
    qkv: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)


class Embeddings(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, ids: Tensor, pos: Tensor, types: Tensor) -> Tensor:
        words = self.word_embeddings(ids) + self.token_type_embeddings(types)
        return self.LayerNorm(words + self.position_embeddings(pos))


class SelfAttention(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.dropout = config.attention_probs_dropout_prob
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor, mask: Tensor, trace: Trace | None) -> Tensor:
        q, k, v = (
            layer(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        if trace is not None:
            trace.qkv.append((q, k, v))
        dropout = self.dropout if self.training else 0.0
        return attended(q, k, v, mask, dropout).transpose(1, 2).flatten(2)


def attended(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, dropout: float) -> Tensor:
    """softmax(q k^T / sqrt(H/N)) v, all [B, N, L, H/N]; `mask` is True where a position is seen.

    Written out where bf16 is learnt on a CPU: the way back through PyTorch's fused attention takes
    five times as long there (108 against 21 ms for 130 rows of 63 on a CPU with AMX).
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and q.requires_grad:
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        shares = torch.softmax(scores.masked_fill(~mask, -1e4), -1)
        return nnf.dropout(shares, dropout, dropout > 0) @ v
    return nnf.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)


class Output(nn.Module):
    """dense, dropout, add what came in, LayerNorm: the end of both halves of a layer."""

    def __init__(self, width: int, config: Config) -> None:
        super().__init__()
        self.dense = nn.Linear(width, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = config.hidden_dropout_prob

    def forward(self, inner: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(
            nnf.dropout(self.dense(inner), self.dropout, self.training) + residual
        )


class Attention(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.self = SelfAttention(config)
        self.output = Output(config.hidden_size, config)

    def forward(self, hidden: Tensor, mask: Tensor, trace: Trace | None) -> Tensor:
        return self.output(self.self(hidden, mask, trace), hidden)


class Intermediate(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)

    def forward(self, hidden: Tensor) -> Tensor:
        return nnf.gelu(self.dense(hidden))


class Layer(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.intermediate = Intermediate(config)
        self.output = Output(config.intermediate_size, config)

    def forward(self, hidden: Tensor, mask: Tensor, trace: Trace | None) -> Tensor:
        hidden = self.attention(hidden, mask, trace)
        return self.output(self.intermediate(hidden), hidden)


class Encoder(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))


class Bert(nn.Module):
    """The encoder. With `recompute` only what goes into each layer is kept for the way back, and
    the layer is computed again there (Chen et al. 2016, "Training Deep Nets with Sublinear Memory
    Cost"): the same losses and gradients for less memory and about a third more time.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.recompute = False
        self.dropout = config.hidden_dropout_prob
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)

    def forward(
        self, ids: Tensor, doc: Tensor, pos: Tensor, types: Tensor, trace: Trace | None = None
    ) -> Tensor:
        """All arguments [B, L]; returns hidden states [B, L, H]. A position sees the positions
        with its own `doc`.
        """
        mask = doc[:, None, :, None] == doc[:, None, None, :]  # [B, 1, L, L]
        hidden = nnf.dropout(self.embeddings(ids, pos, types), self.dropout, self.training)
        if trace is not None:
            trace.hidden.append(hidden)
        again = self.recompute and trace is None and torch.is_grad_enabled()
        for layer in self.encoder.layer:
            if again:
                hidden = checkpoint(layer, hidden, mask, None, use_reentrant=False)
            else:
                hidden = layer(hidden, mask, trace)
            if trace is not None:
                trace.hidden.append(hidden)
        return hidden


class Transform(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.LayerNorm(nnf.gelu(self.dense(hidden)))


class Predictions(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.transform = Transform(config)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))


class MlmHead(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.predictions = Predictions(config)


class TaskHead(nn.Module):
    """classifier(tanh(pooler(h[CLS]))) for a text, classifier(h) for each token."""

    def __init__(self, config: Config, spec: HeadSpec) -> None:
        super().__init__()
        self.dropout = config.hidden_dropout_prob
        self.pooler = (
            nn.Linear(config.hidden_size, config.hidden_size) if spec.level == "seq" else None
        )
        self.classifier = nn.Linear(config.hidden_size, len(spec.labels))

    def forward(self, hidden: Tensor) -> Tensor:
        if self.pooler is not None:
            hidden = torch.tanh(self.pooler(hidden[:, 0]))
        return self.classifier(nnf.dropout(hidden, self.dropout, self.training))


class Model(nn.Module):
    """The encoder, the masked-language-model head (its decoder tied to the word embeddings), task
    heads.

    `words` is False where the checkpoint came without a masked-language-model head, as a fine-tuned
    classifier does; what stands in its place is untrained and is not written out.
    """

    def __init__(self, config: Config, heads: dict[str, HeadSpec] | None = None) -> None:
        super().__init__()
        self.config = config
        self.words = True
        self.specs: dict[str, HeadSpec] = {}
        self.bert = Bert(config)
        self.cls = MlmHead(config)
        self.heads = nn.ModuleDict()
        self.apply(self._initialise)
        for name, spec in (heads or {}).items():
            self.add_head(name, spec)

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def add_head(self, name: str, spec: HeadSpec) -> None:
        """Give the model a fresh head, replacing one of the same name."""
        head = TaskHead(self.config, spec)
        head.apply(self._initialise)
        self.heads[name] = head.to(self.cls.predictions.bias.device)
        self.specs[name] = spec

    def set_dropout(self, rate: float) -> None:
        """Train with this dropout everywhere; the written configuration keeps its own."""
        for module in self.modules():
            if hasattr(module, "dropout"):
                module.dropout = rate

    def freeze(self, layers: int) -> None:
        """Leave the embeddings and the first `layers` layers as they are: no gradients, no way
        back through them.
        """
        for part in (self.bert.embeddings, *self.bert.encoder.layer[:layers]):
            part.requires_grad_(False)

    def mlm_logits(self, hidden: Tensor) -> Tensor:
        """Hidden states [M, H] of masked positions to logits [M, V]."""
        hidden = self.cls.predictions.transform(hidden)
        return nnf.linear(
            hidden, self.bert.embeddings.word_embeddings.weight, self.cls.predictions.bias
        )

    def mlm_loss(
        self, ids: Tensor, doc: Tensor, pos: Tensor, where: Tensor, targets: Tensor
    ) -> Tensor:
        """Mean loss of packed masked rows [B, L]; `where` and `targets` as in word_loss."""
        return self.word_loss(self.bert(ids, doc, pos, torch.zeros_like(ids)), where, targets)

    def word_loss(self, hidden: Tensor, where: Tensor, targets: Tensor) -> Tensor:
        """Mean loss over the asked positions of hidden states [B, L, H].

        `where` int64 [M] indexes the flat [B*L]; targets int64 [M], -100 where nothing is asked.
        """
        logits = self.mlm_logits(hidden.flatten(0, 1)[where])
        return nnf.cross_entropy(logits.float(), targets, ignore_index=-100)

    def head_logits(self, name: str, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """Padded texts [B, L] to logits [B, labels], or [B, L, labels] for a token head. `mask` is
        1 for real tokens.
        """
        return self.heads[name](self.bert(ids, mask, positions(ids), types))


def positions(ids: Tensor) -> Tensor:
    """Positions [B, L] of rows that hold one text each."""
    return torch.arange(ids.shape[1], device=ids.device).expand_as(ids)


def parameters(model: nn.Module) -> int:
    """How many parameters the model has."""
    return sum(p.numel() for p in model.parameters())
