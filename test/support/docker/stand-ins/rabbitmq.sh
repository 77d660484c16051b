#!/bin/sh
# Stands in for the entrypoint of the official image, as far as docker-compose.localstack.yml relies
# on it: the first start makes RABBITMQ_DEFAULT_USER, and the management page is on.
set -eu
if [ "$(id -u)" = 0 ]; then
  install -d -o rabbitmq -g rabbitmq /etc/rabbitmq/conf.d /var/log/rabbitmq /var/lib/rabbitmq
  chown rabbitmq:rabbitmq /etc/rabbitmq /var/lib/rabbitmq
  exec setpriv --reuid rabbitmq --regid rabbitmq --init-groups "$0"
fi
export HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
printf '%s\n' "default_user = $RABBITMQ_DEFAULT_USER" "default_pass = $RABBITMQ_DEFAULT_PASS" \
  'loopback_users = none' >/etc/rabbitmq/conf.d/10-defaults.conf
echo '[rabbitmq_management].' >/etc/rabbitmq/enabled_plugins
exec /usr/lib/rabbitmq/bin/rabbitmq-server
