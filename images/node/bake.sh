#!/bin/sh
# Bakes the state that every sandbox starts from: a PostgreSQL cluster with the databases, and in `kine` a Kubernetes that has
# its bootstrap roles, namespaces and our manifests already. An instance copies it to its volume instead of making it.
#
# Nothing secret is in it: the certificates and keys that the API server has here are thrown away, each instance makes its own,
# and no service account token was signed.
set -eu
data=/usr/lib/sandbox/postgres-template
bin=/usr/lib/postgresql/17/bin
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups env -i PATH="$PATH" LANG=C.UTF-8 "$@"; }

install -d -o postgres -g postgres -m 0700 "$data"
install -d -o postgres -g postgres -m 2775 /run/postgresql
printf postgres > /tmp/password
chmod 0644 /tmp/password
as_postgres $bin/initdb -D "$data" --username=postgres --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 \
	--locale=C.UTF-8 --wal-segsize=4 >/dev/null
rm /tmp/password
# The settings stay in the image, where an update reaches them.
echo "include '/usr/lib/sandbox/postgresql.conf'
hba_file = '/usr/lib/sandbox/pg_hba.conf'" > "$data/postgresql.conf"

as_postgres $bin/pg_ctl -D "$data" -w -o "-c fsync=off" start >/dev/null
export PGPASSWORD=postgres PGHOST=/run/postgresql PGUSER=postgres
psql() { /usr/lib/postgresql/17/bin/psql -qAt -v ON_ERROR_STOP=1 "$@"; }
psql -c 'CREATE DATABASE flyte' -c 'CREATE DATABASE kine'
SANDBOX_MANIFESTS=/usr/lib/sandbox/manifests k3s server --bootstrap-only --data-dir=/tmp/kubernetes --write-kubeconfig=/tmp/kubeconfig \
	--node-name=bake --datastore-endpoint=postgres://postgres:postgres@127.0.0.1:5432/kine > /tmp/k3s.log 2>&1 \
	|| { tail -40 /tmp/k3s.log; exit 1; }
# Leases say who serves at the moment; events and the client authority belong to this run. The history goes too.
psql -d kine <<'SQL'
DELETE FROM kine WHERE name LIKE '/registry/leases/%' OR name LIKE '/registry/masterleases/%' OR name LIKE '/registry/events/%'
	OR name LIKE '/registry/configmaps/kube-system/extension-apiserver-authentication'
	OR name LIKE '/registry/endpointslices/default/kubernetes' OR name LIKE '/registry/services/endpoints/default/kubernetes';
DELETE FROM kine AS old USING kine AS new WHERE old.name = new.name AND old.id < new.id AND old.name <> 'compact_rev_key';
DELETE FROM kine WHERE deleted <> 0;
VACUUM FULL ANALYZE kine;
SQL
psql -d kine -c "SELECT count(*) || ' objects of Kubernetes baked' FROM kine"
as_postgres $bin/pg_ctl -D "$data" -w -m fast stop >/dev/null
rm -rf /tmp/kubernetes /tmp/kubeconfig /tmp/k3s.log /run/postgresql /run/k3s-kine.sock "$data/postmaster.opts" "$data"/log
