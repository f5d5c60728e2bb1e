#!/bin/sh
# Builds the command-line tool and the test programs, strips them and puts them into a folder, which can be copied to a machine with a GPU.
#
#     benches/gpu/binaries.sh FOLDER
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
cargo build --quiet --release -p deform-cli
cp "$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/deform" "$folder/deform"
for test in device pure; do
    program=$(cargo test --test "$test" --no-run --message-format json 2>/dev/null |
        python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["kind"] == ["test"]:
        print(message["executable"])')
    cp "$program" "$folder/$test"
done
strip "$folder"/*
