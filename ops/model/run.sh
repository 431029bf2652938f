#!/usr/bin/env bash
# Checks the models of this folder with Spin: every correct configuration holds, every seeded mistake is caught.
# MODEL=quick: the small configurations, for every push. MODEL_ONLY=REGEX: only what matches, by name.
# Prints a line each and ends `model: ok`. Exit 1 otherwise, with the steps that lead there in .build/model/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly size=${MODEL:-full}
readonly only=${MODEL_ONLY:-.}
readonly jobs=${MODEL_JOBS:-2}
# Of one search, in MB: two run at once, and what the compiler takes is little.
readonly memory=1500
# Longer than any execution, all of which end: a search that gets there has failed.
readonly depth=100000
trails=$(cd ../.. && pwd)/.build/model
readonly trails

case $size in
  full | quick) ;;
  *)
    printf 'model: MODEL is "full" or "quick", not "%s"\n' "$size" >&2
    exit 2
    ;;
esac
for tool in spin gcc; do
  command -v "$tool" >/dev/null 2>&1 || {
    printf 'model: %s is missing; run scripts/setup.sh\n' "$tool" >&2
    exit 2
  }
done

# name, file, who runs it (full, quick, always; ends: in full, and with a search for cycles), bounds. What is not named
# is at its default in the file. The longest first.
readonly configurations='
canary           queue  full   W=3 FLIPS=3 CANARIES=2 SLOW=1 SCALES=1
people           queue  full   W=3 FLIPS=2 CRASHES=1 SLOW=1 FAILS=1 RETRIES=1 HOLDS=1
two-jobs         queue  full   W=3 J=2 FLIPS=2 CRASHES=1 SLOW=1
releases         queue  full   W=3 FLIPS=3 CRASHES=2 SLOW=2
three-releases   queue  full   W=3 R=3 FLIPS=3 CRASHES=2 SLOW=1
leases           queue  full   W=3 CRASHES=2 SLOW=2 RESTARTS=1 FAILS=1 SNOOZES=1 LOST=1 RETRIES=1
leases-quick     queue  quick  W=3 CRASHES=2 SLOW=2 RESTARTS=1 RETRIES=1
releases-quick   queue  quick  W=3 FLIPS=3 CRASHES=1 SLOW=2
zombies          load   full   L=3 SLOW=2 HANGS=1
faults           load   full   SLOW=2 CRASHES=2 TARGETS=1 REPLIES=1
restored         load   full   SLOW=2 CRASHES=1 REPLIES=1 RESTORES=1
superseded       load   full   FULL SLOW=2 CRASHES=1 TARGETS=1 REPLIES=1
unconfirmed      load   full   SLOW=2 CONTROLS=1 HANGS=1 TARGETS=1
faults-quick     load   quick  SLOW=2 CRASHES=1 TARGETS=1 REPLIES=1
restored-quick   load   quick  SLOW=1 CRASHES=1 REPLIES=1 RESTORES=1
alone            queue  always W=3 CRASHES=3 SHARES=2 SLOW=1 RESTARTS=1 FAILS=1 RETRIES=1
permits          permit always HOLDERS=3
dependents       dependents always UPSTREAM=3 CANCELS=2
locks            locks  always TURNS=2
lanes            lane   full   FLIPS=3 CRASHES=2
lanes-quick      lane   quick  CRASHES=1
every-run-ends   queue  ends   W=3 FLIPS=2 CRASHES=1 SLOW=1 RETRIES=1
'

