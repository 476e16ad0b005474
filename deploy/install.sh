#!/usr/bin/env bash
# Installs, upgrades or rolls back the service from this archive, without network.
#
#   ./install.sh [--root DIR] [--python PYTHON]    install a new release and switch to it
#   ./install.sh --rollback [--root DIR]           switch back to the previous release
#
# Each release has its own folder in /opt/lunapass/releases; the link /opt/lunapass/current points to
# the current one. The configuration in /etc/lunapass is created once and never overwritten; the
# script does not switch to a release that rejects it. DIR is prepended to all these paths.
set -euo pipefail
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root="" python=python3 rollback=""
while (($# > 0)); do
    case $1 in
    --root) # without "&&" after the assignment, since its failure must end the script
        root=$(mkdir -p "${2:?--root needs a folder}" && cd "$2" && pwd)
        shift 2
        ;;
    --python) python=$2 && shift 2 ;;
    --rollback) rollback=1 && shift ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
    esac
done
base=$root/opt/lunapass
config=$root/etc/lunapass/lunapassapi.config.toml
kept_releases=3

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

[[ $root != *[\"\\\|\&]* ]] || fail "--root $root: quotes, \\, | and & are not allowed in the path"

switch_to() { # RELEASE: atomic, so that a start at any moment finds a complete release
    ln -sfn "releases/$1" "$base/.next"
    mv -T "$base/.next" "$base/current"
    echo "current release: $1 ($("$base/current/venv/bin/lunapass" --version))"
}

lock() { # until the end of this script
    exec 9>"$base/.lock"
    flock --nonblock 9 || fail "another install.sh is running in $base; wait for it"
}

releases() { # the numbers of complete releases, in order
    local folder
    for folder in "$base"/releases/[0-9]*; do
        [[ ! -d $folder || -e $folder/unfinished ]] || basename "$folder"
    done | sort -n
}

check_config() { # RELEASE
    LUNAPASS__MODELS__DIRECTORY="$base/releases/$1/models" \
        "$base/releases/$1/venv/bin/lunapass" config check "$config" ||
        fail "release $1 rejects $config; nothing was changed"
}

restart_units() {
    [[ -z $root && -d /run/systemd/system ]] || return 0
    systemctl daemon-reload
    systemctl try-restart 'lunapass-*.service' lunapassapi.service
}

current() { [[ -L $base/current ]] && basename "$(readlink "$base/current")" || true; }

roll_back() {
    local now previous
    now=$(current)
    [[ -n $now ]] || fail "nothing is installed in $base"
    lock
    previous=$(releases | awk -v now="$now" '$1 < now' | tail -n 1)
    [[ -n $previous ]] || fail "there is no release before $now"
    check_config "$previous"
    prepare_system "$base/releases/$previous" # its units may differ
    switch_to "$previous"
    restart_units
}

check_archive() {
    (cd "$here" && sha256sum --quiet --strict --check SHA256SUMS) ||
        fail "the archive is damaged; copy it again"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$python is too old; choose Python 3.11 or newer with --python"
}

install_release() { # FOLDER
    local extras pip
    extras=$(cat "$here/EXTRAS")
    pip=$(echo "$here"/wheels/pip-*.whl)
    "$python" -m venv --without-pip "$1/venv"
    PIP_CONFIG_FILE=/dev/null "$1/venv/bin/python" "$pip/pip" install --quiet --no-index --no-cache-dir \
        --disable-pip-version-check --find-links "$here/wheels" \
        "open-lunapass${extras:+[$extras]}==$(cat "$here/VERSION")"
    cp -r "$here/models" "$1/models"
    chmod -R u=rwX,go=rX "$1/models" # independent of the umask that unpacked the archive
    "$1/venv/bin/lunapass" models verify --directory "$1/models"
}

make_config() { # FOLDER
    [[ ! -e $config ]] || return 0
    local program=$1/venv/bin/lunapass key
    key=$("$program" config key)
    mkdir -p "$(dirname "$config")"
    # The key goes through a pipe, because every user can read the arguments of programs.
    (umask 077 && "$program" config show --defaults | sed -f <(
        echo "s|^key = \"secret\"|key = \"$key\"|"
        echo "s|^directory = \"models\"|directory = \"$base/current/models\"|"
    ) >"$config.new")
    mv "$config.new" "$config"
    echo "created $config with a new signing key"
}

prepare_system() { # FOLDER
    [[ -z $root && $EUID == 0 && -d /run/systemd/system ]] || return 0
    local units
    units=$("$1/venv/bin/python" -c 'from importlib import resources
print(resources.files("deploy") / "systemd")')
    systemd-sysusers "$units/lunapass.sysusers"
    # Only for root: the units give each role its part, without the other roles' secrets.
    chown root:root "$config" && chmod 0600 "$config"
    "$1/venv/bin/lunapass" install-units --config "$config" \
        --program "$base/current/venv/bin/lunapass"
}

remove_failed_releases() { # of interrupted installations, and rolled-back releases
    local mark now old
    for mark in "$base"/releases/[0-9]*/unfinished; do
        [[ ! -e $mark ]] || rm -rf "$(dirname "$mark")"
    done
    now=$(current)
    for old in $(releases | awk -v now="$now" 'now != "" && $1 > now'); do
        rm -rf "${base:?}/releases/$old"
    done
}

remove_old_releases() {
    local now old
    now=$(current)
    for old in $(releases | head -n "-$kept_releases"); do
        [[ $old == "$now" ]] || rm -rf "${base:?}/releases/$old"
    done
}

if [[ -n $rollback ]]; then
    roll_back
    exit
fi
check_archive
mkdir -p "$base/releases"
lock
remove_failed_releases
release=$(($(releases | tail -n 1) + 1))
folder=$base/releases/$release
trap '[[ $(current) == "$release" ]] || rm -rf "$folder"' EXIT
mkdir "$folder"
touch "$folder/unfinished"
install_release "$folder"
make_config "$folder"
check_config "$release"
prepare_system "$folder"
rm "$folder/unfinished"
switch_to "$release"
remove_old_releases
restart_units
