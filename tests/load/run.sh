#!/usr/bin/env bash
# Fetches from 200 models of the embedded Hub of which one request in twenty fails (429, 503, cut, reset), 32 at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
time cargo test --test stories -- --ignored two_hundred_models_on_a_bad_line_give_the_same_tensors
