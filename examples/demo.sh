#!/usr/bin/env bash
# demo.sh BUILD: three parties as processes of their own, and the means of their irises.
# ./dev demo builds and calls it. Everything it makes is in a temporary folder and goes at the end.
set -euo pipefail
build=$(cd "$1" && pwd)
export PATH=$build/driver/cli:$build/worker:$build/examples:$PATH
work=$(mktemp -d)

finish() {
  curia down "$work/cluster" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

title() { printf '\n-- %s\n' "$*"; }

title "three owners, each with 50 irises; nothing is granted to anybody"
iris_means --write "$work/parties"
init=(init "$work/cluster" --parties 'alice,bob,carol' --driver dora)
for party in alice bob carol; do
  init+=(--dataset "$party/iris=$work/parties/$party/iris.csv")
done
curia "${init[@]}"

title "three workers"
(cd "$work" && curia up cluster --detach)

title "what the driver's program would release: planned, not run"
export CURIA_CLUSTER=$work/cluster/dora.json
curia plan --release --out "$work/plan.json" "$(command -v iris_means)" -- --cluster "$CURIA_CLUSTER"

title "each owner signs what concerns its data: this, once, and nothing else"
for party in alice bob carol; do
  curia approve "$work/plan.json" --owner "$party" --key "$work/cluster/$party/approver.key" \
    --until 2200-01-01T00:00:00Z --out "$work/cluster/$party/approvals/iris_means.json" | tail -1
done
curia reload "$work/cluster"

title "the driver's program: local sums, their transfer to carol, one fetch"
iris_means --cluster "$CURIA_CLUSTER"

title "bytes of data that each party sent (what the parties tell each other before a task included)"
curia --json stats | python3 -c '
import json, sys
stats = json.load(sys.stdin)
names = ["driver", *stats]
print("from      " + "".join(f"to {n:<9}" for n in names))
for party, counters in stats.items():
    sent = [counters["data_bytes_to_driver"]] + [counters.get(f"data_bytes_to/{n}", 0) for n in stats]
    print(f"{party:<10}" + "".join(f"{b:<12}" for b in sent))
size = sum(len(open(f"{sys.argv[1]}/{p}/data/iris.csv").read()) for p in stats)
print(f"The three CSV files hold {size} bytes.")' "$work/cluster"

title "the same driver tries to fetch alice's rows"
cat >"$work/rows.json" <<'END'
{"name": "rows",
 "ops": [{"op": "dataset", "at": "alice", "out": ["rows"], "name": "iris",
          "type": "table[50]{sepal_length_cm:f64,sepal_width_cm:f64,petal_length_cm:f64,petal_width_cm:f64,species:i64} @alice"}],
 "outputs": {"means": "rows"}}
END
code=0
curia run "$work/rows.json" --fetch means 2>&1 || code=$?
if [[ $code != 3 ]]; then
  echo "expected exit code 3 (denied), found $code" >&2
  exit 1
fi
echo "refused, as it should be (exit code 3)"

title "and the same program a second time"
if iris_means --cluster "$CURIA_CLUSTER" 2>&1; then
  echo "expected a refusal: it was approved once" >&2
  exit 1
fi

title "alice's log of what she agreed to; the driver's session saw no more than that"
curia audit show "$work/cluster/alice/state" --kind consent | cut -c1-150

title "all workers stop"
curia down "$work/cluster"