# name (the macro), file, what must catch it (a tag in the file), the least bounds that do.
readonly mistakes='
NOFENCE          queue  I1  SLOW=1
ACKNOLEASE       queue  I1  SLOW=1
SAMEEPOCH        queue  I1  SLOW=1
RETRYEPOCH       queue  I1  SLOW=2 RETRIES=1
ASYNCCLAIM       queue  I1  RESTARTS=1
NOGIVEBACK       queue  I2  LOST=1
UNPIN            queue  I2  FLIPS=2 CRASHES=1
ZERODRAIN        queue  I2  FLIPS=2 CRASHES=1
BLINDROLLBACK    queue  I3  CANARIES=2
STALEREL         queue  I3  FLIPS=1
LOCKINCLAIM      queue  I3  FLIPS=1
RACERETIRE       queue  I3  FLIPS=3
ENQNOLOCK        queue  I3  FLIPS=1
HANDOVERNOLOCK   queue  I3  FLIPS=2
RETRYRETIRED     queue  I3  FLIPS=1 FAILS=2 RETRIES=1
DEADCHILD        queue  I3  J=2 FLIPS=1 FAILS=2 RETRIES=1
NOGATE           queue  I[47]  FLIPS=2
SCALEKILL        queue  I5  SCALES=1
SCALERACE        queue  I5  SCALES=1
PROMOTEAPART     queue  I6  FLIPS=1
EAGERREAPER      queue  I8  RESTARTS=1
REAPBEAT         queue  I8  SLOW=1
CRASHFREE        queue  I[89]  CRASHES=2 SLOW=1
YIELDCHARGED     queue  I9  SCALES=1
INCOMPANY        queue  I12  CRASHES=2 SHARES=2
FOREVER          queue  I2  HOLDS=1
LEDGERAPART      load   L1  CRASHES=1
BLINDREPEAT      load   L1  REPLIES=1
STAGEDAPART      load   L2  SLOW=1
COUNTRECORD      load   L2  TARGETS=1
NOTICKET         load   L3  SLOW=1
TICKETEARLY      load   L3  SLOW=1
ASYNCHEAD        load   L3  SLOW=1 TARGETS=1
NEWESTFIRST      load   L4  S=2
CACHEDSEQUENCE   load   L[35]  SLOW=1
NORAISE          load   L5  RESTORES=1 SLOW=2
LIVERESTORE      load   L6  RESTORES=1
ACKFIRST         load   L7  CRASHES=1
BELIEVECOMMIT    load   L7  REPLIES=1
NUMBERKEY        load   L7  RESTORES=1
NOTERMINATE      load   L7  HANGS=1
OLDSNAPSHOT      permit P1  HOLDERS=2
PERMITOUTLIVES   permit P2  HOLDERS=2
COUNTINWHERE     dependents D1  CANCELS=0
UNBLOCKBYCOUNT   dependents D1  CANCELS=1
RETRYSNAPSHOT    dependents D1  CANCELS=1
FINISHFIRST      locks  K1  TURNS=1
GATEMARKS        lane   I4  FLIPS=1
GATELANE         lane   I4  FLIPS=2
GATEAPART        lane   I4  FLIPS=2
CLAIMAPART       lane   I3  FLIPS=1
NOLEASES         lane   I2  FLIPS=1 CRASHES=1
'

scratch=$(mktemp -d)
readonly scratch
trap 'rm -rf "$scratch"' EXIT

defines() {
  local bound
  for bound in "$@"; do printf -- '-D%s ' "$bound"; done
}

# Generates, compiles and runs the search of FILE with these bounds, in the present folder.
search() {
  local file=$1 optimize=$2 kind=$3
  shift 3
  cp "$here/$file.pml" .
  # shellcheck disable=SC2046  # one word a definition
  spin -a $(defines "$@") "$file.pml" >spin.txt 2>&1 || return 2
  # Without -DSAFETY the search also looks for cycles: -l with -DNP, of which every cycle is one here.
  local how=(-DSAFETY) run=(-m"$depth" -w22)
  [[ $kind != ends ]] || how=(-DNP) run=(-m"$depth" -w22 -l)
  gcc "$optimize" -w "${how[@]}" -DCOLLAPSE -DNOFAIR -DMEMLIM="$memory" -o pan pan.c 2>gcc.txt || return 2
  ./pan "${run[@]}" >pan.txt 2>&1 || true
}

# The bounds as words: those given, and the file's own that are not zero.
bounds_of() {
  local file=$1 given=$2 name value
  printf '%s' "$(tr '[:upper:]' '[:lower:]' <<<"$given")"
  while read -r name value; do
    [[ " $given" == *" $name="* ]] || printf ' %s=%s' "${name,,}" "$value"
  done < <(sed -n 's/^#define \([A-Z]*\) \([1-9][0-9]*\) .*/\1 \2/p' "$file.pml")
}

# The steps to the failure, as Spin tells them.
tell() {
  local name=$1 file=$2
  shift 2
  # shellcheck disable=SC2046
  spin -t -p $(defines "$@") "$file.pml" >steps.txt 2>&1 || true
  mkdir -p "$trails"
  { cat pan.txt; tail -n 400 steps.txt; } >"$trails/$name.txt"
}

