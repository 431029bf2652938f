#!/usr/bin/env bash
# Runs the built tests: scripts/test.sh [arguments of `swift test`]. When some fail, what failed is printed once more
# at the end, above the runner's summary: among the lines of hundreds of other tests it is hard to find.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
swift test --skip-build "$@" 2>&1 | tee "$log"
code=${PIPESTATUS[0]}
if [ "$code" != 0 ]; then
  printf '\nFailed:\n'
  # An issue's line begins with a cross; the lines of its comment follow, each with an arrow.
  grep -aE '^(✘|↳)|[Ff]atal error|signal code' "$log" | grep -av '^✘ Test run with' | cut -c -2000 | tail -n 200
  grep -a '^✘ Test run with' "$log" || true
fi
exit "$code"
