#!/bin/sh
# Makes DIR/kcl: Amazon's Kinesis Client Library in lib/, and a worker that uses it in classes/.
# usage: tests/kcl/install.sh DIR      (DIR is what EVENTMAP_SERVERS names; needs mvn and a JDK >= 17)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: install.sh DIR}/kcl"
target=$(cd "$1/kcl" && pwd)

if ! cmp -s "$here/pom.xml" "$target/.installed-from"; then
    rm -rf "$target/lib"
    mvn --batch-mode --quiet --file "$here/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$target/lib"
    cp "$here/pom.xml" "$target/.installed-from"
fi
rm -rf "$target/classes"
mkdir -p "$target/classes"
javac -cp "$target/lib/*" -d "$target/classes" "$here/App.java"
