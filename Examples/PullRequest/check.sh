#!/usr/bin/env bash
# Runs the pipelines of this folder in an environment of their own and checks the result:
#
#   ./check.sh NUMBER      of the pull request; the environment is pr-NUMBER
#
# The environment is removed at the end, also after a failure. One whose machine died is removed when its two hours are over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

number=${1:-}
[[ $number =~ ^[0-9]{1,18}$ ]] || {
  echo "usage: ./check.sh NUMBER" >&2
  exit 2
}
environment=pr-$number

# Fails, and prints the rows, where a query has any.
expect_none() { # WHAT SQL
  local answer
  answer=$(sluice --env "$environment" query "$2" --json)
  if [[ $answer != *'"rows":[]}' ]]; then
    printf 'failed: %s\n%s\n' "$1" "$answer" >&2
    return 1
  fi
  printf 'ok: %s\n' "$1"
}

trap 'sluice env down "$environment" --yes' EXIT
sluice check
sluice env up "$environment" --ttl 2h
# An earlier check whose machine died may have left rows in it.
sluice env reset "$environment" --yes
sluice --env "$environment" run orders --wait

expect_none "no order is missing, and no test is one" \
  "select count(*) as orders from orders having count(*) <> 4"
expect_none "each status is written in one way" \
  "select order_id, status from orders where status <> lower(status) or status <> trim(status)"
expect_none "only cancelled orders cost nothing" \
  "select order_id, status, amount from orders where amount = 0 and status <> 'cancelled'"
echo "pull request $number: all expectations hold"
