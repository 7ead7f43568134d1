"""A GPT of about a million parameters: pre-norm blocks, causal attention, tied embeddings."""

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
    layers: int = 4
    heads: int = 4


class Block(nn.Module):
    """Attention, then a two-layer perceptron, each added to the residual stream."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm_attention = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.join = nn.Linear(config.width, config.width, bias=False)
        self.norm_mlp = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, 4 * config.width, bias=False)
        self.down = nn.Linear(4 * config.width, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) to the same."""
        batch, time, width = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.join(mixed.transpose(1, 2).reshape(batch, time, width))
        return x + self.down(F.gelu(self.up(self.norm_mlp(x))))


class GPT(nn.Module):
    """Token ids in, logits of the next token out."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocabulary, config.width)
        self.position = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.apply(_initialise)
        for block in self.blocks:
            nn.init.normal_(block.join.weight, std=0.02 / (2 * config.layers) ** 0.5)
            nn.init.normal_(block.down.weight, std=0.02 / (2 * config.layers) ** 0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, time) to (batch, time, vocabulary)."""
        x = self.token(ids) + self.position(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.token.weight)

    @torch.inference_mode()
    def next_token(
        self, ids: list[int], *, temperature: float, top_p: float, generator: torch.Generator
    ) -> int:
        """One token after `ids`, of which the last `context` are looked at."""
        window = torch.tensor([ids[-self.config.context :]])
        logits = self(window)[0, -1]
        if temperature <= 0:
            return int(logits.argmax())
        shares, order = torch.softmax(logits / temperature, dim=-1).sort(descending=True)
        shares[shares.cumsum(0) - shares > top_p] = 0  # the most likely one always stays
        return int(order[torch.multinomial(shares, 1, generator=generator)])


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
