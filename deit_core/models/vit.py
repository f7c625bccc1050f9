"""Vision Transformer, and DeiT with its distillation token, under the names timm and the original DeiT use.

Knows tensors only: nothing of data sets, losses or files. A timm or Facebook DeiT state dict loads unchanged.

    B batch, N tokens = prefix + patches, H heads, L layers (blocks), D embed_dim, C channels

The sequence is [class, distillation, registers, patches]. Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), Touvron
et al. 2021 (arXiv:2012.12877), LayerScale Touvron et al. 2021 (arXiv:2103.17239), registers Darcet et al. 2023
(arXiv:2309.16588), mean of the patches He et al. 2022 (arXiv:2111.06377); departs from all in the initialisation, which
scales with the width.
"""

from collections.abc import Collection, Iterator
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from deit_core.errors import DeitError
from deit_core.models.block import Block, LayerScale
from deit_core.models.dropout import Dropout

Size = int | tuple[int, int]
Output = Tensor | tuple[Tensor, Tensor]
Pool = Literal["class", "mean", "both"]
Positions = Literal["learned", "none"]


class PatchEmbed(nn.Module):
    """(B, C, height, width) -> (B, patches, D): one linear map of each patch, row by row."""

    def __init__(self, patch_size: tuple[int, int], in_chans: int, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_chans, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = rearrange(self.proj(x), "B D gh gw -> B (gh gw) D")
        return patches


class VisionTransformer(nn.Module):
    """ViT; with `distilled` a DeiT, with a distillation token and a second head.

    In training a distilled model returns (class_logits, distillation_logits); in eval their mean, a plain tensor.

    Args:
        img_size: height and width in pixels, or one number for both; a multiple of `patch_size`.
        drop_rate: dropout on positions, attention output and MLP.
        attn_drop_rate: dropout on the attention weights.
        drop_path_rate: stochastic depth of the last block; it grows linearly from 0 at the first.
        layer_norm_eps: added to the variances that norms divide by; Hugging Face has 1e-12.
        num_classes: 0 for a backbone, which has no head.
        layer_scale: what each channel of a residual branch is multiplied by at first; None for nothing. DeiT III and
            DINOv2 have it.
        num_registers: tokens between the class token and the patches that no head reads.
        prefix_positions: whether the tokens before the patches have positions too; DeiT III has those of patches alone.
        positions: "none" for tokens without positions: such a model treats the patches as a set, in any order.
        skip_connections: whether a block adds to its input, as in every published model. Without, it replaces it.
        pool: what the class head reads: the class token; the mean of the patches, which then goes through the norm, as
            in MAE; or both side by side, as in DINOv2.
    Attributes:
        num_prefix_tokens: tokens before the first patch: the class token, that of distillation, and the registers.
        grid_size: patches down and across, (gh, gw).
    """

    def __init__(
        self,
        img_size: Size = 224,
        patch_size: Size = 16,
        in_chans: int = 3,
        num_classes: int = 1000,
        embed_dim: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        mlp_ratio: float = 4.0,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        distilled: bool = False,
        *,
        attn_drop_rate: float = 0.0,
        qkv_bias: bool = True,
        layer_norm_eps: float = 1e-6,
        layer_scale: float | None = None,
        num_registers: int = 0,
        prefix_positions: bool = True,
        positions: Positions = "learned",
        skip_connections: bool = True,
        pool: Pool = "class",
    ) -> None:
        super().__init__()
        image, patch = _pair(img_size), _pair(patch_size)
        if image[0] % patch[0] or image[1] % patch[1]:
            raise ValueError(f"Patches of {patch} px do not divide images of {image} px; choose sizes that do.")
        if embed_dim % num_heads:
            raise ValueError(
                f"embed_dim {embed_dim} is not a multiple of num_heads {num_heads}; choose another number."
            )
        if distilled and pool != "class":
            raise ValueError(
                f"The class head of a distilled model reads the class token; choose pool class, not {pool}."
            )
        self.img_size, self.patch_size = image, patch
        self.in_chans, self.num_classes, self.embed_dim = in_chans, num_classes, embed_dim
        self.depth, self.num_heads, self.distilled = depth, num_heads, distilled
        self.layer_norm_eps, self.layer_scale, self.num_registers = layer_norm_eps, layer_scale, num_registers
        self.prefix_positions, self.positions, self.pool = prefix_positions, positions, pool
        self.skip_connections = skip_connections
        self.num_prefix_tokens = (2 if distilled else 1) + num_registers
        self.grid_size = (image[0] // patch[0], image[1] // patch[1])
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        num_positions = self.num_patches + (self.num_prefix_tokens if prefix_positions else 0)

        self.patch_embed = PatchEmbed(patch, in_chans, embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, embed_dim)) if distilled else None
        self.reg_token = nn.Parameter(torch.zeros(1, num_registers, embed_dim)) if num_registers else None
        learned = positions == "learned"
        self.pos_embed = nn.Parameter(torch.zeros(1, num_positions, embed_dim)) if learned else None
        self.pos_drop = Dropout(drop_rate)
        drop_paths = torch.linspace(0, drop_path_rate, depth).tolist()
        self.blocks = nn.ModuleList(
            Block(
                embed_dim,
                num_heads,
                mlp_ratio,
                qkv_bias,
                drop_rate,
                attn_drop_rate,
                rate,
                layer_norm_eps,
                layer_scale,
                skip_connections,
            )
            for rate in drop_paths
        )
        norm, nothing = nn.LayerNorm(embed_dim, eps=layer_norm_eps), nn.Identity()
        self.norm: nn.Module = nothing if pool == "mean" else norm
        self.fc_norm: nn.Module = norm if pool == "mean" else nothing
        self.head = nn.Linear(2 * embed_dim if pool == "both" else embed_dim, num_classes) if num_classes else None
        self.head_dist = nn.Linear(embed_dim, num_classes) if distilled and num_classes else None
        self.init_weights()

    def init_weights(self) -> None:
        """Xavier for every linear map, so that the variance follows the width; tokens and positions start small.

        Queries, keys and values are three square maps in one matrix and are initialised as three.
        """
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                for part in module.weight.chunk(3) if name.endswith("attn.qkv") else [module.weight]:
                    nn.init.xavier_uniform_(part)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, LayerScale):
                nn.init.constant_(module.gamma, module.initial)
        nn.init.xavier_uniform_(self.patch_embed.proj.weight.flatten(1))
        assert self.patch_embed.proj.bias is not None
        nn.init.zeros_(self.patch_embed.proj.bias)
        for token in (self.cls_token, self.dist_token, self.pos_embed, self.reg_token):
            if token is not None:
                nn.init.trunc_normal_(token, std=0.02)

    @property
    def is_published_kind(self) -> bool:
        """Whether other programs have this kind of ViT: theirs always have skip connections and positions."""
        return self.skip_connections and self.pos_embed is not None

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters, besides biases and norms, that get no weight decay."""
        return {"cls_token", "dist_token", "reg_token", "pos_embed"}

    def forward_features(
        self, x: Tensor, return_attention: bool | Collection[int] = False, keep: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """(B, C, height, width) -> the tokens that heads read (B, N, D), and (B, H, N, N) of each requested layer.

        keep: (B, K) indices of the patches that stay, 0 <= K; the others are removed after their positions are added,
            so N = prefix + K. A patch is then really absent, not grey (Jain et al. 2022, arXiv:2204.08945).
        """
        x = self._embed(x)
        if keep is not None:
            always, patches = x.tensor_split([self.num_prefix_tokens], dim=1)
            x = torch.cat([always, patches.take_along_dim(keep.unsqueeze(-1), dim=1)], dim=1)
        attention = []
        layers = self._layer_indices(return_attention)
        for index, block in enumerate(self.blocks):
            x, weights = block(x, index in layers)
            if weights is not None:
                attention.append(weights)
        return self.norm(x), attention

    def forward_depth(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, height, width) -> the tokens that heads read (B, N, D), and the prefix tokens at the input and after
        each block (L + 1, B, prefix, D), which are not normalised.
        """
        depth = []
        for tokens in self.tokens_by_depth(x):
            depth.append(tokens[:, : self.num_prefix_tokens].clone())  # a view would keep all tokens in memory
        return self.norm(tokens), torch.stack(depth)

    def tokens_by_depth(self, x: Tensor) -> Iterator[Tensor]:
        """(B, C, height, width) -> all tokens (B, N, D) at the input and then after each block, not normalised."""
        x = self._embed(x)
        yield x
        for block in self.blocks:
            x, _ = block(x, False)
            yield x

    def _embed(self, x: Tensor) -> Tensor:
        """(B, C, height, width) -> tokens with their positions (B, N, D)."""
        x = self.patch_embed(x)
        tokens = (self.cls_token, self.dist_token, self.reg_token)
        prefix = [token.expand(x.shape[0], -1, -1) for token in tokens if token is not None]
        if self.pos_embed is None:
            x = torch.cat([*prefix, x], dim=1)
        elif self.prefix_positions:
            x = torch.cat([*prefix, x], dim=1) + self.pos_embed
        else:
            x = torch.cat([*prefix, x + self.pos_embed], dim=1)
        embedded: Tensor = self.pos_drop(x)
        return embedded

    def _layer_indices(self, return_attention: bool | Collection[int]) -> Collection[int]:
        if isinstance(return_attention, bool):
            return range(self.depth) if return_attention else ()
        if not return_attention or min(return_attention) < 0 or max(return_attention) >= self.depth:
            raise ValueError(
                f"return_attention must name some of the {self.depth} layers 0 to {self.depth - 1}, not "
                f"{list(return_attention)}; True asks for all."
            )
        return return_attention

    def forward_embeddings(self, tokens: Tensor) -> dict[str, Tensor]:
        """What each head reads of the tokens (B, N, D), by its name: "class", and "distillation" when distilled."""
        if self.distilled:
            return {"class": tokens[:, 0], "distillation": tokens[:, 1]}
        if self.pool == "class":
            return {"class": tokens[:, 0]}
        patches = tokens[:, self.num_prefix_tokens :]
        mean = patches.sum(1) / max(1, patches.shape[1])  # 0 where all patches were removed
        return {"class": self.fc_norm(mean) if self.pool == "mean" else torch.cat([tokens[:, 0], mean], dim=-1)}

    def forward_heads(self, tokens: Tensor) -> dict[str, Tensor]:
        """Logits (B, classes) of each output head by name; of none without classes."""
        heads = {"class": self.head, "distillation": self.head_dist}
        read = self.forward_embeddings(tokens)
        return {name: head(read[name]) for name, head in heads.items() if head is not None}

    def shares_read(self) -> dict[str, Tensor]:
        """How much of each token each head reads, (N,) that sum to 1, on the CPU: where its explanation begins."""
        patches = torch.zeros(self.num_prefix_tokens + self.num_patches)
        patches[self.num_prefix_tokens :] = 1 / self.num_patches
        token = torch.eye(2, len(patches))
        if self.distilled:
            return {"class": token[0], "distillation": token[1]}
        return {"class": {"class": token[0], "mean": patches, "both": (token[0] + patches) / 2}[self.pool]}

    def forward(self, x: Tensor, return_attention: bool | Collection[int] = False) -> Output | tuple[Output, Tensor]:
        """Class logits of images.

        Args:
            x: (B, C, height, width), normalised as in training.
            return_attention: True, or the indices of layers, to get their weights as well; the first layer comes first.
        Returns:
            Logits (B, classes), or in training of a distilled model a pair of them; with `return_attention` a pair of
            that and the attention (L, B, H, N, N), after the softmax and before dropout, in the autograd graph.
        Raises: ValueError if `return_attention` names no layer, or one that does not exist; DeitError for a backbone.
        """
        tokens, attention = self.forward_features(x, return_attention)
        heads = self.forward_heads(tokens)
        output: Output
        if self.distilled and self.training:
            output = (heads["class"], heads["distillation"])
        else:
            output = mean_of_heads(heads)
        return (output, torch.stack(attention)) if return_attention is not False else output


def mean_of_heads(heads: dict[str, Tensor]) -> Tensor:
    """A model's logits in eval mode, (B, classes), from the logits of its output heads.

    Raises: DeitError for a backbone, which has no head.
    """
    if not heads:
        raise DeitError(
            "The model is a backbone without a head, so it predicts nothing; its attention can be shown (rollout, "
            "class_attention), or start a run from it, which trains a head."
        )
    return torch.stack(list(heads.values())).mean(0)


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
