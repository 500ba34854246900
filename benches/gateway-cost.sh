#!/bin/sh
# What one request costs the gateway, in CPU time of its own process: a search over three nodes (20 hits, merged), a
# request passed through to one node, and the same search from the cache, by the same gateway started again with it. The nodes answer from memory with what real ones answered first, so that their
# work does not drown the gateway's. One gateway thread for requests; request id, metrics, auth and rate limit are on.
#
#   benches/gateway-cost.sh [ROUNDS [SECONDS]]       # 5 rounds of 4 seconds
#
# Real Meilisearch servers answer where MEILISEARCH_BIN names the program, embedded nodes otherwise. MIROIR_BIN names another
# build of the gateway, to compare with.
# Needs wrk, curl and jq (Debian: apt-get install wrk curl jq).
set -eu

rounds=${1:-5}
seconds=${2:-4}
connections=${CONNECTIONS:-16}
cd "$(dirname "$0")/.."

cargo build --quiet --release -p miroir-bench -p miroir -p miroir-node
bin=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
pids=
finish() {
    for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

port=18100
nodes=
for n in 1 2 3; do
    real=127.0.0.1:$((port + n)) canned=127.0.0.1:$((port + 10 + n))
    "${MEILISEARCH_BIN:-$bin/miroir-node}" --http-addr $real --db-path "$work/n$n" --master-key node-key-of-the-bench \
        --no-analytics >"$work/n$n.log" 2>&1 & pids="$pids $!"
    "$bin/canned-node" $canned $real node-key-of-the-bench & pids="$pids $!"
    nodes="$nodes    - { name: n$n, url: 'http://$canned', key: node-key-of-the-bench }
"
    tries=0
    until curl -sf -o /dev/null "http://$real/health"; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { echo "node $n does not answer" >&2; exit 1; }
        sleep 0.1
    done
done

gateway=127.0.0.1:18100
cat >"$work/miroir.yaml" <<END
server: { listen: [{ address: '$gateway' }], threads: 1 }
master_key: masterKey
log: { directory: $work/log }
cluster:
  nodes:
$nodes
telemetry: { log_level: warn }
filters:
  - request_id
  - metrics
  - auth
  - rate_limit: { requests: 1000000, per: 1s }
END
ask() { curl -sf -H 'Authorization: Bearer masterKey' "$@"; }
serve() {
    "${MIROIR_BIN:-$bin/miroir}" serve --config "$work/miroir.yaml" & pid=$!; pids="$pids $pid"
    tries=0
    until ask -o /dev/null "http://$gateway/health"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { echo "the gateway does not answer" >&2; exit 1; }
        sleep 0.1
    done
}
serve
task=$(ask -H 'Content-Type: application/x-ndjson' --data-binary @gateway/sample/movies.ndjson \
    "http://$gateway/indexes/movies/documents?primaryKey=id" | jq .taskUid)
until [ "$(ask "http://$gateway/tasks/$task" | jq -r .status)" = succeeded ]; do sleep 0.2; done

cat >"$work/search.lua" <<'END'
wrk.method = "POST"
wrk.path = "/indexes/movies/search"
wrk.headers["Authorization"] = "Bearer masterKey"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"q":"the","limit":20}'
END
cat >"$work/pass.lua" <<'END'
wrk.path = "/_miroir/nodes/n1/indexes/movies/documents?limit=35"
wrk.headers["Authorization"] = "Bearer masterKey"
END

ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }
load() {
    wrk -t1 -c"$connections" -d"$2s" -s "$work/$1.lua" "http://$gateway" >"$work/wrk"
    if grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2; then exit 1; fi
    sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$work/wrk"
}

body='{"q":"the","limit":20,"showRankingScoreDetails":true}'
for n in 1 2 3; do
    size=$(curl -s -H 'Content-Type: application/json' -H 'Authorization: Bearer node-key-of-the-bench' -d "$body" \
        "http://127.0.0.1:$((port + n))/indexes/movies/search" | wc -c)
    echo "node $n answers $size bytes"
done
echo "the gateway answers $(ask -H 'Content-Type: application/json' -d '{"q":"the","limit":20}' \
    "http://$gateway/indexes/movies/search" | wc -c) bytes to a search, $(ask \
    "http://$gateway/_miroir/nodes/n1/indexes/movies/documents?limit=35" | wc -c) passed through"

hertz=$(getconf CLK_TCK)
: >"$work/results"
# round KIND SCRIPT
round() {
    before=$(ticks "$pid")
    requests=$(load "$2" "$seconds")
    after=$(ticks "$pid")
    echo "$1 $requests $((after - before))" >>"$work/results"
}
for kind in search pass; do load $kind 1 >/dev/null; done
for _ in $(seq "$rounds"); do
    for kind in search pass; do round $kind $kind; done
done
grep -E 'VmRSS|VmHWM' "/proc/$pid/status"

kill "$pid"
wait "$pid" 2>/dev/null || true
printf '  - cache\n' >>"$work/miroir.yaml"
serve
load search 1 >/dev/null
for _ in $(seq "$rounds"); do round cached search; done

for kind in search pass cached; do
    grep "^$kind " "$work/results" |
        awk -v hertz="$hertz" '{ printf "%.1f %d\n", $3 * 1000000 / hertz / $2, $2 }' | sort -n >"$work/$kind.sorted"
    awk -v kind=$kind -v seconds="$seconds" '
        { cost[NR] = $1; requests += $2 }
        END { printf "%-8s %8.1f us CPU/request (%.1f..%.1f), %.0f requests/s\n", \
            kind, cost[int((NR + 1) / 2)], cost[1], cost[NR], requests / NR / seconds }' "$work/$kind.sorted"
done
