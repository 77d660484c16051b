#!/bin/sh
# enter.sh TASK NODE CLIENT DENIALS UID HANDLER: what Lambda builds around a function, as far as a
# namespace can: the code read-only, a /tmp of its own, processes of its own, no privilege. Runs as
# process 1 of a new process and mount namespace, with a fresh /proc.
set -eu
task=$1 node=$2 client=$3 denials=$4 uid=$5 handler=$6

mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/task /mnt/client
mount --bind "$task" /mnt/task
mount -o remount,bind,ro,nosuid,nodev /mnt/task
mount --bind "$client" /mnt/client
cp "$denials" /mnt/
chmod 755 /mnt/denials
touch /mnt/node
mount --bind "$node" /mnt/node
echo "sbx_user1051:x:$uid:$uid::/home/sbx_user1051:/sbin/nologin" > /mnt/passwd
mount --bind /mnt/passwd /etc/passwd
mount -t tmpfs -o mode=1777,size=512m tmpfs /tmp
mount -t tmpfs -o mode=1777,size=16m tmpfs /dev/shm

# Root of a user namespace stays root, with nothing that this could do.
drop='--bounding-set=-all --inh-caps=-all --no-new-privs'
[ "$uid" = 0 ] || drop="$drop --reuid=$uid --regid=$uid --clear-groups"
date '+started at %s%3N'
# shellcheck disable=SC2086
setpriv $drop /mnt/denials /mnt/node /mnt/client/node_modules/aws-lambda-ric/index.mjs "$handler" &
wait $! # and reaps orphans, as Lambda's own process 1 does
