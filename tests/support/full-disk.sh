#!/bin/sh
# Runs a program whose log goes to a file on a full file system in memory, for a shell that may mount. The file `full` beside
# it is there once no space is left; `free` gives the file system space again, `stop` ends the program; then the log is printed.
#   full-disk.sh FOLDER PROGRAM…
folder=$1; shift
mkdir -p "$folder/disk"
mount -t tmpfs -o size=64k tmpfs "$folder/disk" || exit 99
head -c 61440 /dev/zero > "$folder/disk/filler"
# Of the one page that is left, the first line of the program takes the rest.
printf '{"msg":"%4000s"}\n' '' > "$folder/disk/log"
"$@" >> "$folder/disk/log" &
child=$!
while [ "$(stat -c %s "$folder/disk/log")" -lt 4096 ]; do sleep 0.1; done
: > "$folder/full"
while [ ! -e "$folder/free" ]; do sleep 0.1; done
mount -o remount,size=8m "$folder/disk"
rm "$folder/disk/filler"
while [ ! -e "$folder/stop" ]; do sleep 0.1; done
kill -TERM $child
wait $child
code=$?
cat "$folder/disk/log"
umount -l "$folder/disk"
exit $code
