"""What tests of torch tensors compare: one tensor, or a list of them."""

import torch


def tensors(value):
    return [value] if isinstance(value, torch.Tensor) else list(value)


def close(one, other, rtol=2e-6):
    one, other = tensors(one), tensors(other)
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert (a - b).abs().max() <= rtol * b.abs().max()
