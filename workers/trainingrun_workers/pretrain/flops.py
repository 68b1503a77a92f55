"""How many floating-point operations a token costs, and how many a card could do."""

from dataclasses import dataclass
from typing import Any, Final, Self

# Dense bfloat16 products with sums in float32, FLOP/s, by how torch.cuda.get_device_name begins; the first that fits
# counts. Sources: NVIDIA's data sheets of each card, whose figures with sparsity are halved.
PEAKS: Final[tuple[tuple[str, float], ...]] = (
    ("NVIDIA GB200", 2.5e15),
    ("NVIDIA B200", 2.25e15),
    ("NVIDIA GH200", 989.4e12),
    ("NVIDIA H200 NVL", 835.5e12),
    ("NVIDIA H200", 989.4e12),
    ("NVIDIA H100 PCIe", 756e12),
    ("NVIDIA H100 NVL", 835.5e12),
    ("NVIDIA H100", 989.4e12),
    ("NVIDIA H800", 989.4e12),
    ("NVIDIA H20", 148e12),
    ("NVIDIA A100", 312e12),
    ("NVIDIA A800", 312e12),
    ("NVIDIA A30", 165e12),
    ("NVIDIA A40", 149.7e12),
    ("NVIDIA A10G", 70e12),
    ("NVIDIA A10", 125e12),
    ("NVIDIA L40S", 362.05e12),
    ("NVIDIA L40", 181.05e12),
    ("NVIDIA L4", 121e12),
    ("NVIDIA RTX A6000", 154.8e12),
)


def peak(device_name: str) -> float | None:
    """A card's dense bfloat16 FLOP/s by its name in torch; None of one that the table does not know."""
    return next((flops for name, flops in PEAKS if device_name.startswith(name)), None)


@dataclass(frozen=True)
class TokenCost:
    """FLOP that one token of training costs: what its products need forwards, times three for both ways back.

    Per layer and token, 2 FLOP for each weight of the projections (query, key, value, out and the gated MLP's three)
    and attention's two products with each position; at the end 2 FLOP for each weight of the head. Neither norms nor
    activations nor the embedding's look-up are counted, nor what is computed twice to save memory. This is what
    nanotron 0.4 counts (`nanotron.models.llama.get_flops`), after Narayanan et al., "Efficient Large-Scale Language
    Model Training on GPU Clusters Using Megatron-LM" (2021), and Korthikanti et al. (2022), section 6.3.
    """

    products: float  # with weights
    attention: float  # with every position of the sequence, as if none were masked

    @classmethod
    def of(cls, model: dict[str, Any], length: int) -> Self:
        """The cost in sequences of a length, by nanotron's model_config."""
        hidden, heads = model["hidden_size"], model["num_attention_heads"]
        width = hidden // heads
        key_value = (model.get("num_key_value_heads") or heads) * width
        layer = 2 * hidden * (heads * width + 2 * key_value + heads * width + 3 * model["intermediate_size"])
        layers = model["num_hidden_layers"]
        return cls(
            products=3.0 * (layers * layer + 2 * hidden * model["vocab_size"]),
            attention=3.0 * layers * 2 * 2 * heads * width * length,
        )

    @property
    def full(self) -> float:
        """nanotron's own count: each position attends to all of them."""
        return self.products + self.attention

    @property
    def causal(self) -> float:
        """With half of attention: a position attends to those before it, which is what kernels compute."""
        return self.products + self.attention / 2
