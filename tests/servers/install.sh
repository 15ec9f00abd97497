#!/usr/bin/env bash
# Installs the servers the tests run against, from the package registries this machine is configured for.
# Usage: tests/servers/install.sh [DIR]     (default: $EVENTMAP_SERVERS, else .servers in the repository)
# Needs node with npm, and a JDK >= 17 with mvn. Run again, it does only what has changed.
# moto and ministack are Python packages: they come with `pip install -e '.[test]'`.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
target=${1:-${EVENTMAP_SERVERS:-$repository/.servers}}
mkdir -p "$target"
target=$(cd "$target" && pwd)

# A server is complete when the stamp, written last, equals the recipe it was installed from.
installed() {
    cmp -s "$1" "$2/.installed-from"
}

stamp() {
    cp "$1" "$2/.installed-from"
}

install_fauxqs() {
    local recipe="$here/fauxqs/package.json" into="$target/fauxqs"
    mkdir -p "$into"
    cp "$here/fauxqs/serve.js" "$into/"
    if installed "$recipe" "$into"; then return; fi
    cp "$recipe" "$into/"
    local node=()
    if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then node=(node@20); fi # beside fauxqs, for it alone
    npm install --prefix "$into" --no-package-lock --no-audit --no-fund --loglevel=error "${node[@]}"
    stamp "$recipe" "$into"
}

install_kinesalite() {
    local recipe="$here/kinesalite/package.json" into="$target/kinesalite"
    mkdir -p "$into"
    cp "$here/kinesalite/serve.js" "$into/"
    if installed "$recipe" "$into"; then return; fi
    cp "$recipe" "$into/"
    npm install --prefix "$into" --no-package-lock --no-audit --no-fund --loglevel=error
    stamp "$recipe" "$into"
}

install_cognito_local() {
    local recipe="$here/cognito-local/package.json" into="$target/cognito-local"
    mkdir -p "$into"
    if installed "$recipe" "$into"; then return; fi
    cp "$recipe" "$into/"
    npm install --prefix "$into" --no-package-lock --no-audit --no-fund --loglevel=error
    stamp "$recipe" "$into"
}

install_elasticmq() {
    local recipe="$here/elasticmq/pom.xml" into="$target/elasticmq"
    if installed "$recipe" "$into"; then return; fi
    rm -rf "$into"
    mkdir -p "$into"
    mvn -q -B -f "$recipe" dependency:copy-dependencies -DoutputDirectory="$into/lib" -DincludeScope=runtime
    stamp "$recipe" "$into"
}

install_fauxqs
install_kinesalite
install_cognito_local
install_elasticmq
for own in event_ruler kcl; do
    if [ -f "$repository/tests/$own/install.sh" ]; then
        bash "$repository/tests/$own/install.sh" "$target"
    fi
done

echo "fauxqs     $(node -p "require('$target/fauxqs/node_modules/fauxqs/package.json').version")"
echo "kinesalite $(node -p "require('$target/kinesalite/node_modules/kinesalite/package.json').version")"
echo "cognito-local $(node -p "require('$target/cognito-local/node_modules/cognito-local/package.json').version")"
echo "elasticmq  $(basename "$target"/elasticmq/lib/elasticmq-server_3-*.jar .jar | sed 's/.*_3-//')"
