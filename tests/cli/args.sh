#!/bin/bash
# SPDX-License-Identifier: MIT
# Options, help and exit statuses, without a network.
. "$(dirname "$0")/common.bash"

run 0 "$corail" --version
grep -Eq '^corail [0-9]+\.[0-9]+\.[0-9]+$' "$work/out" || fail "version"
for words in --help -h help; do
	run 0 "$corail" $words
	has out "corail get"
	has out "corail demo"
	has out "corail doctor"
	same "stderr of $words" "$(cat "$work/err")" ""
done
for command in get demo doctor; do
	run 0 "$corail" $command --help
	has out "Usage: corail $command"
	run 0 "$corail" help $command
	has out "Usage: corail $command"
done

# Every option that the help names is in the manual page, and the other way round.
run 0 "$corail" get --help
cp "$work/out" "$work/help"
man=$here/../../man/corail.1
for option in $(grep -oE -- '--[a-z][a-z-]+' "$work/help" | sort -u); do
	sed 's/\\-/-/g' "$man" | grep -qF -- "$option" || fail "corail.1 lacks $option"
done
for option in $(sed 's/\\-/-/g' "$man" | sed -n '/^.SH OPTIONS/,/^.SH EXIT/p' |
	grep -oE -- '--[a-z][a-z-]+' | sort -u); do
	grep -qF -- "$option" "$work/help" || fail "--help lacks $option"
done

# Wrong usage is 2, with a word of help, and nothing on standard output.
wrong() {
	run 2 "$@"
	[ -s "$work/err" ] || fail "no message: $*"
	same "stdout" "$(cat "$work/out")" ""
}
wrong "$corail"
wrong "$corail" gte http://h/
has err "Did you mean: corail get"
wrong "$corail" https://example.com/
has err "Did you mean: corail get https://example.com/"
wrong "$corail" help nothing
wrong "$corail" demo now
wrong "$corail" doctor now
wrong "$corail" get
has err "no URL"
wrong "$corail" get --sequentail http://h/
has err "unknown option: --sequentail"
has err "Did you mean --sequential?"
wrong "$corail" get -x http://h/
has err "unknown option: -x"
wrong "$corail" get --json=yes http://h/
has err "takes no value"
wrong "$corail" get http://h/ -o
has err "needs a value"
for value in 0 -1 many 10001 "" 1.5 99999999999999999999; do
	wrong "$corail" get -c "$value" http://h/
	has err "-c: $value"
	wrong "$corail" get --per-host="$value" http://h/
done
for value in 0 -1 soon "" 1e3 nan inf 1.2.3; do
	wrong "$corail" get --timeout "$value" http://h/
done
for value in -1 often "" 1001; do
	wrong "$corail" get --retry "$value" http://h/
done
for value in 0 -5 much 1T 5kk ""; do
	wrong "$corail" get --max-size "$value" http://h/
done
wrong "$corail" get --sequential -c 5 http://h/
has err "either --sequential or -c, not both"
wrong "$corail" get -c 5 --sequential http://h/
wrong "$corail" get -i "$work/absent"
has err "$work/absent"
wrong "$corail" get -i "$work"
wrong "$corail" get --cacert "$work/absent" http://h/
touch "$work/file"
wrong "$corail" get -o "$work/file" http://h/
wrong "$corail" get -o "$work/file/below" http://h/
wrong "$corail" get -o "" http://h/
printf '# nothing\n\n' >"$work/empty"
wrong "$corail" get -i "$work/empty"
wrong "$corail" get $'--\033[2J'
has_no err $'\033'
wrong "$corail" $'\033[2J'
has_no err $'\033'

# The language: the first of these that is set and not empty.
french() {
	env -u LC_ALL "$@" "$corail" --help | grep -q télécharge
}
french LANG=fr_FR.UTF-8 || fail "LANG"
french LANG=C LC_MESSAGES=fr_CA || fail "LC_MESSAGES before LANG"
french LC_ALL=fr LANG=en_GB.UTF-8 || fail "LC_ALL before LANG"
french LC_ALL= LANG=fr_BE.UTF-8 || fail "an empty variable counts as unset"
! french LC_ALL=C LANG=fr_FR.UTF-8 || fail "LC_ALL=C is English"
! french LANG=frisian || fail "only fr is French"
! french LC_CTYPE=fr_FR.UTF-8 || fail "LC_CTYPE is not for messages"
run 2 env LC_ALL=fr_FR.UTF-8 "$corail" get --sequentail http://h/
has err "Vouliez-vous dire --sequential ?"

# A closed or full standard output is an error.
"$corail" --help >/dev/full 2>"$work/err" && fail "a full standard output went unnoticed"
has err "standard output"
exit 0
