#!/usr/bin/env bash
# Builds tables with our writer and reads them back with two readers that we did not write: Delta Kernel (Java) and deltalake (Python).
# Needs a JDK 17 or later, Maven, and Python 3 with venv. Fails, rather than skips, when something of that is missing.
set -euo pipefail
cd "$(dirname "$0")"

stop() {
  echo "cannot run: $1" >&2
  echo '0 passed, 1 failed'
  exit 1
}
for tool in node java mvn python3; do command -v "$tool" > /dev/null || stop "$tool is not installed"; done

mkdir -p target
rm -rf target/built
../../node_modules/.bin/tsc -p tsconfig.json || stop 'the sources do not compile'
mvn -q -B package dependency:build-classpath -Dmdep.outputFile=target/classpath.txt > target/maven.log 2>&1 || { cat target/maven.log >&2; stop 'the Java reader does not build'; }
if ! .venv/bin/python -c 'import deltalake, pyarrow' > /dev/null 2>&1; then
  python3 -m venv .venv && .venv/bin/pip install -q --disable-pip-version-check -r requirements.txt || stop 'the Python reader cannot be installed'
fi

tables="$PWD/target/tables"
node tables.mjs make "$tables" > target/paths.txt || stop 'the tables could not be written'
mapfile -t paths < target/paths.txt
[ "${#paths[@]}" -gt 0 ] || stop 'no tables were made'

passed=0
failed=0
judge() { # reader, file with what it printed
  local report counts
  report="$(node tables.mjs compare "$tables" "$1" < "$2")" || stop "the comparison with $1 broke"
  sed '$d' <<< "$report"
  counts="$(tail -n 1 <<< "$report")"
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
}

java -cp "target/readers-1.jar:$(cat target/classpath.txt)" ReadTable "${paths[@]}" > target/kernel.txt 2> target/kernel.log || { tail -n 30 target/kernel.log >&2; echo 'FAIL Delta Kernel stopped'; failed=$((failed + 1)); }
judge 'Delta Kernel' target/kernel.txt
.venv/bin/python read_table.py "${paths[@]}" > target/deltalake.txt 2> target/deltalake.log || { tail -n 30 target/deltalake.log >&2; echo 'FAIL deltalake stopped'; failed=$((failed + 1)); }
judge 'deltalake' target/deltalake.txt

probes="$(.venv/bin/python probe_tables.py "${paths[@]}" 2> target/probe.log)" || { tail -n 30 target/probe.log >&2; stop 'the questions to deltalake broke'; }
sed '$d' <<< "$probes"
counts="$(tail -n 1 <<< "$probes")"
passed=$((passed + ${counts% *}))
failed=$((failed + ${counts#* }))

# a table of ours that somebody else has written to, compacted, deleted from and checkpointed is still ours to write
shared="$tables/inserted-once"
if .venv/bin/python append_table.py "$shared" > target/append.log 2>&1 && node tables.mjs again "$shared" && .venv/bin/python read_table.py "$shared" > target/again.txt; then
  [ "$(grep -c '^\[' target/again.txt)" = 104 ] && again=ok || again=FAIL
else
  tail -n 30 target/append.log >&2
  again=FAIL
fi
[ "$again" = ok ] && passed=$((passed + 1)) || failed=$((failed + 1))
echo "$again deltalake and we write one table in turn"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
