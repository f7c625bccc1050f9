"""One block of a transformer: attention between tokens, then an MLP on each. Knows neither images nor classes.

B batch, N tokens, H heads, D width, d = D / H
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from deit_core.models.dropout import Dropout

_FEW_TOKENS = 256  # up to which the attention weights are a small part of what a backward pass keeps


class Attention(nn.Module):
    """Multi-head self-attention; returns its weights (B, H, N, N) only on request, else runs fused."""

    def __init__(self, dim: int, num_heads: int, qkv_bias: bool, attn_drop: float, proj_drop: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.attn_drop = Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = Dropout(proj_drop)

    def forward(self, x: Tensor, return_attention: bool = False) -> tuple[Tensor, Tensor | None]:
        q, k, v = rearrange(self.qkv(x), "B N (qkv H d) -> qkv B H N d", qkv=3, H=self.num_heads)
        weights = None
        if return_attention or self._is_faster_written_out(x):
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)  # B H N N
            # In place where no gradient needs the scores: of large batches, fresh memory costs more than the softmax.
            weights = torch.softmax(scores, dim=-1, out=None if torch.is_grad_enabled() else scores)
            x = self.attn_drop(weights) @ v
        else:
            x = F.scaled_dot_product_attention(q, k, v, dropout_p=self.attn_drop.p if self.training else 0.0)
        x = rearrange(x, "B H N d -> B N (H d)")
        return self.proj_drop(self.proj(x)), weights if return_attention else None

    def _is_faster_written_out(self, x: Tensor) -> bool:
        """A CPU's fused attention knows no dropout, and its backward pass only saves memory, not time."""
        return self.training and x.device.type == "cpu" and (self.attn_drop.p > 0 or x.shape[1] <= _FEW_TOKENS)


class Mlp(nn.Module):
    def __init__(self, dim: int, hidden_dim: int, drop: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop = Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.drop(self.act(self.fc1(x)))
        out: Tensor = self.drop(self.fc2(hidden))
        return out


class DropPath(nn.Module):
    """Stochastic depth: leaves a residual branch out for some images and scales the others up to match."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if self.rate == 0.0 or not self.training:
            return x
        keep = 1.0 - self.rate
        return x * x.new_empty((x.shape[0], 1, 1)).bernoulli_(keep).div_(keep)


class LayerScale(nn.Module):
    """Multiplies each channel of a residual branch by a number that is learned, at first by `initial`."""

    def __init__(self, dim: int, initial: float) -> None:
        super().__init__()
        self.initial = initial
        self.gamma = nn.Parameter(torch.full((dim,), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    """A pre-norm transformer block: (B, N, D) -> (B, N, D), and its attention weights on request."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        qkv_bias: bool,
        drop: float,
        attn_drop: float,
        drop_path: float,
        layer_norm_eps: float,
        layer_scale: float | None = None,
        skip_connections: bool = True,
    ) -> None:
        super().__init__()
        self.skip_connections = skip_connections
        self.norm1 = nn.LayerNorm(dim, eps=layer_norm_eps)
        self.attn = Attention(dim, num_heads, qkv_bias, attn_drop, drop)
        self.norm2 = nn.LayerNorm(dim, eps=layer_norm_eps)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), drop)
        self.drop_path = DropPath(drop_path)
        self.ls1, self.ls2 = (nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale) for _ in range(2))

    def forward(self, x: Tensor, return_attention: bool = False) -> tuple[Tensor, Tensor | None]:
        update, weights = self.attn(self.norm1(x), return_attention)
        x = self._after(x, self.ls1(update))
        x = self._after(x, self.ls2(self.mlp(self.norm2(x))))
        return x, weights

    def _after(self, x: Tensor, update: Tensor) -> Tensor:
        after: Tensor = x + self.drop_path(update) if self.skip_connections else update
        return after
