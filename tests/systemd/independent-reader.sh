#!/bin/sh
# Prints what the kernel has of this machine, one `name value` a line, read otherwise than the collector reads it: from other
# files where there are some, and by commands.
#
#   sh independent-reader.sh NAME...
#
# NAMEs are those of executables; each process that runs one counts.
set -u
ticks=$(getconf CLK_TCK)
page=$(getconf PAGESIZE)

for name in "$@"; do
  count=0 threads=0 files=0 pages=0 used=0
  for folder in /proc/[0-9]*; do
    executable=$(readlink "$folder/exe" 2> /dev/null) || continue
    [ "${executable##*/}" = "$name" ] || continue
    count=$((count + 1))
    threads=$((threads + $(ls "$folder/task" | wc -l)))
    files=$((files + $(ls "$folder/fd" | wc -l)))
    read -r _ resident _ < "$folder/statm"
    pages=$((pages + resident))
    used=$((used + $(cat "$folder"/task/*/stat | sed 's/.*) //' | awk '{ sum += $12 + $13 } END { print sum + 0 }')))
  done
  echo "process.$name.count $count"
  echo "process.$name.threads $threads"
  echo "process.$name.files $files"
  echo "process.$name.resident $((pages * page))"
  echo "process.$name.cpu $(awk "BEGIN { print $used / $ticks }")"
done

cat /proc/[0-9]*/status 2> /dev/null |
  awk '/^State:/ { count[$2]++ } END { print "sleeping", count["S"] + 0; print "stopped", count["T"] + 0; print "zombie", count["Z"] + 0 }' |
  sed 's/^/state./'
echo "threads $(awk '/^Threads:/ { sum += $2 } END { print sum }' /proc/[0-9]*/status)"
echo "forks $(awk '$1 == "processes" { print $2 }' /proc/stat)"
echo "oom_kills $(awk '$1 == "oom_kill" { print $2 }' /proc/vmstat)"
echo "files_open $(cut -f 1 /proc/sys/fs/file-nr)"
echo "files_max $(cat /proc/sys/fs/file-max)"
echo "tcp_sent $(awk '$1 == "Tcp:" && $2 != "RtoAlgorithm" { print $12 }' /proc/net/snmp)"
echo "architecture $(uname -m)"
echo "kernel $(uname -r)"
echo "os_release $(. /etc/os-release && echo "$PRETTY_NAME")"
