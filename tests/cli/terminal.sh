#!/bin/bash
# SPDX-License-Identifier: MIT
# The progress bar: on terminals, within the window, and nowhere else.
# ctest: timeout=120
. "$(dirname "$0")/common.bash"
start_server
escape=$'\033'
# The last one is answered when the bar was drawn a few times, and then only once.
urls=()
for i in $(seq 11); do
	urls+=("$url/ok/4?$i")
done
holds=0

# on_terminal STATUS SIZE STDOUT VARIABLE=VALUE... COMMAND...: what the terminal got is in
# $work/screen. HOLD as an argument is a page that comes when the bar was drawn often enough.
on_terminal() {
	local wanted=$1 size=$2 out=$3 release=- got

	shift 3
	holds=$((holds + 1))
	case " $* " in
	*" HOLD "*) release=$url/release/$holds ;;
	esac
	python3 "$here/terminal.py" "$size" "$out" "$release" env TERM=xterm \
		"${@/#HOLD/$url/hold/$holds}" >"$work/screen"
	got=$?
	[ "$got" = "$wanted" ] || fail "exit status $got instead of $wanted: $*"
}

run 0 "$corail" get "${urls[@]}" "$url/slow/300"
has_no err "$escape"
has_no err $'\r'
same "stderr without a terminal" "$(lines err)" 1

on_terminal 0 24x80 - "$corail" get "${urls[@]}" HOLD
same "lines" "$(grep -ac "Content from .*: 4 bytes" "$work/screen")" 12
grep -aq "/12  .*%.*B/s.*in flight" "$work/screen" || fail "no bar"
grep -aq "${escape}\[32m" "$work/screen" || fail "no colour"
grep -aq "12 pages, 48 B" "$work/screen" || fail "no summary"
draws=$(grep -ao "in flight" "$work/screen" | wc -l)
[ "$draws" -ge 6 ] || fail "$draws drawings of a bar"
# Ten times a second, whatever happens how often.
began=${EPOCHREALTIME/[.,]/}
on_terminal 0 24x80 - "$corail" get "$url"/ok/4?{1..300} HOLD
draws=$(grep -ao "in flight" "$work/screen" | wc -l)
ms=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
[ "$draws" -le $((3 + ms / 100)) ] || fail "$draws drawings of a bar in $ms ms"

on_terminal 0 24x80 - NO_COLOR=1 "$corail" get "${urls[@]}" HOLD
! grep -aq "${escape}\[3" "$work/screen" || fail "colours in spite of NO_COLOR"
grep -aq "in flight" "$work/screen" || fail "no bar without colours"
on_terminal 0 24x80 - LC_ALL=fr_FR.UTF-8 "$corail" get "${urls[@]}" HOLD
grep -aq "en cours" "$work/screen" || fail "no bar in French"
grep -aq "█" "$work/screen" || fail "no blocks in UTF-8"
grep -aqF "Contenu depuis $url/ok/4?1 : 4 octets" "$work/screen" || fail "no line in French"

# Standard output elsewhere: the bar is on the terminal, the lines are not.
on_terminal 0 24x80 "$work/out" "$corail" get "${urls[@]}" HOLD
same "lines in the file" "$(lines out)" 12
has_no out "$escape"
grep -aq "in flight" "$work/screen" || fail "no bar beside a file"
! grep -aq "Content from" "$work/screen" || fail "lines twice"
# No bar: JSON to the terminal, quiet, a terminal that cannot.
for variant in "TERM=xterm $corail get --json" "TERM=xterm $corail get -q" "TERM=dumb $corail get" \
	"TERM= $corail get"; do
	on_terminal 0 24x80 - $variant "${urls[@]:0:3}" "$url/slow/300"
	! grep -aq "in flight" "$work/screen" || fail "a bar: $variant"
done
# Failures are shown, and counted.
on_terminal 1 24x80 - "$corail" get "$url/status/404" "${urls[@]:0:5}" HOLD
grep -aq "1 failed" "$work/screen" || fail "failures are not counted"
grep -aq "404 Not Found" "$work/screen" || fail "failures are not shown"

# No drawing is wider than the window, however narrow, and a resize is followed.
for size in 24x10 24x30 24x200 24x1 24x100,40; do
	on_terminal 0 $size - "$corail" get "${urls[@]}" "$url/slow/300" HOLD
	python3 - "$work/screen" "$size" <<-'EOF' || fail "the bar is wider than the window: $size"
		import re, sys
		text = open(sys.argv[1], "rb").read().decode("utf-8")
		widths = [int(n) for n in re.split("[x,]", sys.argv[2])[1:]]
		text = re.sub("\x1b\\[[0-9;]*m", "", text)
		draws = [part for part in re.split("\r\x1b\\[K|\n|\r", text)
		         if not part.startswith(("Content from", "14 pages", "13 pages"))]
		assert draws
		assert max(map(len, draws)) < max(widths) or widths == [1], max(draws, key=len)
		if len(widths) > 1:
		    assert len(draws[-2]) < widths[1], draws[-2]
	EOF
done

# What a server or a URL says cannot command the terminal: only our own sequences are there.
on_terminal 1 24x80 - "$corail" get "$url/escape" $'http://h/\033]0;owned\007' "${urls[@]:0:3}" HOLD
python3 - "$work/screen" <<'EOF' || fail "foreign escapes reach the terminal"
import re, sys
text = open(sys.argv[1], "rb").read().decode("utf-8")
text = re.sub("\x1b\\[([0-9;]*m|K)", "", text)
assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)
EOF
exit 0
