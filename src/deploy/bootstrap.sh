# What runs on a host before the mapper does: finds it by its hash, or takes it from stdin, and becomes it.
#
# Any login shell hands this to `sh` inside single quotes on one line: no single quote, exclamation mark or backslash
# may stand here, every line but a comment ends where a space may follow, and only what POSIX has is used.
# stdin: the folder asked for, then `os arch hash size` for every mapper there is, then `end`; on `need`, its bytes.
# stdout: lines that begin with @logstitch@, then what the mapper says.
umask 077; set -f; LC_ALL=C; export LC_ALL;
say() { echo; echo "@logstitch@ $*"; };
fail() { say "failed $*"; exit 3; };

os=$(uname -s); arch=$(uname -m); uid=$(id -u); hash=; size=;
IFS= read -r asked || fail "no header";
while read -r line_os line_arch line_hash line_size; do
    if [ "$line_os" = end ]; then break; fi;
    if [ "$line_os $line_arch" = "$os $arch" ]; then hash=$line_hash; size=$line_size; fi;
done;
if [ -z "$hash" ]; then say "unfit $os $arch"; exit 3; fi;

sum() {
    if command -v sha256sum; then sha256sum < "$1";
    elif command -v shasum; then shasum -a 256 < "$1";
    elif command -v openssl; then openssl dgst -sha256 -r < "$1";
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
