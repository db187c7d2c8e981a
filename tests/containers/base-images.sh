#!/bin/sh
# Makes the images that the Dockerfiles and the compose file start from, under their own names, where none can be pulled:
# Debian's packages, unpacked only, and this machine's Node.js, npm and VictoriaMetrics. Both images of Node.js are one here;
# the smaller one lacks the compiler in truth.
#   base-images.sh FOLDER VICTORIA_METRICS_BINARY NAME_OF_ITS_IMAGE PODMAN [ARGUMENT …]
# FOLDER is for what lies about meanwhile; the images end up in the storage of the podman that is given.
set -eu
folder=$1 victoria_metrics=$2 victoria_metrics_image=$3
shift 3

node=$(readlink -f "$(command -v node)")
prefix=$(dirname "$(dirname "$node")")
npm=$(readlink -f "$(command -v npm)")
npm=${npm%/bin/npm-cli.js}
[ -e "$prefix/include/node/node.h" ] || { echo "no headers of Node.js in $prefix/include/node: they come with nodejs.org's and nodesource.com's" >&2; exit 1; }

tree=$folder/tree
mmdebstrap --quiet --mode=root --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
  --include=base-files,dash,bash,coreutils,libc-bin,sed,grep,mawk,findutils,tar,gzip,g++,make,python3,busybox bookworm "$tree"
# What the packages' scripts would have done.
chroot "$tree" ldconfig
ln -s busybox "$tree/bin/wget"
ln -sf gcc "$tree/usr/bin/cc"
ln -sf g++ "$tree/usr/bin/c++"
printf '%s\n' 'root:x:0:0:root:/root:/bin/bash' 'node:x:1000:1000::/home/node:/bin/bash' > "$tree/etc/passwd"
printf '%s\n' 'root:x:0:' 'node:x:1000:' > "$tree/etc/group"
mkdir -p "$tree/usr/local/bin" "$tree/usr/local/include" "$tree/usr/local/lib/node_modules" "$tree/usr/local/etc" "$tree/etc/ssl/certs"
install -d -o 1000 -g 1000 "$tree/home/node"
chmod 1777 "$tree/tmp"
# As they lie in the images of the same names.
cp "$node" "$tree/usr/local/bin/node"
cp -R "$npm" "$tree/usr/local/lib/node_modules/npm"
cp -R "$prefix/include/node" "$tree/usr/local/include/node"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$tree/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$tree/usr/local/bin/npx"

tar -C "$tree" -cf "$folder/tree.tar" .
rm -rf "$tree"
"$@" import "$folder/tree.tar" docker.io/library/node:20-bookworm
rm "$folder/tree.tar"
"$@" tag docker.io/library/node:20-bookworm docker.io/library/node:20-bookworm-slim

mkdir "$folder/victoria-metrics"
cp "$victoria_metrics" "$folder/victoria-metrics/victoria-metrics-prod"
cat > "$folder/victoria-metrics/Containerfile" <<'CONTAINERFILE'
FROM docker.io/library/node:20-bookworm-slim
COPY victoria-metrics-prod /victoria-metrics-prod
ENTRYPOINT ["/victoria-metrics-prod"]
CONTAINERFILE
"$@" build --isolation chroot -t "$victoria_metrics_image" "$folder/victoria-metrics"
