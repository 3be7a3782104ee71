#!/usr/bin/env bash
# From raw flights to a served model: demo.sh start | stop. `make demo` builds first; PORT chooses the port (8484).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
port=${PORT:-8484}
url=http://127.0.0.1:$port
data=$here/.tiegel-data
log=$data/server.log
pid_file=$data/server.pid
tiegel=${TIEGEL:-${CARGO_TARGET_DIR:-$root/target}/release/tiegel}
plugins=(standardize one-hot calendar impute)
plugin_files=("${plugins[@]/#/$root/plugins/dist/}")
plugin_files=("${plugin_files[@]/%/.wasm}")
ready_seconds_max=30

section() { printf '\n== %s\n' "$1"; }

# Whatever goes wrong once the server was started, its own words are shown.
fail() {
  local code=$? line=$1
  trap - ERR
  echo "error: the demo stopped at line $line of demo.sh with exit code $code" >&2
  if [ -s "$log" ]; then
    echo "the last lines of $log:" >&2
    tail -n 30 "$log" >&2
  fi
  exit 1
}

# The pid of the demo's server; fails where it does not run, or where the number belongs to another program by now.
server_pid() {
  local pid
  pid=$(cat "$pid_file" 2>/dev/null) || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = tiegel ] || return 1
  echo "$pid"
}

stop() {
  local pid
  if ! pid=$(server_pid); then
    rm -f "$pid_file"
    return 0
  fi
  kill -TERM "$pid"
  for _ in $(seq 150); do
    if ! kill -0 "$pid" 2>/dev/null; then
      rm -f "$pid_file"
      return 0
    fi
    sleep 0.1
  done
  echo "error: the demo's server (pid $pid) did not stop within 15 s" >&2
  return 1
}

start_server() {
  mkdir -p "$data"
  rm -f "$log"
  if curl --silent --output /dev/null "$url"; then
    echo "error: something else answers at $url; PORT=8485 make demo takes another port" >&2
    return 1
  fi
  setsid nohup "$tiegel" serve --listen "127.0.0.1:$port" --data-dir "$data" </dev/null >"$log" 2>&1 &
  local pid=$!
  echo "$pid" >"$pid_file"
  local deadline=$((SECONDS + ready_seconds_max))
  until curl --silent --fail --output /dev/null "$url/health/ready"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      echo "error: the server ended before it was ready" >&2
      return 1
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "error: the server was not ready after $ready_seconds_max s" >&2
      return 1
    fi
    sleep 0.05
  done
}

build_what_is_missing() {
  for file in "$tiegel" "${plugin_files[@]}"; do
    if [ ! -e "$file" ]; then
      make -C "$root" build plugins PROFILE=release
      return
    fi
  done
}

predict() {
  curl --silent --show-error --fail-with-body "$url/api/v1/endpoints/flights-delay/predict" \
    --header 'content-type: application/json' --data "{\"rows\": [$1]}"
  echo
}

start() {
  build_what_is_missing
  "$here/fetch.sh"
  stop
  local started=$SECONDS
  trap 'fail $LINENO' ERR
  start_server
  export TIEGEL_SERVER=$url

  section "plugins"
  "$tiegel" plugin push "${plugin_files[@]}"

  section "plan"
  local code=0
  "$tiegel" plan -f "$here" || code=$?
  if [ "$code" = 1 ]; then false; fi

  section "apply"
  "$tiegel" apply -f "$here"

  section "run endpoint/flights-delay"
  "$tiegel" run endpoint/flights-delay --wait

  section "result"
  "$tiegel" status -o json | python3 "$here/summary.py"

  section "three predictions: the chance to arrive 30 or more minutes late"
  echo "a clear November morning, EWR to BOS"
  predict '{"scheduled": "2013-11-12T06:00:00Z", "carrier": "UA", "origin": "EWR", "dest": "BOS", "distance": 200, "temp": 41, "dewp": 27, "humid": 57, "wind_speed": 8, "precip": 0, "pressure": 1021, "visib": 10, "plane_year": 2001, "seats": 149}'
  echo "the same flight in the evening"
  predict '{"scheduled": "2013-11-12T19:00:00Z", "carrier": "UA", "origin": "EWR", "dest": "BOS", "distance": 200, "temp": 41, "dewp": 27, "humid": 57, "wind_speed": 8, "precip": 0, "pressure": 1021, "visib": 10, "plane_year": 2001, "seats": 149}'
  echo "a wet and foggy December evening, LGA to ATL; the plane is not in the register"
  predict '{"scheduled": "2013-12-23T19:30:00Z", "carrier": "FL", "origin": "LGA", "dest": "ATL", "distance": 762, "temp": 54, "dewp": 53, "humid": 96, "wind_speed": 14, "precip": 0.12, "pressure": 1004, "visib": 1.5, "plane_year": null, "seats": null}'

  printf '\n%s s after the build. Look at %s; end it with `make demo-stop`.\n' "$((SECONDS - started))" "$url"
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  *)
    echo "usage: demo.sh start|stop" >&2
    exit 1
    ;;
esac
