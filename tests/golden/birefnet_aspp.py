"""BiRefNet's ASPPDeformable (models/modules/aspp.py), with weights from a formula, in PyTorch and torchvision.

Writes tests/golden/birefnet/aspp_deformable.safetensors: the f64 output of the block in inference, from f32 weights and input. With --time it
instead times the block in f32, taking turns with deform:

    python tests/golden/birefnet_aspp.py
    cargo build --release --example birefnet_aspp
    python tests/golden/birefnet_aspp.py --time target/release/examples/birefnet_aspp --size 32

Weights and input come from values(name, count, bound), which examples/birefnet_aspp/aspp.rs also computes, so they need not be stored.
"""

import argparse
import pathlib
import statistics
import subprocess
import time

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.ops import deform_conv2d

IN_CHANNELS, PLANES = 64, 256
KERNELS = (1, 3, 7)


def values(name, count, bound):
    """Returns `count` numbers in ±bound from a hash of the name and the index, the same on every machine."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B1 + seed) & 0xFFFFFFFF
    for _ in range(2):
        x ^= x >> np.uint64(16)
        x = (x * 0x45D9F3B) & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    return torch.from_numpy(((x.astype(np.float64) / 2147483648.0 - 1.0) * bound).astype(np.float32))


class DeformableConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, padding):
        super().__init__()
        self.padding = padding
        taps = kernel_size * kernel_size
        self.offset_conv = nn.Conv2d(in_channels, 2 * taps, kernel_size, padding=padding)
        self.modulator_conv = nn.Conv2d(in_channels, taps, kernel_size, padding=padding)
        self.regular_conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False)

    def forward(self, x):
        offset = self.offset_conv(x)
        modulator = 2.0 * torch.sigmoid(self.modulator_conv(x))
        return deform_conv2d(x, offset, self.regular_conv.weight, None, padding=self.padding, mask=modulator)


class Module(nn.Module):
    def __init__(self, kernel_size):
        super().__init__()
        self.atrous_conv = DeformableConv2d(IN_CHANNELS, PLANES, kernel_size, kernel_size // 2)
        self.bn = nn.BatchNorm2d(PLANES)

    def forward(self, x):
        return F.relu(self.bn(self.atrous_conv(x)))


class ASPPDeformable(nn.Module):
    def __init__(self):
        super().__init__()
        self.aspp1 = Module(1)
        self.aspp_deforms = nn.ModuleList(Module(kernel_size) for kernel_size in KERNELS)
        self.global_avg_pool = nn.Sequential(
            nn.AdaptiveAvgPool2d((1, 1)), nn.Conv2d(IN_CHANNELS, PLANES, 1, bias=False), nn.BatchNorm2d(PLANES), nn.ReLU()
        )
        self.conv1 = nn.Conv2d(PLANES * (2 + len(KERNELS)), IN_CHANNELS, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(IN_CHANNELS)

    def forward(self, x):
        branches = [self.aspp1(x)] + [module(x) for module in self.aspp_deforms]
        pooled = F.interpolate(self.global_avg_pool(x), size=x.shape[2:], mode="bilinear", align_corners=True)
        return F.relu(self.bn1(self.conv1(torch.cat(branches + [pooled], dim=1))))


def fill(block):
    state = block.state_dict()
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        fan_in = tensor[0].numel() if tensor.dim() > 1 else 1
        noise = values(name, tensor.numel(), 1.0).reshape(tensor.shape)
        if name.endswith("running_var"):
            value = 1.0 + 0.5 * noise
        elif name.endswith(("bn.weight", "bn1.weight", "global_avg_pool.2.weight")):
            value = 1.0 + 0.25 * noise
        elif tensor.dim() == 1:
            value = 0.25 * noise
        else:
            # The factor of 4 makes the offsets a few pixels large for inputs in ±1.
            scale = 4.0 if "offset_conv" in name else 1.5
            value = (noise.double() * (scale / fan_in**0.5)).float()
        tensor.copy_(value)
    block.load_state_dict(state)
    return block.eval()


def median_ms(run, rounds):
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", metavar="EXAMPLE", help="the path of the built example birefnet_aspp")
    parser.add_argument("--size", type=int, default=32, help="height and width of the timed input")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    block = fill(ASPPDeformable())
    if not arguments.time:
        x = values("input", IN_CHANNELS * 16 * 20, 1.0).reshape(1, IN_CHANNELS, 16, 20)
        output = block.double()(x.double())
        folder = pathlib.Path(__file__).parent / "birefnet"
        versions = f"torchvision {torchvision.__version__}, torch {torch.__version__}, CPU, float64"
        save_file({"output": output}, folder / "aspp_deformable.safetensors", {"source": versions})
        return
    size = arguments.size
    x = values("input", IN_CHANNELS * size * size, 1.0).reshape(1, IN_CHANNELS, size, size)
    ratios = []
    for _ in range(arguments.rounds):
        torch_ms = median_ms(lambda: block(x), 3)
        line = subprocess.run([arguments.time, "--size", str(size)], check=True, capture_output=True, text=True).stdout
        deform_ms = float(line.split()[-2])
        ratios.append(torch_ms / deform_ms)
        print(f"torch {torch_ms:.1f} ms, deform {deform_ms:.1f} ms, torch / deform {ratios[-1]:.2f}")
    threads = torch.get_num_threads()
    print(f"{size}x{size}, {threads} torch threads: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
