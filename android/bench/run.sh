#!/usr/bin/env bash
# Measures on the device that adb reaches, and prints the JSON. Needs the Android SDK with Gradle and `android/build-native.sh` before it.
#   android/bench/run.sh > docs/latency/MY-DEVICE.json
set -euo pipefail
cd "$(dirname "$0")/.."
app=io.github.veriface.bench
file=/sdcard/Android/data/$app/files/latency.json

gradle --quiet :bench:assembleRelease >&2
adb install -r bench/build/outputs/apk/release/bench-release.apk >&2
adb shell am force-stop "$app"
adb shell rm -f "$file"
adb shell am start -n "$app/.BenchActivity" >&2
for _ in $(seq 60); do
    if adb shell test -s "$file"; then
        adb exec-out cat "$file"
        exit 0
    fi
    sleep 2
done
adb logcat -d -s veriface-bench >&2
echo "no report after two minutes" >&2
exit 1
