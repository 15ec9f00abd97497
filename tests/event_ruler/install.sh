#!/bin/sh
# Makes DIR/event-ruler: AWS' own pattern engine in lib/, and the program that asks it in classes/.
# usage: tests/event_ruler/install.sh DIR      (DIR is what EVENTMAP_SERVERS names; needs mvn and a JDK >= 17)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: install.sh DIR}/event-ruler"
target=$(cd "$1/event-ruler" && pwd)

rm -rf "$target/lib" "$target/classes"
mkdir -p "$target/classes"
mvn --batch-mode --quiet --file "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$target/lib"
javac -cp "$target/lib/*" -d "$target/classes" "$here/Verdicts.java"
