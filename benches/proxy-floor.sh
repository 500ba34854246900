#!/bin/sh
# The floor of a proxy: what one request costs each of nginx, HAProxy, plain pingora and the edge, in
# CPU time of the proxy's own process. Every proxy has one thread, the same upstream (15 KB of JSON,
# kept connections) and the same load; the rounds alternate, so that a busy machine is busy for all.
#
#   benches/proxy-floor.sh [ROUNDS [SECONDS]]       # 5 rounds of 4 seconds
#
# Needs wrk, nginx and haproxy (Debian: apt-get install wrk nginx-light haproxy).
set -eu

rounds=${1:-5}
seconds=${2:-4}
connections=${CONNECTIONS:-32}
cd "$(dirname "$0")/.."

cargo build --quiet --release -p miroir-bench --features plain-pingora
bin=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
pids=
finish() {
    # They have nothing to lose, and pingora would take its grace period.
    for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

upstream=127.0.0.1:18080
"$bin/floor-upstream" $upstream & pids="$pids $!"

cat >"$work/nginx.conf" <<END
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work;
    uwsgi_temp_path $work; scgi_temp_path $work;
    upstream up { server $upstream; keepalive 64; keepalive_requests 1000000000; }
    server {
        listen 127.0.0.1:18081;
        location / {
            proxy_pass http://up;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}
END
nginx -e "$work/nginx.log" -c "$work/nginx.conf" & nginx=$!

cat >"$work/haproxy.cfg" <<END
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-keep-alive
    http-reuse always
frontend in
    bind 127.0.0.1:18082
    default_backend up
backend up
    server up $upstream
END
haproxy -db -f "$work/haproxy.cfg" & haproxy=$!

"$bin/floor-pingora" 127.0.0.1:18083 $upstream & pingora=$!
"$bin/floor-edge" 127.0.0.1:18084 $upstream & edge=$!
pids="$pids $nginx $haproxy $pingora $edge"

# The process's user and system time so far, in ticks of 10 ms.
ticks() {
    sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

# load PORT SECONDS: how many requests were answered; anything but 2xx ends the run.
load() {
    wrk -t1 -c"$connections" -d"$2s" "http://127.0.0.1:$1/indexes/movies/search?q=star" >"$work/wrk"
    if grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2; then exit 1; fi
    sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$work/wrk"
}

for port in 18081 18082 18083 18084; do
    tries=0
    until curl -sf -o /dev/null "http://127.0.0.1:$port/"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { echo "nothing answers on port $port" >&2; exit 1; }
        sleep 0.1
    done
    load $port 1 >/dev/null
done

hertz=$(getconf CLK_TCK)
: >"$work/results"
round=1
while [ "$round" -le "$rounds" ]; do
    for proxy in nginx haproxy pingora edge; do
        case $proxy in
        nginx) port=18081 pid=$nginx ;;
        haproxy) port=18082 pid=$haproxy ;;
        pingora) port=18083 pid=$pingora ;;
        edge) port=18084 pid=$edge ;;
        esac
        before=$(ticks "$pid")
        requests=$(load "$port" "$seconds")
        after=$(ticks "$pid")
        echo "$proxy $requests $((after - before))" >>"$work/results"
    done
    round=$((round + 1))
done

awk -v hertz="$hertz" -v seconds="$seconds" '
    { cost = $3 * 1000000 / hertz / $2; n[$1]++; all[$1, n[$1]] = cost; rate[$1] += $2 / seconds }
    END {
        split("nginx haproxy pingora edge", proxies, " ")
        for (p = 1; p <= 4; p++) {
            name = proxies[p]
            for (i = 1; i <= n[name]; i++)          # insertion sort: a handful of rounds
                for (j = i; j > 1 && all[name, j] < all[name, j - 1]; j--) {
                    t = all[name, j]; all[name, j] = all[name, j - 1]; all[name, j - 1] = t
                }
            median[name] = all[name, int((n[name] + 1) / 2)]
        }
        printf "%-10s %14s %18s %12s %12s\n", "proxy", "us CPU/request", "lowest..highest", "x pingora", "requests/s"
        for (p = 1; p <= 4; p++) {
            name = proxies[p]
            printf "%-10s %14.1f %8.1f..%8.1f %12.2f %12.0f\n", name, median[name], all[name, 1], \
                all[name, n[name]], median[name] / median["pingora"], rate[name] / n[name]
        }
    }' "$work/results"
