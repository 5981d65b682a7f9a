#!/usr/bin/env bash
# clang-tidy reads .clang-tidy as it was meant: a lost comma would switch off whole families unseen.
set -euo pipefail
cd "$1"
checks=$(clang-tidy-16 --list-checks)
for family in bugprone- performance- misc- readability-identifier-naming clang-analyzer-; do
  grep -q "^ *$family" <<<"$checks" || { echo "no check of $family is enabled"; exit 1; }
done
grep -q "^WarningsAsErrors: '\*'" <(clang-tidy-16 --dump-config) || { echo "warnings are no errors"; exit 1; }