configuration() {
  local name=$1 file=$2 kind=$3
  shift 3
  search "$file" -O2 "$kind" "$@" || {
    printf 'correct %s/%s: does not compile\n' "$file" "$name"
    cat spin.txt gcc.txt 2>/dev/null || true
    return 1
  }
  local states reached
  states=$(awk '/states, stored/ { print $1; exit }' pan.txt)
  reached=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' pan.txt | head -n 1)
  if grep -q 'errors: 0' pan.txt && ! grep -Eqi 'not completed|too small|memory limit|out of memory|aborted|interrupted' pan.txt; then
    printf 'correct %s/%s: %s states, depth %s%s, bounds %s\n' "$file" "$name" "$states" "$reached" \
      "$([[ $kind != ends ]] || printf ', no cycle')" "$(bounds_of "$file" "$*")"
    return 0
  fi
  tell "$file-$name" "$file" "$@"
  printf 'correct %s/%s: FAILED (%s), steps in %s\n' "$file" "$name" \
    "$(grep -m 1 -Ei '^pan:|error:|not completed|too small|memory' pan.txt || printf 'no result')" "$trails/$file-$name.txt"
  return 1
}

# Caught means: by the assertion that is there for it, not by any.
mistake() {
  local name=$1 file=$2 tag=$3
  shift 3
  search "$file" -O0 safety "$name" "$@" || {
    printf 'mistake %s: does not compile\n' "$name"
    return 1
  }
  local line what=''
  if [[ -e $file.pml.trail ]]; then
    # shellcheck disable=SC2046
    spin -t $(defines "$name" "$@") "$file.pml" >steps.txt 2>&1 || true
    line=$(sed -n "s/.*$file\.pml:\([0-9]*\), Error: assertion.*/\1/p" steps.txt | head -n 1)
    [[ -z $line ]] || what=$(sed -n "${line}s/.*\/\* *\([DIKLP][0-9]*\).*/\1/p" "$file.pml")
    if [[ $what =~ ^$tag$ ]]; then
      printf 'mistake %s: caught\n' "$name"
      return 0
    fi
    tell "mistake-$name" "$file" "$name" "$@"
    printf 'mistake %s: caught by %s, not by %s; steps in %s\n' "$name" "${what:-a deadlock}" "$tag" "$trails/mistake-$name.txt"
    return 1
  fi
  printf 'mistake %s: NOT CAUGHT (%s)\n' "$name" "$(grep -m 1 'states, stored' pan.txt || grep -m 1 . pan.txt || true)"
  return 1
}

here=$PWD
readonly here
count=0
declare -a order=()

# Runs it in a folder of its own; what it says is printed at the end, in order.
start() {
  local what=$1 name=$2
  [[ $name =~ $only ]] || return 0
  shift
  while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done
  local folder=$scratch/$((count += 1))
  order+=("$folder")
  mkdir "$folder"
  (
    cd "$folder"
    result=0
    "$what" "$@" >said.txt 2>&1 || result=$?
    printf '%s\n' "$result" >result.txt
    find . -type f ! -name said.txt ! -name result.txt -delete
  ) &
}

while read -r name file kind bounds; do
  [[ -n $name ]] || continue
  [[ $size == full || $kind != full && $kind != ends ]] || continue
  # shellcheck disable=SC2086  # a word a bound
  [[ $size == full && $kind == quick ]] || start configuration "$name" "$file" "$kind" $bounds
done <<<"$configurations"
while read -r name file tag bounds; do
  [[ -n $name ]] || continue
  # shellcheck disable=SC2086
  start mistake "$name" "$file" "$tag" $bounds
done <<<"$mistakes"
wait

failed=0
for folder in "${order[@]}"; do
  cat "$folder/said.txt"
  [[ $(cat "$folder/result.txt" 2>/dev/null) == 0 ]] || failed=$((failed + 1))
done
if ((count == 0 || failed > 0)); then
  printf 'model: %s\n' "$( ((count == 0)) && printf 'nothing to check' || printf '%s of %s failed' "$failed" "$count")"
  exit 1
fi
printf 'model: ok\n'
