#!/usr/bin/env python3
"""Times torchvision's deform_conv2d on the layers that `deform bench --json` measured, and prints the ratios.

    torchvision_layers.py [--device cuda] [--runs 30] TABLE.json [TUNED.json ...]

The operands have the same shapes and options. Offsets are from N(0, 2) for every layer, even if deform's layer has a flow or whole
pixels. Like deform's, a time is that of one call until the device has finished, and the median of the runs is printed. The time of a
backward row is that of all gradients, without the forward pass.
"""

import argparse
import json
import statistics
import time

import torch
import torchvision


def median_ms(layer, device, runs):
    def normal(shape, scale=1.0):
        return scale * torch.randn(shape, device=device)

    shapes = layer["shapes"]
    operands = {
        "input": normal(shapes["input"]),
        "offset": normal(shapes["offset"], 2.0),
        "weight": normal(shapes["weight"], 0.05),
        "mask": torch.rand(shapes["mask"], device=device) if shapes["mask"] else None,
        "bias": normal(shapes["bias"]) if shapes["bias"] else None,
    }
    options = {name: tuple(layer[name]) for name in ("stride", "padding", "dilation")}

    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    leaves = [operand for operand in operands.values() if operand is not None]

    def forward():
        return torchvision.ops.deform_conv2d(**operands, **options)

    if layer["pass"] == "backward":
        for leaf in leaves:
            leaf.requires_grad_(True)
        output = forward()
        grad_output = torch.randn_like(output)

        def call():
            torch.autograd.grad(output, leaves, grad_output, retain_graph=True)
    else:
        call = torch.no_grad()(forward)

    times = []
    for run in range(runs + 3):
        wait()
        start = time.perf_counter()
        call()
        wait()
        # The first three calls choose algorithms and fill caches.
        if run >= 3:
            times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("measured", nargs="+", help="a file that deform bench --json wrote")
    args = parser.parse_args()
    torch.manual_seed(0)
    # Like deform, torchvision must multiply in f32, not in TF32.
    torch.backends.cuda.matmul.allow_tf32 = False

    documents = [json.load(open(path)) for path in args.measured]
    name = torch.cuda.get_device_name() if args.device == "cuda" else "CPU"
    print(f"- deform: {documents[0]['adapter']}, {documents[0]['driver']}")
    print(f"- torchvision {torchvision.__version__}, torch {torch.__version__}, {name}\n")
    titles = [f"deform {path} ms" for path in args.measured] + ["torchvision ms", "ratios"]
    print("| layer | pass | " + " | ".join(titles) + " |")
    print("|---|---|" + "---:|" * len(titles))
    for row, layer in enumerate(documents[0]["layers"]):
        rows = [document["layers"][row] for document in documents]
        if any("error" in row for row in rows):
            continue
        reference = median_ms(layer, args.device, args.runs)
        times = [f"{row['median_ms']:.3f} ({row['algorithm']})" for row in rows]
        ratios = ", ".join(f"{reference / row['median_ms']:.2f}" for row in rows)
        print(f"| {layer['layer']} | {layer['pass']} | " + " | ".join(times) + f" | {reference:.3f} | {ratios} |")


if __name__ == "__main__":
    main()
