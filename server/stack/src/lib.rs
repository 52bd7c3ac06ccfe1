//! Starts and stops Millrace's own Postgres and Redis from the installed binaries.
