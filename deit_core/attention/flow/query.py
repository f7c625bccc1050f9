"""Say which tokens an explanation starts from, as weights over the sequence.

The sequence is [class, distillation or registers, patches]. Knows nothing of attention or of models.

Shapes: B batch, N tokens = P prefix + patches.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from deit_core.errors import DeitError

Query = str | int | Tensor

QUERIES = ("head", "class", "distillation")


def query_weights(query: Query, *, num_prefix_tokens: int, like: Tensor) -> Tensor:
    """Turn a query into weights over tokens.

    Args:
        query: "head": the mean of the tokens that the classifier reads. That is the class token; with P = 2 the class
            and the distillation token, whose heads are averaged at inference; with P = 0 all patches (mean pooling).
            With P > 2 the other prefix tokens count as registers, which no head reads, and "head" is the class token
            alone. A model may read others: see `read_by`.
            "class": token 0. "distillation": token 1, if P >= 2.
            A token's index in [0, N); patch k is P + k.
            Weights (N,) or (B, N), taken as they are: signed ones ask for a difference of tokens.
        num_prefix_tokens: P.
        like: (B, N) tensor whose shape, dtype and device the weights take.
    Returns: (B, N); sums to 1 unless weights were given that do not.
    Raises: ValueError for a token that does not exist, an unknown name, or weights of another shape or not finite.
    """
    batch, tokens = like.shape
    if isinstance(query, str | int):
        picked = _named_tokens(query, num_prefix_tokens, tokens) if isinstance(query, str) else [query]
        if not 0 <= picked[0] < tokens:
            raise DeitError(f"There is no token {query} to query; choose one from 0 to {tokens - 1}.")
        weights = torch.zeros_like(like)
        weights[:, picked] = 1 / len(picked)
        return weights
    weights = torch.as_tensor(query, dtype=like.dtype, device=like.device)
    if weights.shape not in ((tokens,), (batch, tokens)) or not weights.isfinite().all():
        raise DeitError(
            f"query as weights must be finite and of shape ({tokens},) or ({batch}, {tokens}), one weight per token; "
            f"this one has shape {tuple(weights.shape)}."
        )
    return weights.expand(batch, tokens)


def read_by(query: Query, shares: Mapping[str, Tensor]) -> Query:
    """A query by the name of a head, as weights, where a model says which tokens its heads read.

    Args: shares: by head, (N,) weights of the tokens that it reads.
    Raises: DeitError for a distillation token that the model does not have.
    """
    if not isinstance(query, str):
        return query
    if query == "head":
        return torch.stack(list(shares.values())).mean(0)
    if query == "distillation" and query not in shares:
        raise DeitError('The model has no distillation token; use query="class", or load a distilled model.')
    return shares.get(query, query)


def _named_tokens(query: str, num_prefix_tokens: int, tokens: int) -> list[int]:
    match query:
        case "head" if num_prefix_tokens == 0:
            return list(range(tokens))
        case "head" if num_prefix_tokens == 2:
            return [0, 1]
        case "head":
            return [0]
        case "class" if num_prefix_tokens >= 1:
            return [0]
        case "class":
            raise DeitError('A model without prefix tokens has no class token; use query="head" or a patch\'s index.')
        case "distillation" if num_prefix_tokens >= 2:
            return [1]
        case "distillation":
            raise DeitError(
                f"A model with num_prefix_tokens={num_prefix_tokens} has no distillation token; "
                'use query="class", or load a distilled model.'
            )
        case _:
            raise DeitError(f"There is no query {query!r}; choose {', '.join(QUERIES)}, a token's index, or weights.")
