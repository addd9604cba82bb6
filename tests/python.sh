# Sourced by the checks that need Python packages: one environment for all of them, below target/, which is ignored and survives
# between runs. The environment is $venv.

venv=${HUB_AUDIT_VENV:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/python}

# install CHECK PACKAGE...: makes the packages importable, or says that the check is skipped, and why, and fails.
install() {
    local check=$1 said
    shift
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        python3 -m venv "$venv" || { echo "$check: skipped: no python3 with venv"; return 1; }
    fi
    if ! said=$("$venv/bin/pip" install --quiet --disable-pip-version-check "$@" 2>&1); then
        echo "$check: skipped: cannot install $*: $(tail -n 1 <<<"$said")"
        return 1
    fi
}
