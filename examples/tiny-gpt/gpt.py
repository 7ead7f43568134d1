"""A GPT of under a million parameters: pre-norm blocks, rotary positions, causal attention, tied embeddings."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The shape of the network."""

    vocabulary: int = 1024
    context: int = 128  # tokens
    width: int = 128
    layers: int = 3
    heads: int = 4


class GPT(nn.Module):
    """Token ids in, logits of the next token out."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width)
        turns = rotary_turns(config.context, config.width // config.heads)
        self.register_buffer("turns", turns, persistent=False)
        nn.init.normal_(self.token.weight, std=0.1)

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, time) to (batch, time, vocabulary)."""
        x = self.token(ids)
        for block in self.blocks:
            x = block(x, self.turns[:, : ids.shape[1]])
        return F.linear(self.norm(x), self.token.weight)

    @torch.inference_mode()
    def next_token(
        self, ids: list[int], *, temperature: float, penalties: Tensor, chance: torch.Generator
    ) -> int:
        """One token after `ids`, of which the last `context` are looked at; `penalties` come off its logits."""
        logits = self(torch.tensor([ids[-self.config.context :]]))[0, -1] - penalties
        if temperature <= 0:
            return int(logits.argmax())
        shares = torch.softmax(logits / temperature, dim=-1)
        return int(torch.multinomial(shares, 1, generator=chance))


class Block(nn.Module):
    """Attention, then a two-layer perceptron, each added to the residual stream."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm_attention = nn.RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.join = nn.Linear(width, width, bias=False)
        self.norm_mlp = nn.RMSNorm(width)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)
        for wide in (self.qkv, self.up):
            nn.init.normal_(wide.weight, std=0.6 * width**-0.5)
        for back in (self.join, self.down):
            nn.init.normal_(back.weight, std=0.02 * (2 * config.layers) ** -0.5)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """(batch, time, width) to the same."""
        batch, time, width = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(
            rotate(q, turns), rotate(k, turns), v, is_causal=True
        )
        x = x + self.join(mixed.transpose(1, 2).reshape(batch, time, width))
        return x + self.down(F.gelu(self.up(self.norm_mlp(x))))


def rotary_turns(context: int, head_width: int) -> Tensor:
    """Cosine and sine of each position's angles, (2, context, head_width / 2); RoFormer, arXiv:2104.09864."""
    speeds = 10_000.0 ** (-torch.arange(0, head_width, 2) / head_width)
    angles = torch.outer(torch.arange(context), speeds)
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turn the pairs of (…, time, head_width) by their positions' angles."""
    cosine, sine = turns
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cosine - right * sine, left * sine + right * cosine), dim=-1)
