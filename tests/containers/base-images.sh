#!/bin/sh
# Makes the images that the Dockerfiles and the compose file start from, under their own names, where none can be pulled:
# Debian's packages, unpacked only, and this machine's Node.js, npm and VictoriaMetrics.
#   base-images.sh FOLDER VICTORIA_METRICS_BINARY NAME_OF_ITS_IMAGE PODMAN [ARGUMENT …]
# FOLDER is for what lies about meanwhile; the images end up in the storage of the podman that is given.
set -eu
folder=$1 victoria_metrics=$2 victoria_metrics_image=$3
shift 3

node=$(readlink -f "$(command -v node)")
npm=$(readlink -f "$(command -v npm)")
npm=${npm%/bin/npm-cli.js}

tree=$folder/tree
mmdebstrap --quiet --mode=root --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
  --include=base-files,dash,bash,coreutils,libc-bin,libstdc++6,sed,grep,mawk,findutils,tar,gzip,busybox bookworm "$tree"
# What the packages' scripts would have done.
chroot "$tree" ldconfig
ln -s busybox "$tree/bin/wget"
printf '%s\n' 'root:x:0:0:root:/root:/bin/bash' > "$tree/etc/passwd"
printf '%s\n' 'root:x:0:' > "$tree/etc/group"
mkdir -p "$tree/etc/ssl/certs"
chmod 1777 "$tree/tmp"
tar -C "$tree" -cf "$folder/tree.tar" .
"$@" import "$folder/tree.tar" docker.io/library/debian:bookworm-slim

# As they lie in the image of that name.
mkdir -p "$tree/usr/local/bin" "$tree/usr/local/lib/node_modules" "$tree/usr/local/etc"
cp "$node" "$tree/usr/local/bin/node"
cp -R "$npm" "$tree/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$tree/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$tree/usr/local/bin/npx"
tar -C "$tree" -cf "$folder/tree.tar" .
rm -rf "$tree"
"$@" import "$folder/tree.tar" docker.io/library/node:24-bookworm-slim
rm "$folder/tree.tar"

mkdir "$folder/victoria-metrics"
cp "$victoria_metrics" "$folder/victoria-metrics/victoria-metrics-prod"
cat > "$folder/victoria-metrics/Containerfile" <<'CONTAINERFILE'
FROM docker.io/library/debian:bookworm-slim
COPY victoria-metrics-prod /victoria-metrics-prod
ENTRYPOINT ["/victoria-metrics-prod"]
CONTAINERFILE
"$@" build --isolation chroot -t "$victoria_metrics_image" "$folder/victoria-metrics"
