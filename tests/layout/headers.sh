#!/usr/bin/env bash
# headers.sh ROOT OUT: one source file for each header of the project, which includes it twice and
# nothing else. Prints the names of those files, for meson.
set -euo pipefail
cd "$1"
mkdir -p "$2"
find protocol store worker driver tests -name '*.h' | sort | while read -r header; do
  file=$2/${header//\//_}.cc
  text=$(printf '#include "%s"\n#include "%s"  // again' "$header" "$header")
  [[ -e $file && $(<"$file") == "$text" ]] || printf '%s\n' "$text" >"$file"
  echo "$file"
done
