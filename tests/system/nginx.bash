# SPDX-License-Identifier: MIT
# nginx on ports of its own, in the test's temporary folder, serving a real tree of documents. To be
# sourced.

. "$(dirname "${BASH_SOURCE[0]}")/../cli/common.bash"
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Small images leave the documents out.
documents=/usr/share/doc
[ "$(find $documents -type f -readable | head -n 2500 | wc -l)" = 2500 ] || documents=/usr/include

nginx=$(command -v nginx || command -v /usr/sbin/nginx) || skip "nginx is not installed (nginx-light)"
command -v python3 >/dev/null || skip "python3 is not installed"

# configure_nginx EXTRA...: writes its configuration; EXTRA are lines for the server.
configure_nginx() {
	hold_port port
	hold_port secure_port
	mkdir -p "$work/nginx"
	{
		[ "$(id -u)" != 0 ] || echo "user root;"
		cat <<-EOF
			daemon off;
			worker_processes 2;
			pid $work/nginx/pid;
			error_log $work/nginx/error.log;
			events { worker_connections 2048; }
			http {
				access_log off;
				sendfile on;
				default_type application/octet-stream;
				client_body_temp_path $work/nginx/body;
				proxy_temp_path $work/nginx/proxy;
				fastcgi_temp_path $work/nginx/fastcgi;
				uwsgi_temp_path $work/nginx/uwsgi;
				scgi_temp_path $work/nginx/scgi;
				server {
					listen 127.0.0.1:$port reuseport;
					root $documents;
					$(printf '%s\n' "$@")
				}
			}
		EOF
	} >"$work/nginx/conf"
	url=http://127.0.0.1:$port
}

start_nginx() {
	"$nginx" -c "$work/nginx/conf" -e "$work/nginx/error.log" >"$work/nginx/out" 2>&1 &
	nginx_pid=$!
	children+=("$nginx_pid")
	wait_for "(exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null" || {
		cat "$work/nginx/out" "$work/nginx/error.log" >&2
		fail "nginx does not listen"
	}
}

# At once: connections are cut in the middle of what they carry.
stop_nginx() {
	kill -TERM "$nginx_pid"
	wait "$nginx_pid"
}

# list_documents BASE COUNT: URLs of at most that many documents, in $work/list.
list_documents() {
	python3 "$tools/documents.py" list "$documents" "$1" "$2" >"$work/list" || fail "listing $documents"
	count=$(wc -l <"$work/list" | tr -d ' ')
	[ "$count" -ge 1000 ] || skip "only $count documents in $documents; a thousand are wanted"
}

# verify FOLDER: every page of $work/list is there, and identical to its source, by SHA-256.
verify() {
	same "pages" "$(lines out)" "$count"
	python3 "$tools/documents.py" verify "$documents" "$1" "$work/out" "$work/list" || fail "verification"
	same "partial files" "$(find "$1" -name '.*' -type f | wc -l | tr -d ' ')" 0
}
