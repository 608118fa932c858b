"""How the server is run: its memory, its log, what counts as durable, who may connect."""

import sys

from stemset.postgres._place import Place

DATABASE = "stemset"
ROLE = "stemset"
SUPERUSER = "postgres"

_MAP = "stemset"
_WAL_SYNC_METHOD = {"darwin": "fsync_writethrough"}  # others stay in the disk's own cache there


def server_options(place: Place, socket_folder: str) -> list[str]:
    """Arguments of ``postgres``: they win over every file of the cluster."""
    options = {
        # Who may connect
        "listen_addresses": "",
        "port": "5432",  # only a part of the socket's name
        "unix_socket_directories": _quoted(socket_folder),
        "unix_socket_permissions": "0700",
        "hba_file": str(place.folder / "pg_hba.conf"),
        "ident_file": str(place.folder / "pg_ident.conf"),
        "max_connections": "50",
        "authentication_timeout": "10s",
        # Accepted means durable
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        # One band, one machine, no replica
        "shared_buffers": "64MB",
        "work_mem": "4MB",
        "maintenance_work_mem": "32MB",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "256MB",
        "min_wal_size": "48MB",
        "io_method": "sync",
        "jit": "off",
        "max_worker_processes": "2",
        "max_parallel_workers_per_gather": "0",
        "max_logical_replication_workers": "0",
        "autovacuum_worker_slots": "2",
        "autovacuum_max_workers": "2",
        "huge_pages": "off",
        "TimeZone": "UTC",
        # A file for each weekday, overwritten a week later; no statement and no routine in it
        "logging_collector": "on",
        "log_directory": str(place.log),
        "log_filename": "server-%a.log",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_truncate_on_rotation": "on",
        "log_min_error_statement": "panic",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "-1",
        "log_line_prefix": "%m [%p] ",
        "log_timezone": "UTC",
    }
    if method := _WAL_SYNC_METHOD.get(sys.platform):
        options["wal_sync_method"] = method
    return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]


def access_rules() -> str:
    """``pg_hba.conf``: this machine's users whom the map names, and nobody else."""
    return f"local all {ROLE},{SUPERUSER} peer map={_MAP}\n"


def access_map(user: str) -> str:
    """``pg_ident.conf``: the one user of the system that may connect."""
    quoted = '"' + user.replace('"', '""') + '"'
    return "".join(f"{_MAP} {quoted} {role}\n" for role in (ROLE, SUPERUSER))


def _quoted(path: str) -> str:
    """A path as an item of a list: it may hold commas and spaces."""
    return '"' + path.replace('"', '""') + '"'
