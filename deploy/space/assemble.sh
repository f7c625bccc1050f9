#!/usr/bin/env bash
# Fill a folder with a Hugging Face Space: assemble.sh FOLDER
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
folder="${1:?name the folder of the Space}"

mkdir -p "$folder"
git -C "$root" archive HEAD | tar -x -C "$folder"
cat "$root/deploy/Dockerfile" "$root/deploy/space/demo.Dockerfile" >"$folder/Dockerfile"
cp "$root/deploy/Dockerfile.dockerignore" "$folder/.dockerignore"
sed -i '/^checkpoints/d; /^!checkpoints/d' "$folder/.dockerignore" # its runs are what the demo shows
cp "$root/deploy/space/README.md" "$folder/README.md"
