#!/bin/sh
# Tests and measures a GPU. Prints the adapter, runs the test suite on it, and times the layers of the bench twice: with the
# algorithms that the library's built-in rules choose, and with the algorithms that `deform tune` finds fastest. In between it times
# every kernel by itself, beside the time that the model expects, which is what corrects the model. Then times torchvision on CUDA on
# the same layers, so that the ratios come from one run on one machine.
#
#     benches/gpu/run.sh OUT [BINARIES]
#
# OUT is the folder for the results. BINARIES is a folder with the tool `deform` and the test programs `device` and `pure`, as made by
# benches/gpu/binaries.sh; without it cargo builds them here. The script needs a Vulkan loader and driver. The last part needs a python3
# with torch, torchvision and CUDA, and is skipped with a message if there is none.
set -eu
out=$1
binaries=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
mkdir -p "$out"

if [ -z "$binaries" ]; then
    binaries=$out/binaries
    "$here/binaries.sh" "$binaries"
fi

echo "== adapter"
"$binaries/deform" info

echo "== tests"
"$binaries/pure"
"$binaries/device" --include-ignored

echo "== layers, algorithms by rule"
"$binaries/deform" bench --runs 30 --max-seconds 10 --packed-weight --json "$out/table.json"

echo "== kernels, and the model's times"
"$binaries/deform" bench --steps --runs 10 | tee "$out/steps.md"

echo "== layers, algorithms by measurement"
# `deform tune` needs the layers by name.
set --
for layer in $("$binaries/deform" bench --list); do
    set -- "$@" --layer "$layer"
done
"$binaries/deform" tune --memory "$out/tuning" --seconds 4 "$@"
"$binaries/deform" bench --runs 30 --max-seconds 10 --packed-weight --tuning "$out/tuning" --json "$out/tuned.json"

echo "== torchvision on CUDA"
if python3 -c 'import torch, torchvision; assert torch.cuda.is_available()'; then
    python3 "$here/torchvision_layers.py" --device cuda "$out/table.json" "$out/tuned.json"
else
    echo "Skipped: there is no python3 with torch, torchvision and CUDA here."
fi
