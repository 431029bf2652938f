#!/usr/bin/env bash
# Builds the engine of an earlier commit, for what has to do with engines that differ, and prints where it is.
#   scripts/older-engine.sh COMMIT
# In .build/engines/COMMIT, once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(git rev-parse --verify "${1:?the commit}^{commit}")
folder="$PWD/.build/engines/$commit"
if [[ ! -x "$folder/sluice" ]]; then
  source="$folder/source"
  mkdir -p "$source"
  git archive "$commit" | tar -x -C "$source"
  swift build --package-path "$source" -c release --product sluice --static-swift-stdlib -Xlinker -s >&2
  cp "$source/.build/release/sluice" "$folder/.sluice"
  mv "$folder/.sluice" "$folder/sluice"
  rm -rf "$source"
fi
echo "$folder/sluice"
