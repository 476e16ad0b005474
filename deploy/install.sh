#!/usr/bin/env bash
# Installs or upgrades the service from this archive, without network; or goes back.
#
#   ./install.sh [--root DIR] [--python PYTHON]    install beside what is there, then switch to it
#   ./install.sh --rollback [--root DIR]           switch back to the release before
#
# Each release has a folder of its own below /opt/lunapass/releases; the link /opt/lunapass/current
# names the one in use. The configuration in /etc/lunapass is made once and never overwritten; a
# release that does not accept it is not switched to. DIR stands before all these paths.
set -euo pipefail
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root="" python=python3 rollback=""
while (($# > 0)); do
    case $1 in
    --root) root=$(mkdir -p "$2" && cd "$2" && pwd) && shift 2 ;;
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

[[ $root != *[\"\\\|\&]* ]] || fail "--root $root: quotes, \\, | and & are not for paths"

switch_to() { # RELEASE: in one step, so that a start at any moment finds a whole release
    ln -sfn "releases/$1" "$base/.next"
    mv -T "$base/.next" "$base/current"
    echo "current release: $1 ($("$base/current/venv/bin/lunapass" --version))"
}

take_turns() { # until the end of this script
    exec 9>"$base/.lock"
    flock --nonblock 9 || fail "another install.sh is at work in $base; wait for it"
}

releases() { # numbers of the whole ones, in order
    local folder
    for folder in "$base"/releases/[0-9]*; do
        [[ ! -d $folder || -e $folder/unfinished ]] || basename "$folder"
    done | sort -n
}

check_config() { # RELEASE
    LUNAPASS__MODELS__DIRECTORY="$base/releases/$1/models" \
        "$base/releases/$1/venv/bin/lunapass" config check "$config" ||
        fail "release $1 does not accept $config; nothing was changed"
}

restart_units() {
    [[ -z $root && -d /run/systemd/system ]] || return 0
    systemctl daemon-reload
    systemctl try-restart 'lunapass-*.service' lunapassapi.service
}

current() { [[ -L $base/current ]] && basename "$(readlink "$base/current")" || true; }

go_back() {
    local now before
    now=$(current)
    [[ -n $now ]] || fail "nothing is installed in $base"
    take_turns
    before=$(releases | awk -v now="$now" '$1 < now' | tail -n 1)
    [[ -n $before ]] || fail "there is no release before $now"
    check_config "$before"
    prepare_system "$base/releases/$before" # its units, which may differ
    switch_to "$before"
    restart_units
}

check_archive() {
    (cd "$here" && sha256sum --quiet --strict --check SHA256SUMS) ||
        fail "the archive is damaged; copy it again"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$python is too old; name Python 3.11 or newer with --python"
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
    chmod -R u=rwX,go=rX "$1/models" # an archive unpacked under another umask may hide them
    "$1/venv/bin/lunapass" models verify --directory "$1/models"
}

make_config() { # FOLDER
    [[ ! -e $config ]] || return 0
    local program=$1/venv/bin/lunapass key
    key=$("$program" config key)
    mkdir -p "$(dirname "$config")"
    # The key goes through a pipe: arguments of a program are everybody's to read.
    (umask 077 && "$program" config show --defaults | sed -f <(
        echo "s|^key = \"secret\"|key = \"$key\"|"
        echo "s|^directory = \"models\"|directory = \"$base/current/models\"|"
    ) >"$config.new")
    mv "$config.new" "$config"
    echo "made $config with a signing key of its own"
}

prepare_system() { # FOLDER
    [[ -z $root && $EUID == 0 && -d /run/systemd/system ]] || return 0
    local units
    units=$("$1/venv/bin/python" -c 'from importlib import resources
print(resources.files("deploy") / "systemd")')
    systemd-sysusers "$units/lunapass.sysusers"
    # Root's alone: the units give each role its part of it, without the other roles' secrets.
    chown root:root "$config" && chmod 0600 "$config"
    "$1/venv/bin/lunapass" install-units --config "$config" \
        --program "$base/current/venv/bin/lunapass"
}

forget_failed_releases() { # what deaths in the middle left, and those that were gone back from
    local mark now old
    for mark in "$base"/releases/[0-9]*/unfinished; do
        [[ ! -e $mark ]] || rm -rf "$(dirname "$mark")"
    done
    now=$(current)
    for old in $(releases | awk -v now="$now" 'now != "" && $1 > now'); do
        rm -rf "${base:?}/releases/$old"
    done
}

forget_old_releases() {
    local now old
    now=$(current)
    for old in $(releases | head -n "-$kept_releases"); do
        [[ $old == "$now" ]] || rm -rf "${base:?}/releases/$old"
    done
}

if [[ -n $rollback ]]; then
    go_back
    exit
fi
check_archive
mkdir -p "$base/releases"
take_turns
forget_failed_releases
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
forget_old_releases
restart_units
