#!/bin/sh
# Checks and measures a GPU: the adapter, the whole test suite on it, the layers as the table chooses and as measured, then
# torchvision on CUDA over the same layers, so that the ratio comes from one run on one machine.
#
#     benches/gpu/run.sh OUT [BINARIES]
#
# OUT is a folder for the numbers. BINARIES is a folder with `deform`, `device` and `pure`, the tool and the two test programs built
# elsewhere (benches/gpu/binaries.sh makes one); without it cargo builds them here. Needs a Vulkan loader and driver; the last part needs a
# python3 with torch and torchvision, and says so where there is none.
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
"$binaries/device"

echo "== layers, by the table"
"$binaries/deform" bench --runs 30 --max-seconds 10 --prepared-weight --json "$out/table.json"

echo "== layers, by measurement"
# Every layer of the bench, each with some seconds for its candidates.
set --
for layer in $("$binaries/deform" bench --list); do
    set -- "$@" --layer "$layer"
done
"$binaries/deform" tune --memory "$out/tuning" --seconds 4 "$@"
"$binaries/deform" bench --runs 30 --max-seconds 10 --prepared-weight --tuning "$out/tuning" --json "$out/tuned.json"

echo "== torchvision on CUDA"
if python3 -c 'import torch, torchvision; assert torch.cuda.is_available()'; then
    python3 "$here/torchvision_layers.py" --device cuda "$out/table.json" "$out/tuned.json"
else
    echo "Not done: there is no python3 with torch, torchvision and CUDA here."
fi
