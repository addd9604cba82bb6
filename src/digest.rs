//! SHA-256 of stored bytes.
