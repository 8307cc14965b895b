# What runs on a host before the mapper does: finds it by its hash, or takes it from stdin, and becomes it.
#
# Any login shell hands this to `sh` inside single quotes on one line: no single quote, exclamation mark or backslash
# may stand here, every line but a comment ends where a space may follow, and only what POSIX has is used.
# $1: the folder asked for. $2: bytes of an order that come on stdin unasked, for a mapper that is there already. Then
# `os arch hash size` of every mapper there is.
# stdin: that order, which this passes on by leaving it there; on `need` it is gone, and the mapper's bytes come.
# stdout: lines that begin with @logstitch@, then what the mapper says.
umask 077; set -f; LC_ALL=C; export LC_ALL;
say() { echo; echo "@logstitch@ $*"; };
fail() { say "failed $*"; exit 3; };

arch=$(uname -sm); os=${arch%% *}; arch=${arch#* }; uid=$(id -u); hash=; size=;
asked=$1; ahead=$2; shift 2;
while [ $# -ge 4 ]; do
    if [ "$1 $2" = "$os $arch" ]; then hash=$3; size=$4; fi;
    shift 4;
done;
if [ -z "$hash" ]; then say "unfit $os $arch"; exit 3; fi;

sum() {
    if command -v sha256sum; then exec sha256sum < "$1";
    elif command -v shasum; then exec shasum -a 256 < "$1";
    elif command -v openssl; then exec openssl dgst -sha256 -r < "$1";
    fi;
};
verified() {
    for word in $(sum "$1" 2>/dev/null); do if [ "$word" = "$hash" ]; then return 0; fi; done;
    return 1;
};
own() {
    set -- "$1" "$2" $(ls -ldn "$1" 2>/dev/null);
    case "$3" in "$2"rwx------*) [ "$5" = "$uid" ];; *) false;; esac;
};
runs() { "$1" --version </dev/null 2>&1; };
become() { touch "$1" 2>/dev/null; exec env -i "$1" map; };

case "$asked" in "~/"*) asked=$HOME/${asked#"~/"};; esac;
set --;
if [ -n "$asked" ]; then set -- "$asked/logstitch-$uid"; fi;
case "$XDG_CACHE_HOME" in
    /*) set -- "$@" "$XDG_CACHE_HOME/logstitch";;
    *) if [ -n "$HOME" ]; then set -- "$@" "$HOME/.cache/logstitch"; fi;;
esac;
set -- "$@" "/var/tmp/logstitch-$uid" "/tmp/logstitch-$uid";

for dir do
    file=$dir/$hash;
    if own "$dir" d && own "$file" - && verified "$file" && runs "$file" >/dev/null; then become "$file"; fi;
done;

if [ -z "$(command -v sha256sum || command -v shasum || command -v openssl)" ]; then
    fail "there is no sha256sum, shasum or openssl to verify the mapper with";
fi;
why=;
for dir do
    mkdir -p "${dir%/*}" 2>/dev/null; mkdir "$dir" 2>/dev/null;
    if own "$dir" d; then :; else why="$why; $dir: not a folder of this user alone (mode 0700)"; continue; fi;
    temp=$dir/.new-$$;
    if echo "exit 0" 2>/dev/null > "$temp"; then :; else why="$why; $dir: cannot be written"; continue; fi;
    chmod 700 "$temp";
    if "$temp" 2>/dev/null; then :; else why="$why; $dir: nothing can be run there (noexec)"; rm -f "$temp"; continue; fi;
    if [ "$ahead" -gt 0 ]; then head -c "$ahead" >/dev/null; ahead=0; fi;
    say "need $os $arch";
    head -c "$size" | { cat 2>/dev/null > "$temp" || cat >/dev/null; };
    if verified "$temp"; then :; else why="$why; $dir: the mapper did not arrive whole (is the disk full?)"; rm -f "$temp"; continue; fi;
    chmod 700 "$temp";
    said=$(runs "$temp") || { rm -f "$temp"; fail "the mapper does not run on this host: $said"; };
    file=$dir/$hash;
    if mv -f "$temp" "$file"; then :; else why="$why; $dir: cannot be written"; rm -f "$temp"; continue; fi;
    find "$dir" -type f -mtime +30 -exec rm -f {} + 2>/dev/null;
    become "$file";
done;
fail "no folder for the mapper$why";
