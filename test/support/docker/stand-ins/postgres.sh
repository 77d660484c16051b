#!/bin/sh
# Stands in for the entrypoint of the official image, as far as docker-compose.localstack.yml relies
# on it: a new volume becomes a database of POSTGRES_USER; meanwhile only the socket is listened on.
set -eu
if [ "$(id -u)" = 0 ]; then
  install -d -o postgres -g postgres -m 700 "$PGDATA"
  install -d -o postgres -g postgres -m 2775 /var/run/postgresql
  exec setpriv --reuid postgres --regid postgres --init-groups "$0"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf %s "$POSTGRES_PASSWORD" >/tmp/password
  initdb --encoding=UTF8 --locale=C --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  pg_ctl --options="-c listen_addresses=" --wait start
  [ "$POSTGRES_DB" = postgres ] || createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
  # Who was connected has to be gone first: else the log would tell of it as of a fault.
  pg_ctl --mode=smart --wait stop
fi
exec postgres -c listen_addresses=*
