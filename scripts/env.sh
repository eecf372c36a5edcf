# shellcheck shell=bash
# Sourced by the scripts of this folder. `ensure_environment` makes .venv where it is missing and
# keeps it in step with pyproject.toml and constraints.txt; afterwards $bin is its folder of
# programs. All messages go to standard error.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
stamp=$venv/.installed        # what is installed: "runtime" or "dev", the checkout and a checksum
unfinished=$venv/.unfinished  # present while an install runs: the number of its process

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# Renamed first, so that an interrupted removal leaves no incomplete environment.
discard_venv() {
    rm -rf "$venv.old"
    mv "$venv" "$venv.old"
    rm -rf "$venv.old"
}

find_bin() {
    bin=$venv/bin
    if [ -d "$venv/Scripts" ]; then bin=$venv/Scripts; fi
}

make_venv() {
    local python=${PYTHON:-python3}
    command -v "$python" >/dev/null 2>&1 ||
        die "there is no '$python': install Python 3.11 or newer, or name one: PYTHON=/path/to/python3 $0"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "'$python' is $("$python" --version 2>&1), but Python 3.11 or newer is needed;" \
            "name one: PYTHON=/path/to/python3 $0"
    mkdir -p "$venv"
    echo $$ >"$unfinished"
    "$python" -m venv "$venv" >&2 || die "'$python -m venv .venv' failed (see above)"
}

# uv does not know pip's settings, such as an index or wheels at hand: it is taken only where pip has
# none, so that both would install the same.
takes_uv() {
    command -v uv >/dev/null 2>&1 &&
        [ -z "${PIP_INDEX_URL:-}${PIP_EXTRA_INDEX_URL:-}${PIP_FIND_LINKS:-}${PIP_NO_INDEX:-}" ] &&
        ! "$bin/python" -m pip config list 2>/dev/null | grep -Eq 'index|find-links'
}

# Without a terminal, pip shows no bars: a line for each package instead.
brief() {
    if [ -t 2 ]; then cat; else grep -E '^(Collecting|Building|Installing|Successfully|ERROR|error)' || true; fi
}

# install_with_pip|install_with_uv TARGET
install_with_pip() {
    local bars=on
    if [ ! -t 2 ]; then bars=off; fi
    "$bin/python" -m pip install --disable-pip-version-check --progress-bar "$bars" \
        -c constraints.txt -e "$1" | brief >&2
}
install_with_uv() {
    uv pip install --python "$bin/python" -c constraints.txt -e "$1" >&2
}

# ensure_environment runtime|dev
ensure_environment() {
    local want target owner
    want="$1 $root $(cat "$root/pyproject.toml" "$root/constraints.txt" | cksum)"
    find_bin
    if [ -f "$unfinished" ]; then
        owner=$(cat "$unfinished")
        if [ -n "$owner" ] && kill -0 "$owner" 2>/dev/null; then
            die "process $owner is installing into .venv: wait for it to end" \
                "(if it is no install of this checkout, remove .venv)"
        fi
        say "An earlier install was interrupted: making .venv again."
        discard_venv
    elif [ -e "$venv" ] && ! "$bin/python" -m pip --version >/dev/null 2>&1; then
        say "The Python of .venv does not run any more: making .venv again."
        discard_venv
    fi
    if [ -f "$stamp" ]; then
        # What suffices for development suffices for running.
        if [ "$(cat "$stamp")" = "$want" ] || [ "$(cat "$stamp")" = "dev ${want#runtime }" ]; then
            return
        fi
    fi

    if [ ! -e "$venv" ]; then make_venv; fi
    find_bin
    target=.
    if [ "$1" = dev ]; then target=".[dev]"; fi
    say "Installing surrogate-nas ($1) into .venv; the first time takes some minutes."
    echo $$ >"$unfinished"
    rm -f "$stamp"
    if ! { takes_uv && (cd "$root" && install_with_uv "$target"); }; then
        (cd "$root" && install_with_pip "$target") ||
            die "the install failed (see above); run $0 again"
    fi
    printf '%s\n' "$want" >"$stamp"
    rm -f "$unfinished"
}
