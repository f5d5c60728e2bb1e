"""Times deform_conv2d of deform and of other implementations, taking turns on one machine.

See README.md for the implementations and the method.
"""

import argparse
import json
import math
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision

HERE = Path(__file__).resolve().parent
SEED = 0xDEF0
KERNEL = 3
TAPS = KERNEL * KERNEL
PADDING = 1
# The time of a peer's turn: long compared with the clock's resolution, short compared with changes of the machine's speed.
TURN_SECONDS = 0.3
# The least time of a peer's untimed calls before the first round; the peers on the CPU need several calls to reach a steady speed.
WARM_UP_SECONDS = 2
# The pause between turns, because the thread pools of torch and onnxruntime spin for a while after their work.
PAUSE_SECONDS = 0.1
# The largest error allowed, relative to the largest expected value.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Layer:
    in_channels: int
    out_channels: int
    height: int
    width: int
    offset_groups: int = 1
    batch: int = 1
    groups: int = 1

    def __str__(self):
        name = f"{self.in_channels}→{self.out_channels} @ {self.height}×{self.width}"
        name += f", {self.groups} groups" if self.groups > 1 else ""
        name += f", {self.offset_groups} offset groups" if self.offset_groups > 1 else ""
        return name + (f", batch {self.batch}" if self.batch > 1 else "")

    def operands(self):
        """Returns the float32 operands, which are the same in every run."""
        rng = np.random.default_rng(SEED)
        size = (self.height, self.width)
        row = self.in_channels // self.groups * TAPS

        def normal(*shape):
            return rng.standard_normal(shape, dtype=np.float32)

        return {
            "input": normal(self.batch, self.in_channels, *size),
            # Odd multiples of 1/8192: no position needs rounding, and none is a whole number, where the derivative jumps.
            "offset": (np.floor(8192 * normal(self.batch, 2 * self.offset_groups * TAPS, *size)) + 0.5) / np.float32(4096),
            # This scale keeps the output's variance near the input's, as in a trained network.
            "weight": normal(self.out_channels, self.in_channels // self.groups, KERNEL, KERNEL) / np.float32(math.sqrt(row)),
            "mask": rng.random((self.batch, self.offset_groups * TAPS, *size), dtype=np.float32),
            "bias": normal(self.out_channels),
            "grad_output": normal(self.batch, self.out_channels, *size),
        }


LAYERS = {
    "64@128": Layer(64, 64, 128, 128),
    "128@64": Layer(128, 128, 64, 64),
    "256@64": Layer(256, 256, 64, 64),
    "512@32": Layer(512, 512, 32, 32),
    "64@128/8": Layer(64, 64, 128, 128, offset_groups=8),
    "128@64/4": Layer(128, 128, 64, 64, offset_groups=4, batch=2, groups=4),
    "64@128/dw": Layer(64, 64, 128, 128, groups=64),
}
MODES = {
    "fwd": ["64@128", "128@64", "256@64", "512@32", "64@128/8"],
    "fwdbwd": ["64@128", "256@64", "64@128/8", "128@64/4"],
}


def timed(run, iterations):
    """Returns the milliseconds of each of `iterations` calls."""
    times = []
    for _ in range(iterations):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def to_torch(operands, dtype=torch.float32):
    return {name: torch.from_numpy(values).to(dtype) for name, values in operands.items()}


def both_passes(forward, operands, dtype=torch.float32):
    """Returns a function that computes the output with `forward`, then all gradients, and returns the gradients by name."""
    tensors = to_torch(operands, dtype)
    grad_output = tensors.pop("grad_output")
    leaves = {name: tensor.requires_grad_(True) for name, tensor in tensors.items()}

    def run():
        gradients = torch.autograd.grad(forward(**leaves), list(leaves.values()), grad_output)
        return dict(zip(leaves, (gradient.numpy() for gradient in gradients)))

    return run


def torchvision_op(**tensors):
    return torchvision.ops.deform_conv2d(**tensors, padding=PADDING)


def composite(input, offset, weight, mask, bias):
    """Computes the output with grid_sample for the columns and a matmul, as is common where the operator is missing."""
    batch, channels, height, width = input.shape
    groups = channels // weight.shape[1]
    offset_groups = mask.shape[1] // TAPS
    images = input.reshape(batch * offset_groups, channels // offset_groups, height, width)
    offset = offset.reshape(batch * offset_groups, TAPS, 2, height, width)
    taps = torch.arange(TAPS)
    y = (taps // KERNEL - PADDING).view(TAPS, 1, 1) + torch.arange(height).view(height, 1) + offset[:, :, 0]
    x = (taps % KERNEL - PADDING).view(TAPS, 1, 1) + torch.arange(width) + offset[:, :, 1]
    grid = torch.stack((2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1), -1)
    grid = grid.reshape(batch * offset_groups, TAPS * height, width, 2)
    columns = torch.nn.functional.grid_sample(images, grid, padding_mode="zeros", align_corners=True)
    columns = columns.reshape(batch * offset_groups, -1, TAPS, height, width)
    columns = columns * mask.reshape(batch * offset_groups, 1, TAPS, height, width)
    columns = columns.reshape(batch, groups, channels // groups * TAPS, height * width)
    output = weight.reshape(groups, -1, channels // groups * TAPS) @ columns
    return output.reshape(batch, -1, height, width) + bias.view(-1, 1, 1)


def torchvision_forward(operands, dtype=torch.float32):
    """Returns a function that computes the output with torchvision on the CPU."""
    tensors = to_torch(operands, dtype)
    tensors.pop("grad_output")

    @torch.inference_mode()
    def run():
        return torchvision.ops.deform_conv2d(**tensors, padding=PADDING).numpy()

    return run


class Torchvision:
    """torchvision on the CPU."""

    def __init__(self, _args):
        self.about = {"version": f"{torchvision.__version__}, torch {torch.__version__}"}

    def load(self, _layer, operands, _folder):
        self.output = torchvision_forward(operands)
        self.gradients = both_passes(torchvision_op, operands)

    def time(self, iterations):
        return timed(self.output, iterations)

    def time_both(self, iterations):
        return timed(self.gradients, iterations)


class Composite:
    """grid_sample and a matmul in PyTorch on the CPU."""

    def __init__(self, _args):
        self.about = {"version": f"torch {torch.__version__}"}

    def load(self, _layer, operands, _folder):
        tensors = to_torch(operands)
        tensors.pop("grad_output")
        self.output = torch.inference_mode()(lambda: composite(**tensors).numpy())
        self.gradients = both_passes(composite, operands)

    def time(self, iterations):
        return timed(self.output, iterations)

    def time_both(self, iterations):
        return timed(self.gradients, iterations)


class Onnxruntime:
    """onnxruntime's DeformConv on the CPU, weight and bias as initializers."""

    def __init__(self, args):
        self.about = {"version": onnxruntime.__version__}
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = args.threads

    def load(self, layer, operands, _folder):
        session = onnxruntime.InferenceSession(
            self.model(layer, operands), self.options, providers=["CPUExecutionProvider"]
        )
        feed = {name: operands[name] for name in ("input", "offset", "mask")}
        self.output = lambda: session.run(None, feed)[0]

    def time(self, iterations):
        return timed(self.output, iterations)

    @staticmethod
    def model(layer, operands):
        def value(name, shape):
            return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

        node = onnx.helper.make_node(
            "DeformConv",
            ["input", "weight", "offset", "bias", "mask"],
            ["output"],
            kernel_shape=[KERNEL] * 2,
            pads=[PADDING] * 4,
            group=layer.groups,
            offset_group=layer.offset_groups,
        )
        graph = onnx.helper.make_graph(
            [node],
            "deform_conv2d",
            [value(name, operands[name].shape) for name in ("input", "offset", "mask")],
            [value("output", (1, layer.out_channels, layer.height, layer.width))],
            [onnx.numpy_helper.from_array(operands[name], name) for name in ("weight", "bias")],
        )
        # The oldest versions that have DeformConv, because onnx may be newer than onnxruntime supports.
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)], ir_version=9)
        onnx.checker.check_model(model)
        return model.SerializeToString()


class Runner:
    """A peer in a process of the runner, which takes one request per line; runner/src/main.rs lists the requests."""

    def __init__(self, name, args):
        self.name = name
        # Mesa's software driver gets as many threads as torchvision and onnxruntime.
        environment = {"LP_NUM_THREADS": str(args.threads), **os.environ}
        try:
            self.process = subprocess.Popen(
                [args.runner.absolute(), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            )
        except OSError as error:
            sys.exit(f"cannot start the runner: {error}; see README.md for how to build it")
        self.about = self.ask("info")

    def ask(self, request):
        try:
            self.process.stdin.write(f"{request}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            sys.exit(f"the runner of {self.name} ended with status {self.process.wait()} on the request: {request}")
        return json.loads(answer)

    def load(self, layer, operands, folder):
        self.shapes = {name: values.shape for name, values in operands.items()}
        self.folder = folder
        self.output_file = folder / f"{self.name}.f32"
        self.ask(f"layer {' '.join(str(size) for size in asdict(layer).values())} {folder}")

    def output(self):
        self.ask(f"output {self.output_file}")
        return np.fromfile(self.output_file, dtype=np.float32).reshape(self.shapes["grad_output"])

    def gradients(self):
        self.ask(f"gradients {self.folder}")
        names = ["input", "offset", "weight", "mask", "bias"]
        files = {name: np.fromfile(self.folder / f"grad_{name}.f32", dtype=np.float32) for name in names}
        return {name: values.reshape(self.shapes[name]) for name, values in files.items()}

    def time(self, iterations):
        return self.ask(f"time {iterations}")

    def time_both(self, iterations):
        return self.ask(f"both {iterations}")


# The order is that of the turns and of the table's columns.
PEERS = {
    "deform": lambda args: Runner("deform", args),
    "torchvision": Torchvision,
    "composite": Composite,
    "onnxruntime": Onnxruntime,
    "burn": lambda args: Runner("burn", args),
}


def warm_up(time_calls):
    """Calls a peer for WARM_UP_SECONDS and returns the milliseconds of the fastest call."""
    times = time_calls(2)
    while sum(times) < WARM_UP_SECONDS * 1e3:
        times += time_calls(1)
    return min(times)


def error_of(got, expected):
    """Returns the largest error, relative to the largest expected value."""
    return float(np.max(np.abs(got - expected)) / np.max(np.abs(expected)))


def error_of_gradients(got, expected):
    return max(error_of(got[name], values) for name, values in expected.items())


def measure(layer, peers, rounds, mode):
    """Checks every peer's result, then times the peers in turns. Returns {peer: {"ms": [...], "error": ...}}."""
    operands = layer.operands()
    results, iterations = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, values in operands.items():
            values.tofile(folder / f"{name}.f32")
        if mode == "fwd":
            expected = torchvision_forward(operands, torch.float64)()
        else:
            expected = both_passes(torchvision_op, operands, torch.float64)()
        calls = {name: peer.time if mode == "fwd" else peer.time_both for name, peer in peers.items()}
        for name, peer in peers.items():
            peer.load(layer, operands, folder)
            # This first call compiles; burn also tunes in it.
            error = error_of(peer.output(), expected) if mode == "fwd" else error_of_gradients(peer.gradients(), expected)
            if not error <= TOLERANCE:
                sys.exit(f"{layer}: the result of {name} is wrong: its largest error is {error:.1e} of the largest value")
            results[name] = {"ms": [], "error": error}
            iterations[name] = max(1, round(TURN_SECONDS * 1e3 / warm_up(calls[name])))
        for _ in range(rounds):
            for name in peers:
                time.sleep(PAUSE_SECONDS)
                results[name]["ms"] += calls[name](iterations[name])
    return results


def medians(results):
    return {name: statistics.median(result["ms"]) for name, result in results.items()}


def ratios(results):
    """Returns the ratio of each other peer's median to deform's."""
    times = medians(results)
    ours = times.pop("deform", None)
    return {name: theirs / ours for name, theirs in times.items()} if ours else {}


def table(measured, names):
    """Formats the measured layers as a Markdown table."""
    others = [name for name in names if name != "deform"] if "deform" in names else []
    header = ["layer", *(f"{name} ms" for name in names), *(f"{name} ÷ deform" for name in others)]
    rows = [header, ["---", *["---:"] * (len(header) - 1)]]
    for layer, results in measured:
        times = [f"{median:.2f} ({min(results[name]['ms']):.2f})" for name, median in medians(results).items()]
        rows.append([str(layer), *times, *(f"{ratio:.2f}" for ratio in ratios(results).values())])
    if others:
        columns = zip(*(ratios(results).values() for _, results in measured))
        means = [f"{statistics.geometric_mean(column):.2f}" for column in columns]
        rows.append(["geometric mean", *[""] * len(names), *means])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows
    )


def cpu_model():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def checkout():
    """Returns the commit that is checked out, or "unknown" without git."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def adapter(peers):
    """Returns the adapter that deform and burn share; ends the run if theirs differ."""
    adapters = {name: peer.about["adapter"] for name, peer in peers.items() if "adapter" in peer.about}
    if len(set(adapters.values())) > 1:
        sys.exit(f"the adapters differ: {adapters}; see README.md for how to choose them")
    return next(iter(adapters.values()), None)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10, help="the number of turns of every peer on every layer (default: 10)")
    parser.add_argument(
        "--mode", choices=MODES, default="fwd", help="fwd: the forward pass; fwdbwd: also all gradients (default: fwd)"
    )
    parser.add_argument("--layers", nargs="+", choices=LAYERS, help="measure only these layers")
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="measure only these peers")
    parser.add_argument("--threads", type=int, default=2, help="the number of threads of every peer on the CPU (default: 2)")
    parser.add_argument(
        "--runner", type=Path, default=HERE / "runner/target/release/deform-peers", help="the path of the built runner"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write every time to this file")
    args = parser.parse_args()
    args.layers = args.layers or MODES[args.mode]
    # onnxruntime has no gradients; burn's gradients of offset and mask are wrong on wgpu.
    able = [name for name in PEERS if args.mode == "fwd" or name not in ("onnxruntime", "burn")]
    args.peers = args.peers or able
    if not set(args.peers) <= set(able):
        parser.error(f"mode {args.mode} measures only the peers {', '.join(able)}")
    if args.rounds < 1 or args.threads < 1:
        parser.error("--rounds and --threads must be at least 1")
    return args


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    peers = {name: start(args) for name, start in PEERS.items() if name in args.peers}
    about = {
        "cpu": f"{cpu_model()}, {os.cpu_count()} cores, {args.threads} threads used",
        "adapter": adapter(peers) or "none used",
        "checkout": checkout(),
        **{name: peer.about["version"] for name, peer in peers.items()},
        "command": shlex.join(["peers.py", *sys.argv[1:]]),
    }
    for name, text in about.items():
        print(f"- {name}: {text}")
    print(f"\nMedian (smallest) of all calls in {args.rounds} rounds with turns of about {TURN_SECONDS} s.\n", flush=True)

    measured = []
    for name in args.layers:
        print(f"measuring {name}", file=sys.stderr)
        measured.append((LAYERS[name], measure(LAYERS[name], peers, args.rounds, args.mode)))
    print(table(measured, list(peers)))
    errors = [(result["error"], name) for _, results in measured for name, result in results.items()]
    error, name = max(errors)
    print(f"\nLargest error, relative to the largest value of the float64 result: {error:.1e} ({name}).")
    if args.json:
        layers = [{"layer": asdict(layer), "peers": results} for layer, results in measured]
        args.json.write_text(json.dumps({**about, "layers": layers}, indent=1) + "\n")


if __name__ == "__main__":
    main()
