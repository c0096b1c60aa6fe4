#!/usr/bin/env bash
# Compiles what of the Android library needs no `android.*`, and runs its tests on the JVM over the real native library, with -Xcheck:jni.
# Needs a JDK (17), JUnit 4 and a Kotlin compiler: as root on Debian and Ubuntu the first two are installed, the third comes from npm.
# VERIFACE_KOTLINC names a folder with the compiler's `lib`, if there is one already.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() { echo "skipped: the JVM tests, $1"; exit 0; }
install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && { apt-get update -q && apt-get install -y -q --no-install-recommends "$@"; } >/dev/null 2>&1; }

command -v javac >/dev/null || install openjdk-17-jdk-headless || true
command -v javac >/dev/null || skip "no JDK"
[ -e /usr/share/java/junit4.jar ] || install junit4 || true
[ -e /usr/share/java/junit4.jar ] || skip "no JUnit 4"
kotlin="${VERIFACE_KOTLINC:-target/tools/node_modules/kotlin-compiler}"
if [ ! -e "$kotlin/lib/kotlin-compiler.jar" ]; then
    command -v npm >/dev/null || install npm || true
    command -v npm >/dev/null || skip "no npm to fetch the Kotlin compiler with"
    npm install --silent --no-audit --no-fund --prefix target/tools kotlin-compiler@2.4.20 >/dev/null 2>&1 || skip "npm has no kotlin-compiler"
fi

# What `cargo test` has built: the border's tests need its feature `faults`.
library="${1:-target/release/deps}"
out=target/jvm
rm -rf "$out"
mkdir -p "$out"
path="$kotlin/lib/kotlinx-coroutines-core-jvm.jar:$kotlin/lib/kotlin-test.jar:$kotlin/lib/kotlin-test-junit.jar:/usr/share/java/junit4.jar"
compile() {
    java -Xmx700m -cp "$kotlin/lib/kotlin-compiler.jar" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler \
        -kotlin-home "$kotlin" -no-reflect -nowarn -jvm-target 1.8 "$@"
}
sources=$(find android/veriface/src/main/kotlin android/veriface/src/test/kotlin -name '*.kt' -not -path '*/veriface/android/*')
# shellcheck disable=SC2086
compile -cp "$path" -d "$out" $sources

# What needs `android.*` compiles against stubs of the platform; it cannot run here.
javac -nowarn -d "$out/stubs" $(find android/stubs -name '*.java')
# shellcheck disable=SC2086
compile -cp "$out:$out/stubs:$path" -d "$out/android" \
    $(find android/veriface/src/main/kotlin -path '*/veriface/android/*.kt') $(find android/bench -name '*.kt')

target/release/veriface enrol tests/fixtures/obama-smiling.jpg --output "$out/obama.vftemplate" >/dev/null
target/release/veriface bench tests/fixtures/collins.jpg --runs 3 --json > "$out/bench.json"
tests=$(cd android/veriface/src/test/kotlin && find . -name '*Test.kt' | sed 's|^\./||; s|\.kt$||; s|/|.|g')
# shellcheck disable=SC2086
java -Xcheck:jni -Xmx512m -Djava.library.path="$library" -Dveriface.root="$PWD" -Dveriface.template="$out/obama.vftemplate" \
    -Dveriface.bench="$out/bench.json" \
    -cp "$out:$path:$kotlin/lib/kotlin-stdlib.jar:/usr/share/java/hamcrest-core.jar:/usr/share/java/hamcrest.jar" \
    org.junit.runner.JUnitCore $tests 2>&1 | tee "$out/log.txt"
if grep -q "^WARNING in native method\|FATAL ERROR in native method" "$out/log.txt"; then
    echo "-Xcheck:jni has something to say" >&2
    exit 1
fi

# UniFFI's Kotlin, for the JVM off Android. JNA has warnings of its own under -Xcheck:jni, so it runs without.
jna=/usr/share/java/jna.jar
[ -e "$jna" ] || install libjna-java || true
[ -e "$jna" ] || skip "no JNA (UniFFI's Kotlin only)"
compile -cp "$jna:$kotlin/lib/kotlinx-coroutines-core-jvm.jar" -d "$out/jna" \
    bindings/uniffi/generated/kotlin/io/github/veriface/uniffi/veriface.kt bindings/uniffi/tests/Check.kt
java -Djna.library.path="$library" -cp "$out/jna:$jna:$kotlin/lib/kotlin-stdlib.jar:$kotlin/lib/kotlinx-coroutines-core-jvm.jar" \
    CheckKt tests/fixtures "$out/obama.vftemplate"
